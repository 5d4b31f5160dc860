package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	progressInterval = time.Second // between two writes
	progressTimeout  = 2 * time.Second
)

// ProgressLedger shows how far runs have come.
type ProgressLedger interface {
	// ReportProgress keeps the reports of runs that have not been superseded.
	ReportProgress(ctx context.Context, reports []job.ProgressReport) error
}

// progress writes what runs report, the last report of each, at most once an
// interval. A report that cannot be written is dropped: the next one says more.
type progress struct {
	ledger ProgressLedger
	log    *slog.Logger
	nudged chan struct{} // one slot

	mu     sync.Mutex
	latest map[runID]job.Progress // guarded by mu: not written yet
}

func newProgress(ledger ProgressLedger, log *slog.Logger) *progress {
	return &progress{ledger: ledger, log: log, nudged: make(chan struct{}, 1), latest: map[runID]job.Progress{}}
}

func (p *progress) report(run runID, now job.Progress) {
	p.mu.Lock()
	p.latest[run] = now
	p.mu.Unlock()
	select {
	case p.nudged <- struct{}{}:
	default:
	}
}

// run writes reports until ctx ends.
func (p *progress) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.nudged:
		}
		p.mu.Lock()
		latest := p.latest
		p.latest = map[runID]job.Progress{}
		p.mu.Unlock()
		p.write(ctx, latest)
		if !sleep(ctx, progressInterval, nil) {
			return
		}
	}
}

// settle writes the last report of a run that is about to end, if there is one
// that was not written.
func (p *progress) settle(ctx context.Context, run runID) {
	p.mu.Lock()
	last, ok := p.latest[run]
	delete(p.latest, run)
	p.mu.Unlock()
	if ok {
		p.write(context.WithoutCancel(ctx), map[runID]job.Progress{run: last})
	}
}

func (p *progress) write(ctx context.Context, latest map[runID]job.Progress) {
	if len(latest) == 0 {
		return
	}
	reports := make([]job.ProgressReport, 0, len(latest))
	for run, now := range latest {
		reports = append(reports, job.ProgressReport{Job: run.job, Epoch: run.epoch, Progress: now})
	}
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	if err := p.ledger.ReportProgress(ctx, reports); err != nil {
		p.log.Debug("progress not written", "jobs", len(reports), "error", err)
	}
}
