package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	// keyAge is how old what is known of a key may be: the time within which a
	// revocation takes effect.
	keyAge = 5 * time.Second
	// maxCachedKeys bounds what is remembered, of keys and of ids that are none.
	maxCachedKeys = 10_000
)

// keyring answers who a key is: the configured ones first, then those of the
// source, each remembered for keyAge. It is safe for concurrent use.
type keyring struct {
	configured func() []Key
	source     KeySource // may be nil
	log        *slog.Logger
	now        func() time.Time

	mu      sync.RWMutex
	static  map[string]*principal // guarded by mu
	read    time.Time             // when static was; guarded by mu
	known   map[string]cachedKey  // guarded by mu
	unknown map[string]cachedKey  // guarded by mu; apart, so that guesses push out no key
}

type cachedKey struct {
	principal *principal // nil: there is no such key
	until     time.Time
}

func newKeyring(configured func() []Key, source KeySource, log *slog.Logger, now func() time.Time) *keyring {
	return &keyring{
		configured: configured, source: source, log: log, now: now,
		known: map[string]cachedKey{}, unknown: map[string]cachedKey{},
	}
}

// find returns the key with the id, or job.ErrNotFound. ask is called before
// the source is, and may refuse that.
func (k *keyring) find(ctx context.Context, id string, ask func() error) (*principal, error) {
	now := k.now()
	k.mu.RLock()
	static, fresh := k.static[id], !k.read.IsZero() && now.Sub(k.read) < keyAge
	cached, hit := k.known[id]
	if !hit {
		cached, hit = k.unknown[id]
	}
	k.mu.RUnlock()
	if !fresh {
		static = k.reread(now)[id]
	}
	switch {
	case static != nil:
		return static, nil
	case hit && now.Before(cached.until) && cached.principal != nil:
		return cached.principal, nil
	case hit && now.Before(cached.until), k.source == nil:
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
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, id)
	delete(k.unknown, id)
	in := k.known
	if p == nil {
		in = k.unknown
	}
	makeRoom(in, asked)
	in[id] = cachedKey{principal: p, until: asked.Add(keyAge)}
	if p == nil {
		return nil, job.ErrNotFound
	}
	return p, nil
}

// makeRoom forgets what is too old, and when that is not enough, anything.
func makeRoom(cache map[string]cachedKey, now time.Time) {
	if len(cache) < maxCachedKeys {
		return
	}
	for id, c := range cache {
		if !now.Before(c.until) {
			delete(cache, id)
		}
	}
	for id := range cache {
		if len(cache) < maxCachedKeys {
			return
		}
		delete(cache, id)
	}
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
