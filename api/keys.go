package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// keyring answers who a key is: the configured ones first, then those of the
// source, each remembered for keyAge. It is safe for concurrent use.
type keyring struct {
	configured func() []Key
	source     KeySource // may be nil
	log        *slog.Logger
	now        func() time.Time
	recalled   *recall[principal]

	mu     sync.RWMutex
	static map[string]*principal // guarded by mu
	read   time.Time             // when static was; guarded by mu
}

func newKeyring(configured func() []Key, source KeySource, log *slog.Logger, now func() time.Time) *keyring {
	return &keyring{configured: configured, source: source, log: log, now: now, recalled: newRecall[principal](now)}
}

// find returns the key with the id, or job.ErrNotFound. ask is called before
// the source is, and may refuse that.
func (k *keyring) find(ctx context.Context, id string, ask func() error) (*principal, error) {
	now := k.now()
	k.mu.RLock()
	static, fresh := k.static[id], !k.read.IsZero() && now.Sub(k.read) < keyAge
	k.mu.RUnlock()
	if !fresh {
		static = k.reread(now)[id]
	}
	if static != nil {
		return static, nil
	}
	found, ok := k.recalled.get(id)
	switch {
	case found != nil:
		return found, nil
	case ok, k.source == nil:
		return nil, job.ErrNotFound
	}
	if err := ask(); err != nil {
		return nil, err
	}
	return k.load(ctx, id)
}

// load asks the source and remembers what it says.
func (k *keyring) load(ctx context.Context, id string) (*principal, error) {
	asked := k.now()
	key, err := k.source.Key(ctx, id)
	if err != nil && !errors.Is(err, job.ErrNotFound) {
		return nil, err
	}
	var p *principal
	if err == nil {
		if p, err = principalOf(key); err != nil {
			k.log.ErrorContext(ctx, "an API key is unusable", "error", err)
		}
	}
	k.recalled.put(id, p, asked)
	if p == nil {
		return nil, job.ErrNotFound
	}
	return p, nil
}

// reread takes the configured keys anew: the secrets behind them may come from
// files that change.
func (k *keyring) reread(now time.Time) map[string]*principal {
	static := map[string]*principal{}
	if k.configured != nil {
		for _, key := range k.configured() {
			p, err := principalOf(&key)
			if err != nil {
				k.log.Error("a configured API key is unusable", "error", err)
				continue
			}
			static[key.ID] = p
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.static, k.read = static, now
	return static
}
