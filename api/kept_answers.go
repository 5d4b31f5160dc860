package api

import (
	"sync"
	"time"
)

const (
	statsAge     = 2 * time.Second // that an answer may have
	maxStatsKept = 100             // answers that are kept for so long
)

// keptAnswers holds answers for statsAge: pages ask for the same again and
// again. It is safe for concurrent use.
type keptAnswers struct {
	mu   sync.Mutex
	kept map[string]keptAnswer // guarded by mu
}

type keptAnswer struct {
	at   time.Time
	body []byte
}

// answer returns what is kept under the name, or makes it. Callers with the same
// name may make it side by side.
func (k *keptAnswers) answer(name string, now time.Time, produce func() ([]byte, error)) ([]byte, error) {
	k.mu.Lock()
	found, ok := k.kept[name]
	k.mu.Unlock()
	if ok && now.Sub(found.at) < statsAge {
		return found.body, nil
	}
	body, err := produce()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) >= maxStatsKept || k.kept == nil {
		k.kept = map[string]keptAnswer{}
	}
	k.kept[name] = keptAnswer{now, body}
	return body, nil
}
