package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// UnringLedger takes doorbells off jobs, so that the relay rings for them.
type UnringLedger interface {
	Unring(ctx context.Context, bells []job.Doorbell) error
}

// Bell rings for newly accepted jobs, after their commit and outside of the
// request. It is the ledger's Bell. It is safe for concurrent use.
type Bell struct {
	client *asynq.Client // nil: nobody rings, workers here are woken
	bus    *Bus
	log    *slog.Logger
	queue  chan ringing // the ledger's writers and shares send, Run receives
	opened time.Time
	quiet  atomic.Int64 // until when, in nanoseconds since opened, nothing is rung: Redis was away

	mu     sync.Mutex
	ledger UnringLedger // guarded by mu; set by Attach

	shares shares

	away, full trouble
}

// ringing is what there is to do for jobs that were committed.
type ringing struct {
	bells []job.Doorbell
	late  bool // the doorbells were rung without these jobs: the relay rings for them
}

const (
	bellQueue     = 4096
	bellRingers   = 4
	quietTime     = time.Second
	unringTimeout = 5 * time.Second
)

// errQuiet says that Redis was away a moment ago.
var errQuiet = errors.New("dispatch: redis did not take the latest doorbell")

// NewBell returns a bell. Without a broker it only wakes this process's
// workers.
func NewBell(broker *Broker, bus *Bus, log *slog.Logger) *Bell {
	b := &Bell{bus: bus, log: log, queue: make(chan ringing, bellQueue), opened: time.Now()}
	if broker != nil {
		b.client = asynq.NewClientFromRedisClient(broker.client)
	}
	b.shares.ring = func(bell job.Doorbell) { b.send(ringing{bells: []job.Doorbell{bell}}) }
	return b
}

// Attach says which ledger to tell of doorbells that could not be rung.
func (b *Bell) Attach(l UnringLedger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ledger = l
}

// Ready reports whether Redis took the latest doorbell, or may take the next.
func (b *Bell) Ready() bool {
	return b.client != nil && time.Since(b.opened) >= time.Duration(b.quiet.Load())
}

// Share names the doorbell of a lone job that is about to be committed. Lone
// jobs which follow each other closely share one: to ring costs a good part of
// what it costs to accept a job.
func (b *Bell) Share(queue string) (id string) { return b.shares.name(queue) }

// Ring rings soon. It never waits: what finds no room is found by the relay.
func (b *Bell) Ring(bells []job.Doorbell) {
	if b.client == nil {
		for _, bell := range bells {
			if len(bell.Jobs) > 0 {
				b.bus.accepted(bell.Queue)
			}
		}
		return
	}
	named := bells[:0:0]
	for _, bell := range bells {
		if bell.ID == "" {
			continue
		}
		switch shared, late := b.shares.add(bell); {
		case len(bell.Jobs) == 0: // it was only named
		case late:
			b.send(ringing{bells: []job.Doorbell{bell}, late: true})
		case !shared:
			named = append(named, bell)
		}
	}
	if len(named) > 0 {
		b.send(ringing{bells: named})
	}
}

func (b *Bell) send(r ringing) {
	select {
	case b.queue <- r:
	default:
		if b.full.tell() {
			b.log.Warn("too many doorbells to ring; the relay will find the jobs", "doorbells", len(r.bells))
		}
	}
}

// Run rings until ctx ends, and then what is still queued.
func (b *Bell) Run(ctx context.Context) error {
	var ringers sync.WaitGroup
	for range bellRingers {
		ringers.Go(func() {
			for {
				select {
				case r := <-b.queue:
					b.ring(r)
				case <-ctx.Done():
					b.shares.close()
					select {
					case r := <-b.queue:
						b.ring(r)
					default:
						return
					}
				}
			}
		})
	}
	ringers.Wait()
	return nil
}

func (b *Bell) ring(r ringing) {
	if r.late {
		b.unring(r.bells)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	for i, bell := range r.bells {
		if err := b.enqueue(ctx, bell); err != nil {
			if b.away.tell() {
				b.log.Warn("doorbells not rung; the relay will ring when Redis is back", "error", err)
			}
			b.unring(r.bells[i:])
			break
		}
	}
	b.bus.rung()
}

// enqueue keeps quiet for a while after Redis did not answer.
func (b *Bell) enqueue(ctx context.Context, bell job.Doorbell) error {
	if !b.Ready() {
		return errQuiet
	}
	err := enqueue(ctx, b.client, bell)
	if err != nil {
		b.quiet.Store(int64(time.Since(b.opened) + quietTime))
		return err
	}
	if b.away.over() {
		b.log.Info("doorbells are rung again")
	}
	return nil
}

func (b *Bell) unring(bells []job.Doorbell) {
	b.mu.Lock()
	ledger := b.ledger
	b.mu.Unlock()
	if ledger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), unringTimeout)
	defer cancel()
	if err := ledger.Unring(ctx, bells); err != nil && b.away.tell() {
		b.log.Warn("doorbells not taken off; the relay will find the jobs", "doorbells", len(bells), "error", err)
	}
}
