package api

import (
	"sync"
	"time"
)

const (
	// keyAge is how old what is known of a key or a session may be: the time
	// within which its end takes effect in every process.
	keyAge = 5 * time.Second
	// maxRecalled bounds what is remembered, of what there is and of what there
	// is not.
	maxRecalled = 10_000
)

// recall remembers for keyAge what was found under a name, and that nothing
// was. It is safe for concurrent use.
type recall[V any] struct {
	now func() time.Time

	mu      sync.RWMutex
	known   map[string]recalled[V] // guarded by mu
	unknown map[string]recalled[V] // guarded by mu; apart, so that guesses push out nothing
}

type recalled[V any] struct {
	value *V // nil: there is none
	until time.Time
}

func newRecall[V any](now func() time.Time) *recall[V] {
	return &recall[V]{now: now, known: map[string]recalled[V]{}, unknown: map[string]recalled[V]{}}
}

// get returns what is remembered; nil for what is known not to be, and false
// when the name has to be looked up.
func (r *recall[V]) get(name string) (value *V, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found, ok := r.known[name]
	if !ok {
		found, ok = r.unknown[name]
	}
	if !ok || !r.now().Before(found.until) {
		return nil, false
	}
	return found.value, true
}

// put remembers what was found by a look that began at asked.
func (r *recall[V]) put(name string, value *V, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, name)
	delete(r.unknown, name)
	in := r.known
	if value == nil {
		in = r.unknown
	}
	makeRoom(in, asked)
	in[name] = recalled[V]{value: value, until: asked.Add(keyAge)}
}

// makeRoom forgets what is too old, and when that is not enough, anything.
func makeRoom[V any](in map[string]recalled[V], now time.Time) {
	if len(in) < maxRecalled {
		return
	}
	for name, found := range in {
		if !now.Before(found.until) {
			delete(in, name)
		}
	}
	for name := range in {
		if len(in) < maxRecalled {
			return
		}
		delete(in, name)
	}
}
