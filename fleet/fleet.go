package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// Observer is told what the metrics are made of. It must be safe for concurrent
// use and answer at once.
type Observer interface {
	// BreakerMoved is called by the process that moved a breaker: closed,
	// half_open or open.
	BreakerMoved(client, to string)
	// RateLimited is called for each request that was not let out in place,
	// for the rate limit or for a pause that the upstream asked for.
	RateLimited(client string)
}

// Deps is what a Fleet works with.
type Deps struct {
	// Conn is the way to Redis; nil: there is none. Who opened it closes it.
	Conn redis.UniversalClient
	// LivingFunc counts the processes that share the limits; nil: this one only.
	LivingFunc func(context.Context) (int, error)
	Observer   Observer
	Log        *slog.Logger
}

// Fleet is the gates of all upstreams. It is safe for concurrent use.
type Fleet struct {
	upstreams  map[string]*Upstream // nothing changes it
	link       *link
	livingFunc func(context.Context) (int, error)
	living     atomic.Int64
	recount    chan struct{} // one slot: the shares matter now
	log        *slog.Logger
}

const (
	lookInterval   = time.Second // the net for messages that were lost
	lostInterval   = 500 * time.Millisecond
	livingInterval = 5 * time.Second
)

// New returns the gates, having validated their Configs. It asks nobody anything:
// until Run has reached Redis, each process is on its own.
func New(upstreams []Config, deps Deps) (*Fleet, error) {
	f := &Fleet{upstreams: map[string]*Upstream{}, link: newLink(deps.Conn), livingFunc: deps.LivingFunc, recount: make(chan struct{}, 1), log: deps.Log}
	f.living.Store(1)
	var errs []error
	for _, cfg := range upstreams {
		if err := cfg.Validate(); err != nil {
			errs = append(errs, err)
			continue
		}
		living := func() int { return int(f.living.Load()) }
		f.upstreams[cfg.Name] = newUpstream(cfg.withDefaults(), f.link, living, deps.Observer, deps.Log)
	}
	return f, errors.Join(errs...)
}

// Upstream is the gate of the client; nil for one that is not configured.
func (f *Fleet) Upstream(client string) *Upstream { return f.upstreams[client] }

// Names lists the clients, sorted.
func (f *Fleet) Names() []string { return slices.Sorted(maps.Keys(f.upstreams)) }

// Run keeps the gates of this process together with those of the others, until
// ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	if f.livingFunc != nil {
		parts.Go(func() { f.count(ctx) })
	}
	if f.link == nil || len(f.upstreams) == 0 {
		<-ctx.Done()
		return nil
	}
	joined := make(chan struct{}, 1) // the subscription stands, perhaps again
	parts.Go(func() { f.receive(ctx, joined) })
	f.watch(ctx, joined)
	return nil
}

// count keeps the number of processes that share the limits.
func (f *Fleet) count(ctx context.Context) {
	for {
		timed, cancel := context.WithTimeout(ctx, livingInterval)
		n, err := f.livingFunc(timed)
		cancel()
		if err == nil {
			f.living.Store(int64(max(1, n)))
		}
		if !rest(ctx, livingInterval, f.recount, nil) {
			return
		}
	}
}

// watch looks at the fleet's state: as soon as there is a subscription, because
// what was told before it was not heard, and again and again as the net.
func (f *Fleet) watch(ctx context.Context, joined <-chan struct{}) {
	away := false
	for {
		err := f.look(ctx)
		pause := lookInterval + rand.N(lookInterval/4)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = lostInterval
			if !away {
				select {
				case f.recount <- struct{}{}:
				default:
				}
				f.log.Warn("limits and breakers of clients are this process's own until Redis answers", "error", err)
			}
			away = true
		case away:
			away = false
			f.log.Info("limits and breakers of clients are shared again")
		}
		lost := f.link.lost
		if err != nil {
			lost = nil // it is known, and must not make this a hot loop
		}
		if !rest(ctx, pause, joined, lost) {
			return
		}
	}
}

// look takes over the state of every upstream.
func (f *Fleet) look(ctx context.Context) error {
	for _, name := range f.Names() {
		if _, err := f.upstreams[name].ask(ctx, question{verb: verbLook}); err != nil {
			f.link.up.Store(false)
			return err
		}
	}
	f.link.up.Store(true)
	return nil
}

// receive takes over what others tell. The subscription connects, and connects
// again, by itself.
func (f *Fleet) receive(ctx context.Context, joined chan<- struct{}) {
	sub := f.link.conn.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }() // nothing is sent on it
	messages := sub.ChannelWithSubscriptions(redis.WithChannelSize(1024))
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			switch m := m.(type) {
			case *redis.Subscription:
				select {
				case joined <- struct{}{}:
				default:
				}
			case *redis.Message:
				f.hear(m.Payload)
			}
		}
	}
}

func (f *Fleet) hear(text string) {
	name, v, err := told(time.Now(), text)
	if err != nil {
		return // of another release
	}
	if u := f.upstreams[name]; u != nil {
		u.mu.Lock()
		u.apply(v, false)
		u.mu.Unlock()
	}
}

// Reset closes the client's breaker and ends a pause that it asked for, for the
// whole fleet. An unknown client is job.ErrNotFound. Where there is a Redis and
// it does not answer, the error is job.ErrUnavailable: the breakers of other
// processes cannot be reached.
func (f *Fleet) Reset(ctx context.Context, client string) error {
	u := f.upstreams[client]
	switch {
	case u == nil:
		return fmt.Errorf("fleet: reset %s: %w", client, job.ErrNotFound)
	case f.link == nil:
		u.resetOwn()
		return nil
	}
	if _, err := u.ask(ctx, question{verb: verbReset}); err != nil {
		return fmt.Errorf("fleet: reset %s: %w: %w", client, job.ErrUnavailable, err)
	}
	return nil
}

// resetOwn closes this process's own breaker.
func (u *Upstream) resetOwn() {
	u.mu.Lock()
	u.pauseUntil(time.Time{})
	u.mu.Unlock()
	if u.breaker == nil {
		return
	}
	before := u.breaker.State()
	u.breaker.Close()
	u.ownMoved(before)
}

// rest sleeps for d, or until something comes on one of the channels. It reports
// false when ctx ended.
func rest(ctx context.Context, d time.Duration, a, b <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-a:
	case <-b:
	}
	return true
}
