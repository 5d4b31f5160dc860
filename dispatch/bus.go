package dispatch

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// hint is something that is worth a look; its text is the channel in Redis.
type hint string

const (
	rung hint = "asyncops:rung" // for workers: a doorbell has been put into a queue
	due  hint = "asyncops:due"  // for the relay, and workers without Redis: jobs may start
)

// Bus carries hints between the parts of a process and, with a broker, between
// processes. A hint may be lost, late or repeated. It is safe for concurrent use.
type Bus struct {
	broker *Broker // nil: this process only
	log    *slog.Logger

	mu    sync.Mutex
	hints map[chan struct{}]hint       // guarded by mu; one slot each, the bus sends
	stops map[chan job.ID]bool         // guarded by mu; the bus sends and never waits
	ended map[job.ID][]chan<- struct{} // guarded by mu; closed by the bus
}

// NewBus returns a bus. Without a broker it reaches this process only.
func NewBus(broker *Broker, log *slog.Logger) *Bus {
	return &Bus{
		broker: broker, log: log,
		hints: map[chan struct{}]hint{}, stops: map[chan job.ID]bool{}, ended: map[job.ID][]chan<- struct{}{},
	}
}

// Run passes on what other processes say, until ctx ends.
func (b *Bus) Run(ctx context.Context) error {
	if b.broker == nil {
		<-ctx.Done()
		return nil
	}
	sub := b.broker.client.Subscribe(ctx, string(rung), string(due), stopChannel, endedChannel)
	defer func() { _ = sub.Close() }()                   // nothing is sent on it
	messages := sub.Channel(redis.WithChannelSize(1024)) // reconnects by itself
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-messages:
			if !ok {
				return nil
			}
			b.deliver(m.Channel, m.Payload)
		}
	}
}

func (b *Bus) deliver(channel, payload string) {
	switch channel {
	case string(rung), string(due):
		b.hintHere(hint(channel))
	case stopChannel:
		b.stopHere(job.ID(payload))
	case endedChannel:
		ids := strings.Fields(payload)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, id := range ids {
			b.endHere(job.ID(id))
		}
	}
}

// publish tells the other processes; what cannot be told is dropped.
func (b *Bus) publish(channel, payload string) {
	if b.broker == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	if err := b.broker.client.Publish(ctx, channel, payload).Err(); err != nil {
		b.log.Debug("hint not sent", "channel", channel, "error", err)
	}
}

// Due says that jobs may have become startable that nobody rings for.
func (b *Bus) Due() {
	b.hintHere(due)
	b.publish(string(due), "")
}

// rung says that there are new doorbells.
func (b *Bus) rung() {
	b.hintHere(rung)
	b.publish(string(rung), "")
}

// Stop says that a caller wants a running job to end.
func (b *Bus) Stop(id job.ID) {
	b.stopHere(id)
	b.publish(stopChannel, string(id))
}

// Ended says that jobs have reached a terminal state.
func (b *Bus) Ended(ids []job.ID) {
	if len(ids) == 0 {
		return
	}
	b.mu.Lock()
	for _, id := range ids {
		b.endHere(id)
	}
	b.mu.Unlock()
	if b.broker == nil {
		return
	}
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(string(id))
		text.WriteByte(' ')
	}
	b.publish(endedChannel, text.String())
}

func (b *Bus) hintHere(h hint) {
	b.mu.Lock()
	defer b.mu.Unlock()
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

func (b *Bus) stopHere(id job.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.stops {
		select {
		case c <- id:
		default: // it will poll
		}
	}
}

// endHere requires mu.
func (b *Bus) endHere(id job.ID) {
	for _, c := range b.ended[id] {
		close(c)
	}
	delete(b.ended, id)
}

// listen returns a channel that receives after the hint, and a func that ends it.
func (b *Bus) listen(h hint) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hints[c] = h
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

// sleep waits for d, a wake-up or the end of ctx, and reports whether ctx lasts.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-wake:
	}
	return ctx.Err() == nil
}
