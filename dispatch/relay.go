package dispatch

import (
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

// Relay rings for jobs that nobody rings for: those that became due, those
// accepted while Redis was away, and those whose doorbell was lost. Any number
// of relays may run; no job is rung for by two at once.
type Relay struct {
	ledger RelayLedger
	broker *Broker
	client *asynq.Client
	bus    *Bus
	log    *slog.Logger
	lag    atomic.Int64 // nanoseconds
}

const (
	relayPoll      = 200 * time.Millisecond
	relayBackoff   = time.Second // after an error
	relayBells     = 50          // doorbells of one queue in one round
	lookInterval   = 5 * time.Second
	overlookedAge  = 15 * time.Second
	maxOverlooked  = 200 // doorbells looked after at a time
	relayOperation = 5 * time.Second
)

// errQuiet says that Redis was away a moment ago.
var errQuiet = errors.New("dispatch: redis did not take the latest doorbell")

// NewRelay returns a relay; without a broker it has nothing to do.
func NewRelay(ledger RelayLedger, broker *Broker, bus *Bus, log *slog.Logger) *Relay {
	r := &Relay{ledger: ledger, broker: broker, bus: bus, log: log}
	if broker != nil {
		r.client = asynq.NewClientFromRedisClient(broker.client)
	}
	return r
}

// Lag is how long the latest round took, from looking for due jobs to the last
// doorbell rung.
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
	pause := time.Duration(0)
	for sleep(ctx, pause, wake) {
		began := time.Now()
		more, err := r.round(ctx)
		if err == nil && time.Since(looked) >= lookInterval {
			looked = time.Now()
			err = r.lookAfter(ctx)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Warn("relay: round not finished, will try again", "error", err)
			// A wake-up must not make this a hot loop.
			if !sleep(ctx, relayBackoff, nil) {
				return nil
			}
			pause = 0
		case more:
			pause = 0
		default:
			r.lag.Store(int64(time.Since(began)))
			pause = relayPoll
		}
	}
	return nil
}

// round rings for what is due in every queue, and reports whether there may be
// more.
func (r *Relay) round(ctx context.Context) (more bool, err error) {
	timed, cancel := context.WithTimeout(ctx, relayOperation)
	defer cancel()
	if err := r.broker.client.Ping(timed).Err(); err != nil {
		return false, err // nothing is taken that cannot be rung
	}
	queues, err := r.ledger.QueueNames(timed)
	if err != nil {
		return false, err
	}
	rang := false
	for _, queue := range queues {
		for n := range relayBells {
			bell, err := r.ledger.TakeUnrung(timed, queue)
			if err != nil {
				return false, err
			}
			if bell == nil {
				break
			}
			if err := r.ring(*bell); err != nil {
				return false, err
			}
			rang = true
			if len(bell.Jobs) < job.MaxDoorbellJobs {
				break
			}
			more = more || n == relayBells-1
		}
	}
	if rang {
		r.bus.rung()
	}
	return more, nil
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
// that still waits its turn stays. Any other is lost or spent: the relay rings
// a new one.
func (r *Relay) lookAfter(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, relayOperation)
	defer cancel()
	queues, err := r.ledger.QueueNames(timed)
	if err != nil {
		return err
	}
	if err := r.register(timed, queues); err != nil {
		return err
	}
	bells, err := r.ledger.Overlooked(timed, overlookedAge, maxOverlooked)
	if err != nil || len(bells) == 0 {
		return err
	}
	inspector := asynq.NewInspectorFromRedisClient(r.broker.client)
	var waiting, lost []job.Doorbell
	for _, bell := range bells {
		info, err := inspector.GetTaskInfo(bell.Queue, bell.ID)
		switch {
		case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
			lost = append(lost, bell)
		case err != nil:
			return err
		case info.State == asynq.TaskStatePending:
			waiting = append(waiting, bell)
		default:
			lost = append(lost, bell)
		}
	}
	if len(lost) > 0 {
		r.log.Info("doorbells were lost; ringing again", "doorbells", len(lost))
	}
	return errors.Join(r.ledger.Touch(timed, waiting), r.ledger.Unring(timed, lost))
}

// register makes the queues known to asynq's own tools again: a producer does
// it only once in its life, and Redis may have lost it since.
func (r *Relay) register(ctx context.Context, queues []string) error {
	if len(queues) == 0 {
		return nil
	}
	members := make([]any, len(queues))
	for i, queue := range queues {
		members[i] = queue
	}
	return r.broker.client.SAdd(ctx, queuesKey, members...).Err()
}
