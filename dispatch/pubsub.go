package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// Channels in Redis whose messages are job ids.
const (
	stopChannel  = "asyncops:stop"
	endedChannel = "asyncops:ended"
	movedChannel = "asyncops:moved"
)

const (
	maxOutgoing = 10_000               // ids of each kind that wait to be sent; more are dropped
	maxMessage  = 500                  // ids of one message
	busBackoff  = time.Second          // after an error
	busRest     = 2 * time.Millisecond // after a message: under load, one tells of what many would
)

// outgoing is what other processes have not been told yet.
type outgoing struct {
	rung, due          bool
	stops, ends, moves []job.ID
}

func (o *outgoing) stop(id job.ID) {
	if len(o.stops) < maxOutgoing {
		o.stops = append(o.stops, id)
	}
}

func (o *outgoing) end(ids []job.ID) {
	if len(o.ends) < maxOutgoing {
		o.ends = append(o.ends, ids...)
	}
}

func (o *outgoing) move(ids []job.ID) {
	if len(o.moves) < maxOutgoing {
		o.moves = append(o.moves, ids...)
	}
}

// messages adds a PUBLISH for each message to the pipeline.
func (o *outgoing) messages(ctx context.Context, pipe redis.Pipeliner) {
	if o.rung {
		pipe.Publish(ctx, string(rung), "")
	}
	if o.due {
		pipe.Publish(ctx, string(due), "")
	}
	for _, id := range o.stops {
		pipe.Publish(ctx, stopChannel, string(id))
	}
	publishIDs(ctx, pipe, endedChannel, o.ends)
	publishIDs(ctx, pipe, movedChannel, o.moves)
}

func publishIDs(ctx context.Context, pipe redis.Pipeliner, channel string, all []job.ID) {
	for ids := range slices.Chunk(all, maxMessage) {
		var text strings.Builder
		for _, id := range ids {
			text.WriteString(string(id))
			text.WriteByte(' ')
		}
		pipe.Publish(ctx, channel, text.String())
	}
}

// tellOthers has other processes told soon. It requires mu.
func (b *Bus) tellOthers(add func(*outgoing)) {
	if b.broker == nil {
		return
	}
	add(&b.outgoing)
	select {
	case b.unsent <- struct{}{}:
	default:
	}
}

// send tells the other processes, until ctx ends; and then what is left.
func (b *Bus) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			b.sendOnce(context.WithoutCancel(ctx))
			return
		case <-b.unsent:
		}
		rest := busRest
		if !b.sendOnce(ctx) {
			rest = busBackoff
		}
		if !sleep(ctx, rest, nil) {
			b.sendOnce(context.WithoutCancel(ctx))
			return
		}
	}
}

// sendOnce sends what there is; what cannot be sent is dropped.
func (b *Bus) sendOnce(ctx context.Context) bool {
	b.mu.Lock()
	out := b.outgoing
	b.outgoing = outgoing{}
	b.mu.Unlock()
	pipe := b.broker.client.Pipeline()
	out.messages(ctx, pipe)
	if pipe.Len() == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if _, err := pipe.Exec(ctx); err != nil {
		if b.away.tell() {
			b.log.Warn("hints not sent; others will find out by themselves", "error", err)
		}
		return false
	}
	if b.away.over() {
		b.log.Info("hints are sent again")
	}
	return true
}

// join has the bus subscribe to a channel: a process hears only what somebody
// in it listens to. It requires mu.
func (b *Bus) join(channel string) {
	if slices.Contains(b.channels, channel) {
		return
	}
	b.channels = append(b.channels, channel)
	select {
	case b.joined <- struct{}{}:
	default:
	}
}

// receive passes on what other processes say, until ctx ends. The subscription
// connects, and connects again, by itself.
func (b *Bus) receive(ctx context.Context) error {
	sub := b.broker.client.Subscribe(ctx)
	defer func() { _ = sub.Close() }() // nothing is sent on it
	messages := sub.Channel(redis.WithChannelSize(1024))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.joined:
			b.mu.Lock()
			channels := slices.Clone(b.channels)
			b.mu.Unlock()
			// Those that it had it has again; after an error it subscribes when it
			// connects.
			_ = sub.Subscribe(ctx, channels...)
		case m, ok := <-messages:
			if !ok {
				return nil
			}
			b.deliver(m.Channel, m.Payload)
		}
	}
}

func (b *Bus) deliver(channel, payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch channel {
	case string(rung), string(due):
		b.hintHere(hint(channel))
	case stopChannel:
		b.stopHere(job.ID(payload))
	case endedChannel:
		b.endHere(idsIn(payload))
	case movedChannel:
		b.moveHere(idsIn(payload))
	}
}

func idsIn(payload string) []job.ID {
	var ids []job.ID
	for id := range strings.FieldsSeq(payload) {
		ids = append(ids, job.ID(id))
	}
	return ids
}
