package observe

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// TallyLedger keeps what was counted.
type TallyLedger interface {
	// WriteTallies keeps what the source has counted so far, in place of what it
	// said before of the same spans.
	WriteTallies(ctx context.Context, source string, tallies []job.Tally) error
}

const (
	tallySpan     = time.Minute
	tallyInterval = 10 * time.Second // between two writes
	tallyTimeout  = 5 * time.Second
	clockSlack    = 2 * time.Minute // that the clock may be put back without that a minute is begun anew
	maxTallies    = 5000            // that are kept while the ledger is away; more are not counted
)

// Tallies counts what happens to jobs, by minute, queue and kind, and writes it
// to the ledger now and then: who counts waits for nothing. What was not
// written when a process dies is not counted. It is safe for concurrent use.
type Tallies struct {
	ledger TallyLedger
	log    *slog.Logger
	source string // of this life
	now    func() time.Time

	mu      sync.Mutex
	counted map[tallyName]*tallied // guarded by mu
}

type tallyName struct {
	minute      int64
	queue, kind string
}

// tallied is a tally and whether all of it is written.
type tallied struct {
	job.Tally

	dirty bool
}

// NewTallies returns tallies that Run writes.
func NewTallies(ledger TallyLedger, log *slog.Logger) *Tallies {
	return &Tallies{ledger: ledger, log: log, source: rand.Text()[:12], now: time.Now, counted: map[tallyName]*tallied{}}
}

// count changes the tally of the present minute. It is nothing on nil.
func (t *Tallies) count(queue, kind string, change func(*job.Tally)) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	minute := t.now().Truncate(tallySpan)
	name := tallyName{minute.Unix(), queue, kind}
	found := t.counted[name]
	if found == nil {
		if len(t.counted) >= maxTallies {
			return
		}
		found = &tallied{Tally: job.Tally{At: minute.UTC(), Step: tallySpan, Queue: queue, Kind: kind}}
		t.counted[name] = found
	}
	change(&found.Tally)
	found.dirty = true
}

// Run writes until ctx ends, and then once more.
func (t *Tallies) Run(ctx context.Context) error {
	tick := time.NewTicker(tallyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			t.write(context.WithoutCancel(ctx))
			return nil
		case <-tick.C:
			t.write(ctx)
		}
	}
}

// write writes what is new, and forgets the minutes that are over and written.
func (t *Tallies) write(ctx context.Context) {
	fresh := t.fresh()
	if len(fresh) > 0 {
		ctx, cancel := context.WithTimeout(ctx, tallyTimeout)
		defer cancel()
		if err := t.ledger.WriteTallies(ctx, t.source, fresh); err != nil {
			t.log.Debug("tallies not written, will try again", "tallies", len(fresh), "error", err)
			t.restore(fresh)
			return
		}
	}
	over := t.now().Add(-clockSlack).Truncate(tallySpan).Unix()
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, found := range t.counted {
		if !found.dirty && name.minute < over {
			delete(t.counted, name)
		}
	}
}

// fresh copies what is to be written, and takes it for written.
func (t *Tallies) fresh() []job.Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh []job.Tally
	for _, found := range t.counted {
		if found.dirty {
			found.dirty = false
			c := found.Tally
			c.Wait, c.Run = found.Wait.Clone(), found.Run.Clone()
			fresh = append(fresh, c)
		}
	}
	return fresh
}

// restore takes it back that tallies were written.
func (t *Tallies) restore(fresh []job.Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range fresh {
		if found := t.counted[tallyName{fresh[i].At.Unix(), fresh[i].Queue, fresh[i].Kind}]; found != nil {
			found.dirty = true
		}
	}
}
