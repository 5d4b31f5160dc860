package dispatch

import (
	"context"
	"log/slog"
	"sync"

	"github.com/asyncops/asyncops/job"
)

// hint is something that is worth a look; its text is the channel in Redis.
type hint string

const (
	rung hint = "asyncops:rung" // for workers: a doorbell has been put into a queue
	due  hint = "asyncops:due"  // for the relay, and workers without Redis: jobs may start
)

// Bus carries hints between the parts of a process and, with a broker, between
// processes. A hint may be lost, late or repeated; giving one never waits. It is
// safe for concurrent use.
type Bus struct {
	broker *Broker // nil: this process only
	log    *slog.Logger
	unsent chan struct{} // one slot: outgoing has something
	joined chan struct{} // one slot: channels has more

	mu       sync.Mutex
	hints    map[chan struct{}]hint       // guarded by mu; one slot each, the bus sends
	fresh    map[chan string]bool         // guarded by mu; the bus sends
	stops    map[chan job.ID]bool         // guarded by mu; the bus sends
	ended    map[job.ID][]chan<- struct{} // guarded by mu; closed by the bus
	watches  map[*Watch]bool              // guarded by mu
	outgoing outgoing                     // guarded by mu
	channels []string                     // in Redis, that somebody here listens to; guarded by mu

	away trouble
}

// NewBus returns a bus. Without a broker it reaches this process only; with
// one, Run must run for hints to leave the process and to come in.
func NewBus(broker *Broker, log *slog.Logger) *Bus {
	return &Bus{
		broker: broker, log: log, unsent: make(chan struct{}, 1), joined: make(chan struct{}, 1),
		hints: map[chan struct{}]hint{}, fresh: map[chan string]bool{}, stops: map[chan job.ID]bool{}, ended: map[job.ID][]chan<- struct{}{},
		watches: map[*Watch]bool{},
	}
}

// Run passes hints on until ctx ends, and then those that are left.
func (b *Bus) Run(ctx context.Context) error {
	if b.broker == nil {
		<-ctx.Done()
		return nil
	}
	var sending sync.WaitGroup
	sending.Go(func() { b.send(ctx) })
	defer sending.Wait()
	return b.receive(ctx)
}

// Due says that jobs may have become startable that nobody rings for.
func (b *Bus) Due() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hintHere(due)
	b.tellOthers(func(o *outgoing) { o.due = true })
}

// rung says that there are new doorbells.
func (b *Bus) rung() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hintHere(rung)
	b.tellOthers(func(o *outgoing) { o.rung = true })
}

// Stop says that a caller wants a running job to end.
func (b *Bus) Stop(id job.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopHere(id)
	b.tellOthers(func(o *outgoing) { o.stop(id) })
}

// Ended says that jobs have reached a terminal state.
func (b *Bus) Ended(ids []job.ID) {
	if len(ids) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endHere(ids)
	b.tellOthers(func(o *outgoing) { o.end(ids) })
}

// accepted says, to this process only, that the queue has a new job that may
// start and that nobody rings for.
func (b *Bus) accepted(queue string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.fresh {
		select {
		case c <- queue:
		default: // it has much to do: it is to look everywhere
			b.hintHere(due)
		}
	}
}

// listenFresh returns a channel of the queues that accepted tells of, and a
// func that ends it. Names that find no room become a hint that jobs are due.
func (b *Bus) listenFresh() (<-chan string, func()) {
	c := make(chan string, 16)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.fresh, c)
	}
}

// hintHere requires mu.
func (b *Bus) hintHere(h hint) {
	for c, wanted := range b.hints {
		if wanted != h {
			continue
		}
		select {
		case c <- struct{}{}:
		default: // it has not looked yet
		}
	}
}

// stopHere requires mu.
func (b *Bus) stopHere(id job.ID) {
	for c := range b.stops {
		select {
		case c <- id:
		default: // it will poll
		}
	}
}

// endHere requires mu.
func (b *Bus) endHere(ids []job.ID) {
	b.moveHere(ids)
	for _, id := range ids {
		for _, c := range b.ended[id] {
			close(c)
		}
		delete(b.ended, id)
	}
}

// listen returns a channel that receives after the hint, and a func that ends it.
func (b *Bus) listen(h hint) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hints[c] = h
	b.join(string(h))
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.hints, c)
	}
}

// stopRequests returns a channel of jobs to stop, and a func that ends it.
func (b *Bus) stopRequests() (<-chan job.ID, func()) {
	c := make(chan job.ID, 256)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops[c] = true
	b.join(stopChannel)
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.stops, c)
	}
}

// waitEnded returns a channel that is closed when the job is said to have
// ended, and a func that gives up waiting.
func (b *Bus) waitEnded(id job.ID) (<-chan struct{}, func()) {
	c := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended[id] = append(b.ended[id], c)
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		rest := b.ended[id][:0]
		for _, other := range b.ended[id] {
			if other != (chan<- struct{})(c) {
				rest = append(rest, other)
			}
		}
		if b.ended[id] = rest; len(rest) == 0 {
			delete(b.ended, id)
		}
	}
}

// awaited lists the jobs that somebody here waits for.
func (b *Bus) awaited() []job.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]job.ID, 0, len(b.ended))
	for id := range b.ended {
		ids = append(ids, id)
	}
	return ids
}

// endedHere is Ended for this process only.
func (b *Bus) endedHere(ids []job.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endHere(ids)
}
