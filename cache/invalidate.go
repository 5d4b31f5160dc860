package cache

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// ErrAway says that Redis was away for so long that the other processes have
// stopped to trust what they keep. They are told when it is back.
var ErrAway = errors.New("cache: redis is away")

// Invalidate makes what depends on any of the tags, or has any of the keys,
// count for nothing. It returns when no process answers with it any more: soon,
// and within seconds when a process stands still or Redis is away. The error is
// ErrAway or nil. A write calls it after its commit and before anybody is told of
// it; it takes no context because that must not be left out.
func (s *Space) Invalidate(tags, keys []string) error {
	slots := slotsOf(s.name, tags, keys)
	if len(slots) == 0 || s.off() {
		return nil
	}
	if s.cache.fleet == nil {
		s.cache.gens.bump(slots)
		return nil
	}
	return s.cache.fleet.invalidate(slots)
}

// batch is the invalidations that are sent together.
type batch struct {
	slots   map[int]struct{}
	writers int           // that wait for it
	sent    chan struct{} // closed when it has been sent or given up
	reply   changed       // set before sent is closed
	err     error         // set before sent is closed
}

// invalidate sends the slots with those of others, and waits until no process
// trusts what depends on them.
func (f *fleet) invalidate(slots []int) error {
	b := f.enqueue(slots)
	<-b.sent
	if b.err == nil {
		f.settle(b.reply)
	}
	return b.err
}

func (f *fleet) enqueue(slots []int) *batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = &batch{slots: map[int]struct{}{}, sent: make(chan struct{})}
	}
	for _, slot := range slots {
		f.next.slots[slot] = struct{}{}
	}
	b := f.next
	b.writers++
	if !f.sending {
		f.sending = true
		f.sends.Go(f.send)
	}
	return b
}

// sendRest is between two batches under load. It bounds what they cost, in this
// process and in Redis.
const sendRest = 2 * time.Millisecond

// send sends batches until there are none. While one is on its way, the next
// collects what comes.
func (f *fleet) send() {
	for {
		f.mu.Lock()
		b := f.next
		if f.next = nil; b == nil {
			f.sending = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		slots := slices.Sorted(maps.Keys(b.slots))
		b.reply, b.err = f.sendUntil(slots)
		f.gens.bump(slots) // after the versions in Redis: what was read there before counts for nothing now
		close(b.sent)
		if b.writers > 1 {
			<-time.After(sendRest)
		}
	}
}

// sendUntil sends until Redis answers, or has been away for so long that nobody
// trusts what is kept. It tries at least once: Redis may be back, and others may
// have joined again, a moment before this process does.
func (f *fleet) sendUntil(slots []int) (changed, error) {
	ctx := context.Background() // a write has happened: no stop makes that undone
	for {
		reply, err := f.change(ctx, slots)
		if err == nil {
			f.answered()
			return reply, nil
		}
		if f.failed(ctx, err) >= giveUpAfter {
			f.owe(slots)
			return changed{}, ErrAway
		}
		<-time.After(retryInterval)
	}
}

// settle waits until every member has heard of a change, or its lease is over.
// Members of an era that was lost just now may be unknown: it waits for their
// leases too.
func (f *fleet) settle(c changed) {
	unknown := time.NewTimer(min(term-c.age, term))
	defer unknown.Stop()
	over := time.NewTimer(term)
	defer over.Stop()
	for waiting := c.members; len(waiting) > 0; {
		var heard <-chan struct{}
		if waiting, heard = f.behind(c, waiting); len(waiting) == 0 {
			break
		}
		select {
		case <-heard:
		case <-over.C:
			// Dead, or frozen: the next write need not wait for it. If it fails,
			// the next write tries.
			_ = f.remove(context.Background(), c.era, waiting)
			waiting = nil
		}
	}
	if c.age < term {
		<-unknown.C
	}
}

// behind returns the members that have not heard of c yet, and what is closed
// when that may have changed.
func (f *fleet) behind(c changed, members map[string]int64) (map[string]int64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	left, self := map[string]int64{}, f.name()
	for member, renewed := range members {
		if a := f.acks[member]; member != self && (a.era != c.era || a.seq < c.seq) {
			left[member] = renewed
		}
	}
	return left, f.news
}
