package dispatch

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// RelayLedger tells the relay what to ring for.
type RelayLedger interface {
	QueueNames(ctx context.Context) ([]string, error)
	TakeUnrung(ctx context.Context, queue string) (*job.Doorbell, error)
	Overlooked(ctx context.Context, age time.Duration, limit int) ([]job.Doorbell, error)
	Touch(ctx context.Context, bells []job.Doorbell) error
	UnringLedger
}

// DefaultOverlookedAge is the OverlookedAge of a relay that does not set one.
const DefaultOverlookedAge = 15 * time.Second

// RelayConfig says how a relay works.
type RelayConfig struct {
	// OverlookedAge is how long ago a doorbell was rung, and its jobs not
	// claimed, when the relay looks whether Redis still has it; default
	// DefaultOverlookedAge. It looks three times as often.
	OverlookedAge time.Duration
}

// Relay rings for jobs that nobody rings for: those that became due, those
// accepted while Redis was away, and those whose doorbell was lost. Any number
// of relays may run; no job is rung for by two at once.
type Relay struct {
	age    time.Duration
	ledger RelayLedger
	broker *Broker
	client *asynq.Client
	bus    *Bus
	log    *slog.Logger
	lag    atomic.Int64 // nanoseconds

	away trouble
}

const (
	relayPoll      = 200 * time.Millisecond
	relayBackoff   = time.Second // after an error
	relayBells     = 50          // doorbells of one queue in one round
	maxOverlooked  = 50          // doorbells looked after at a time
	relayOperation = 5 * time.Second
)

// NewRelay returns a relay; without a broker it has nothing to do.
func NewRelay(cfg RelayConfig, ledger RelayLedger, broker *Broker, bus *Bus, log *slog.Logger) *Relay {
	r := &Relay{age: cmp.Or(cfg.OverlookedAge, DefaultOverlookedAge), ledger: ledger, broker: broker, bus: bus, log: log}
	if broker != nil {
		r.client = asynq.NewClientFromRedisClient(broker.client)
	}
	return r
}

// Lag is how long ago the relay had last rung for all that was due, as of its
// latest round. While Redis or the ledger is away it grows.
func (r *Relay) Lag() time.Duration { return time.Duration(r.lag.Load()) }

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	if r.broker == nil {
		<-ctx.Done()
		return nil
	}
	wake, forget := r.bus.listen(due)
	defer forget()
	var looked time.Time
	var queues []string
	behind := time.Now() // since when
	for pause := time.Duration(0); sleep(ctx, pause, wake); {
		more, err := false, error(nil)
		if time.Since(looked) >= r.age/3 {
			if queues, err = r.lookAfter(ctx); err == nil {
				looked = time.Now()
			}
		}
		if err == nil {
			more, err = r.round(ctx, queues)
		}
		r.lag.Store(int64(time.Since(behind)))
		switch {
		case err != nil:
			if ctx.Err() == nil && r.away.tell() {
				r.log.Warn("relay: round not finished, will try again", "error", err)
			}
			if !sleep(ctx, relayBackoff, nil) { // a wake-up must not make this a hot loop
				return nil
			}
			pause = 0
		case more:
			pause = 0
		default:
			if r.away.over() {
				r.log.Info("relay: has caught up")
			}
			behind, pause = time.Now(), relayPoll
		}
	}
	return nil
}

// round rings for what is due in every queue, in turns, so that none waits for
// another's backlog. It reports whether there may be more.
func (r *Relay) round(ctx context.Context, queues []string) (more bool, err error) {
	if err := r.broker.ping(ctx); err != nil {
		return false, err // nothing is taken that cannot be rung
	}
	var errs []error
	for range relayBells {
		var full []string
		rang := false
		for _, queue := range queues {
			jobs, err := r.ringFor(ctx, queue)
			rang = rang || jobs > 0
			switch {
			case err != nil:
				errs = append(errs, err)
			case jobs == job.MaxDoorbellJobs:
				full = append(full, queue)
			}
		}
		if rang {
			r.bus.rung()
		}
		if queues = full; len(queues) == 0 || len(errs) > 0 {
			break
		}
	}
	return len(queues) > 0, errors.Join(errs...)
}

// ringFor rings one doorbell for what is due in the queue, and returns for how
// many jobs.
func (r *Relay) ringFor(ctx context.Context, queue string) (int, error) {
	timed, cancel := context.WithTimeout(ctx, relayOperation)
	defer cancel()
	bell, err := r.ledger.TakeUnrung(timed, queue)
	if err != nil || bell == nil {
		return 0, err
	}
	return len(bell.Jobs), r.ring(*bell)
}

// ring rings, or takes the doorbell off its jobs again.
func (r *Relay) ring(bell job.Doorbell) error {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	err := enqueue(ctx, r.client, bell)
	if err == nil {
		return nil
	}
	undo, cancel := context.WithTimeout(context.Background(), relayOperation)
	defer cancel()
	return errors.Join(err, r.ledger.Unring(undo, []job.Doorbell{bell}))
}

// lookAfter finds jobs that were rung for long ago and not claimed. A doorbell
// that still waits its turn stays. Any other is lost or spent, and the next
// round rings a new one. It returns the queues that are known by now.
func (r *Relay) lookAfter(ctx context.Context) (queues []string, err error) {
	timed, cancel := context.WithTimeout(ctx, relayOperation)
	defer cancel()
	queues, err = r.ledger.QueueNames(timed)
	if err != nil {
		return nil, err
	}
	if err := r.broker.register(timed, queues); err != nil {
		return nil, err
	}
	for timed.Err() == nil {
		lost, err := r.lookOnce(timed)
		if err != nil || lost == 0 {
			return queues, err
		}
		r.log.Info("doorbells were lost; ringing again", "doorbells", lost)
	}
	return queues, nil
}

// lookOnce looks after the doorbells that were rung longest ago, and returns
// how many of them were lost.
func (r *Relay) lookOnce(ctx context.Context) (int, error) {
	bells, err := r.ledger.Overlooked(ctx, r.age, maxOverlooked)
	if err != nil || len(bells) == 0 {
		return 0, err
	}
	waiting, lost, err := r.broker.waiting(ctx, bells)
	if err != nil {
		return 0, err
	}
	return len(lost), errors.Join(r.ledger.Touch(ctx, waiting), r.ledger.Unring(ctx, lost))
}
