package cache

import (
	"context"
	"time"
)

// Entry says what is asked for.
type Entry struct {
	ID   string   // what tells it from every other of the space
	Key  string   // under which callers invalidate it; "" for none
	Tags []string // what it depends on, such as tables
	// UsableFunc decides whether what is kept will do; nil takes everything. What
	// will not do is given to the load, which may find that it holds still.
	UsableFunc func(data []byte) bool
	// Local keeps it out of Redis. It is for what nobody has asked to keep, so that
	// only the load can tell whether it will be: where there is nothing yet, each
	// loads for itself, and what is not kept counts as no Get.
	Local bool
}

// Value is what was loaded.
type Value struct {
	Data []byte // nobody changes it any more
	// TTL is how long it may be kept; some of it, a tenth at most, is taken off by
	// chance, so that what was loaded together is not loaded again together. Zero
	// or less keeps nothing.
	TTL time.Duration
	// As is what the Get counts as: Revalidated or Stale where Data is the old
	// value, or holds it; "" is Miss.
	As Result
}

// Answer is what a Get returns.
type Answer struct {
	Data   []byte // the caller must not change it
	Result Result
	passed bool // it was loaded, and is not kept
}

// Cached reports whether the answer is what was kept, be it that the load has
// found it good.
func (a Answer) Cached() bool { return a.Result.kept() }

// Kept reports whether the answer is in the cache now: false where that is away,
// or it was not to be kept, or is too large.
func (a Answer) Kept() bool { return !a.passed }

// Load loads a value. old is what is kept and was found not usable; nil for
// nothing.
type Load func(ctx context.Context, old []byte) (Value, error)

// Get answers with what is kept, or loads it. Of those that ask for the same at
// the same time in this process one loads, and the others take what it gets;
// if it gets an error, they load for themselves. Errors are load's. An answer
// is never older than an Invalidate that had returned when Get was called.
func (s *Space) Get(ctx context.Context, e Entry, load Load) (Answer, error) {
	answer, err := s.get(ctx, e, 0, load)
	if err == nil && (!e.Local || !answer.passed) {
		s.count(answer.Result)
	}
	return answer, err
}

// Warm is Get for nobody in particular: what is kept for less than the time ahead
// yet is loaded anew and replaced. Until that is there, Gets take what is kept.
// The Space does not count it.
func (s *Space) Warm(ctx context.Context, e Entry, ahead time.Duration, load Load) (Answer, error) {
	return s.get(ctx, e, ahead, load)
}

func (s *Space) get(ctx context.Context, e Entry, ahead time.Duration, load Load) (Answer, error) {
	c := s.cache
	if !c.trusted() {
		v, err := load(ctx, nil)
		return Answer{v.Data, Bypass, true}, err
	}
	key, usable := idOf(s.name, e.ID), e.UsableFunc
	if usable == nil {
		usable = func([]byte) bool { return true }
	}
	var old []byte
	if k := c.memory.get(key); k != nil && k.at.current() {
		if time.Until(k.until) >= ahead && usable(k.data) {
			return Answer{Data: k.data, Result: Hit}, nil
		}
		old = k.data
	}
	r := &request{id: key, at: c.gens.snapshot(slotsOf(s.name, e.Tags, keysOf(e))), usable: usable, old: old, local: e.Local, ahead: ahead}
	if e.Local && old == nil {
		return s.fetch(ctx, r, load, nil)
	}
	f, joined := c.join(r)
	if !joined {
		defer c.land(r.id, f) // also when load panics
		return s.fetch(ctx, r, load, f)
	}
	select {
	case <-f.landed:
		if f.ok && ahead == 0 && r.usable(f.data) {
			return Answer{Data: f.data, Result: Hit}, nil
		}
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	return s.fetch(ctx, r, load, nil)
}

// request is a Get on its way.
type request struct {
	id     id
	at     snapshot // taken before anything is read
	usable func([]byte) bool
	old    []byte
	local  bool
	ahead  time.Duration // for which what is kept must be kept yet
}

func keysOf(e Entry) []string {
	if e.Key == "" {
		return nil
	}
	return []string{e.Key}
}

// trusted reports whether this process hears of every invalidation. It is asked
// before any generation is looked at: they are raised before the trust is
// prolonged.
func (c *Cache) trusted() bool { return c.fleet == nil || c.fleet.trusted() }

// flight is a load that others may wait for.
type flight struct {
	at     snapshot
	landed chan struct{} // closed by land
	data   []byte        // set before landed is closed
	ok     bool          // set before landed is closed
}

// join returns the flight of somebody who asks for the same, or a new one. What
// was invalidated since a flight began it may have missed.
func (c *Cache) join(r *request) (f *flight, joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[r.id]; f != nil && f.at.current() {
		return f, true
	}
	f = &flight{at: r.at, landed: make(chan struct{})}
	c.flights[r.id] = f
	return f, false
}

// land ends a flight, once.
func (c *Cache) land(key id, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	select {
	case <-f.landed:
	default:
		close(f.landed)
	}
}

// fetch takes the value from Redis or loads it, and keeps it. f, if not nil,
// gets it too.
func (s *Space) fetch(ctx context.Context, r *request, load Load, f *flight) (Answer, error) {
	c := s.cache
	share := func(data []byte) {
		if f != nil {
			f.data, f.ok = data, true
			c.land(r.id, f)
		}
	}
	found := c.look(ctx, r)
	if found.data != nil {
		if found.life >= r.ahead && r.usable(found.data) {
			c.memory.put(r.id, &kept{data: found.data, at: r.at, life: found.life, space: s.name})
			share(found.data)
			return Answer{Data: found.data, Result: HitShared}, nil
		}
		r.old = found.data
	}
	v, err := load(ctx, r.old)
	if err != nil {
		return Answer{}, err
	}
	life := c.life(v.TTL)
	if found.known {
		c.memory.put(r.id, &kept{data: v.Data, at: r.at, life: life, space: s.name})
	}
	share(v.Data)
	c.keep(ctx, r, found, v.Data, life)
	as := v.As
	if as == "" {
		as = Miss
	}
	return Answer{v.Data, as, as == Miss && (v.TTL <= 0 || !found.known || !c.memory.holds(v.Data))}, nil
}

// life is how long a value is kept.
func (c *Cache) life(ttl time.Duration) time.Duration {
	return ttl - time.Duration(c.cfg.RandFunc()*float64(ttl)/10)
}
