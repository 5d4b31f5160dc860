package cache

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Times of the agreement between the processes. A process trusts what it keeps
// while its lease runs; a writer that hears nothing from one waits until that
// cannot be any more.
const (
	term           = time.Second            // after which a process that was not heard of trusts nothing
	leaseLife      = term * 9 / 10          // by the clock of the process itself: clocks may differ by a tenth
	renewInterval  = term / 4               // so that two renewals may be lost
	eraLife        = 2 * term               // of the keys in Redis, from the last renewal by anybody
	giveUpAfter    = eraLife + term/2       // of writers without Redis: by then the era is over
	retryInterval  = 50 * time.Millisecond  // of writers, and of a process that must join again
	commandTimeout = 500 * time.Millisecond // of what must be done
	lookTimeout    = 250 * time.Millisecond // of what may be left out
)

// fleet is this process's part in the agreement.
type fleet struct {
	redis  redis.UniversalClient
	gens   *generations
	memory *memory
	log    *slog.Logger
	teller bool
	began  time.Time    // what lease counts from
	lease  atomic.Int64 // when this process stops to trust what it keeps
	self   atomic.Value // string: by what name it was last a member
	filled atomic.Bool  // Redis has no room for values

	sends sync.WaitGroup // goroutines that send invalidations

	mu      sync.Mutex
	next    *batch           // of invalidations, not sent yet; guarded by mu
	sending bool             // a goroutine sends; guarded by mu
	acks    map[string]ack   // by member; guarded by mu
	news    chan struct{}    // closed when acks change; guarded by mu
	away    time.Time        // since when Redis does not answer; zero while it does; guarded by mu
	told    bool             // that something is wrong with it; guarded by mu
	debts   map[int]struct{} // slots that were changed meanwhile; guarded by mu
}

// ack is how far a member has followed the news of an era.
type ack struct {
	era string
	seq int64
}

func newFleet(cfg Config, gens *generations, memory *memory, log *slog.Logger) *fleet {
	f := &fleet{
		redis: cfg.Redis, gens: gens, memory: memory, log: log, teller: cfg.Teller, began: time.Now(),
		acks: map[string]ack{}, news: make(chan struct{}), debts: map[int]struct{}{},
	}
	f.self.Store(rand.Text())
	gens.begin(&session{})
	return f
}

func (f *fleet) name() string { return f.self.Load().(string) } //nolint:forcetypeassert // nothing else is stored

// newEra is the name of an era that may begin.
func newEra() string { return rand.Text() }

// close returns when nothing is sent any more.
func (f *fleet) close() { f.sends.Wait() }

func (f *fleet) clock() int64 { return int64(time.Since(f.began)) }

func (f *fleet) trusted() bool { return f.clock() < f.lease.Load() }

// Run has this process hear what others invalidate, until ctx ends. Without it
// nothing is taken from a cache that has a Redis.
func (c *Cache) Run(ctx context.Context) error {
	if c.fleet == nil {
		<-ctx.Done()
		return nil
	}
	for ctx.Err() == nil {
		c.fleet.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
	return nil
}

// follow takes part in the agreement until ctx ends or something has been
// missed.
func (f *fleet) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	channels := []string{ackChannel}
	if !f.teller { // those are counted by who begins an era
		channels = append(channels, newsChannel)
	}
	sub := f.redis.Subscribe(ctx, channels...)
	defer func() { _ = sub.Close() }() // nothing is sent on it
	for range channels {
		if _, err := sub.ReceiveTimeout(ctx, commandTimeout); err != nil {
			f.trouble(ctx, err)
			return
		}
	}
	heard := sub.Channel(redis.WithChannelSize(4096))
	if !f.settleDebts(ctx) {
		return
	}
	m := &membership{fleet: f, name: rand.Text(), acked: make(chan struct{}, 1)}
	if !f.teller {
		if !m.join(ctx) {
			return
		}
		defer m.leave(context.WithoutCancel(ctx))
	}
	f.over()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel() // before the wait for those that it ends
	helpers.Go(func() { defer cancel(); m.keepUp(ctx) })
	helpers.Go(func() { m.acknowledge(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case message, ok := <-heard:
			if !ok || !m.hear(message.Channel, message.Payload) {
				return
			}
		}
	}
}

// membership is one stay of a process in the fleet. Each has a name of its own:
// what was heard of an earlier one says nothing of the next.
type membership struct {
	fleet   *fleet
	name    string
	session *session
	seq     atomic.Int64  // of the last news, none before it missing
	acked   chan struct{} // one slot: seq is to be told
}

// join begins a session.
func (m *membership) join(ctx context.Context) bool {
	f := m.fleet
	sent := f.clock()
	f.self.Store(m.name)
	era, seq, err := f.renew(ctx, m.name, "", sent)
	if err != nil {
		f.failed(ctx, err)
		return false
	}
	f.answered()
	m.session = &session{era: era}
	m.seq.Store(seq)
	f.gens.begin(m.session)
	f.lease.Store(sent + int64(leaseLife))
	return true
}

// leave ends the session: nothing of it counts any more, and nobody waits for
// this process.
func (m *membership) leave(ctx context.Context) {
	f := m.fleet
	f.lease.Store(0)
	f.gens.begin(&session{})
	f.memory.drop()
	if f.remove(ctx, m.session.era, map[string]int64{m.name: 0}) == nil {
		m.publish(ctx, never)
	}
}

// never is the ack of one that keeps nothing.
const never = 1 << 62

// keepUp renews the lease until ctx ends or this process must join again.
func (m *membership) keepUp(ctx context.Context) {
	f := m.fleet
	ticks := time.NewTicker(renewInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if !f.settleDebts(ctx) || f.teller {
			continue
		}
		era, seq, err := f.renew(ctx, m.name, m.session.era, f.clock())
		switch {
		case err != nil:
			f.failed(ctx, err)
		case era != m.session.era || seq == 0:
			return
		default:
			f.answered()
			f.measure(ctx)
		}
	}
}

// hear takes in one message, and reports whether none is missing before it.
func (m *membership) hear(channel, text string) bool {
	f := m.fleet
	words := strings.Fields(text)
	if channel == ackChannel {
		if len(words) == 3 {
			f.heardOf(words[0], words[1], number(words[2]))
		}
		return true
	}
	if len(words) < 4 || words[0] != m.session.era {
		return false
	}
	seq, member := number(words[1]), words[3]
	switch last := m.seq.Load(); {
	case seq <= last:
		return true // from before this process joined
	case seq != last+1:
		return false
	}
	switch words[2] {
	case "changed":
		if member != m.name { // which has seen to itself
			slots := make([]int, 0, len(words)-4)
			for _, word := range words[4:] {
				slots = append(slots, int(number(word))%(tagSlots+keySlots))
			}
			f.gens.bump(slots)
		}
		m.seq.Store(seq)
		m.tell()
	case "renewed":
		m.seq.Store(seq)
		if member == m.name && len(words) > 4 {
			f.lease.Store(number(words[4]) + int64(leaseLife))
		}
	}
	return true
}

func number(word string) int64 {
	n, _ := strconv.ParseInt(word, 10, 64) // our own scripts wrote it
	return n
}

// tell has the others told how far this process is.
func (m *membership) tell() {
	select {
	case m.acked <- struct{}{}:
	default:
	}
}

// acknowledge tells the others how far this process is; once for all that came
// while it was telling.
func (m *membership) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.acked:
			m.publish(ctx, m.seq.Load())
		}
	}
}

func (m *membership) publish(ctx context.Context, seq int64) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	// If it is lost, whoever waits for it waits until the lease is over.
	_ = m.fleet.redis.Publish(ctx, ackChannel, m.session.era+" "+m.name+" "+strconv.FormatInt(seq, 10)).Err()
}

// heardOf notes how far a member is.
func (f *fleet) heardOf(era, member string, seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.acks) >= maxAcks { // of members that are gone, most of them
		clear(f.acks)
	}
	if last := f.acks[member]; last.era != era || last.seq < seq {
		f.acks[member] = ack{era, seq}
	}
	close(f.news)
	f.news = make(chan struct{})
}

// maxAcks bounds what is remembered of members.
const maxAcks = 10_000
