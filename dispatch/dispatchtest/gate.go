package dispatchtest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

// turnstile is a gate that lets so many runs through, and no run but by a pass.
type turnstile struct {
	mu       sync.Mutex
	left     int // guarded by mu
	returned int // guarded by mu; passes for which there was no job
	runs     int // guarded by mu
	asked    int // guarded by mu
}

type pass struct {
	of   *turnstile
	once sync.Once
	used bool
}

type passKey struct{}

func (p *pass) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, passKey{}, p)
}

func (p *pass) Return() {
	p.once.Do(func() {
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		if !p.used {
			p.of.left++
		}
	})
}

func (g *turnstile) Admit(_ context.Context, n int) ([]dispatch.Pass, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	n = min(n, g.left)
	g.left -= n
	passes := make([]dispatch.Pass, n)
	for i := range passes {
		passes[i] = &pass{of: g}
	}
	return passes, time.Millisecond
}

func (g *turnstile) Return(passes []dispatch.Pass) {
	g.mu.Lock()
	g.returned += len(passes)
	g.mu.Unlock()
	for _, p := range passes {
		p.Return()
	}
}

// run goes on with a pass only.
func (g *turnstile) run(ctx context.Context, j *job.Job) error {
	if j.Kind != "slow" {
		return nil
	}
	p, ok := ctx.Value(passKey{}).(*pass)
	if !ok {
		return &job.Failure{Class: job.ClassThrottled, Code: job.CodeRateLimited, Message: "no room", Wait: job.WaitRateLimit, On: "slow", Unrun: true}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p.used = true
	g.runs++
	return nil
}

func (g *turnstile) let(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left += n
}

// Jobs that a gate does not let go on wait in the ledger, as if they had not been
// claimed, until it lets them start: as many as it says, the first ones first.
// Others go past them.
func gated(t *testing.T, f *fleet) {
	g := &turnstile{}
	bulkheads := byKind(8)
	bulkheads.Gates = map[string]dispatch.Gate{"slow": g}
	f.worker(dispatch.WorkerConfig{Concurrency: 20, ShutdownTimeout: time.Second, Bulkheads: bulkheads}, &handler{run: g.run})
	ids := f.submit(40, ofKind("slow"))
	f.awaitCount(job.Parked, 40)
	f.await(job.Completed, f.submit(10, nil)...)
	j := f.get(ids[0])
	if j.Parked != job.WaitRateLimit || j.ParkedOn != "slow" || j.Attempt != 0 || !j.StartedAt.IsZero() || j.Error != nil || time.Until(j.RunAt) < 10*time.Second {
		t.Errorf("job = %+v, want it parked for the rate limit as if it had never been claimed, with a net well ahead", j)
	}
	g.let(15)
	f.await(job.Completed, ids[:15]...)
	g.mu.Lock()
	runs := g.runs
	g.mu.Unlock()
	if runs != 15 {
		t.Errorf("%d jobs went through, want the 15 that were let", runs)
	}
	g.let(100)
	f.await(job.Completed, ids...)
	testkit.Eventually(t, patience, time.Millisecond, func() error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.left != 75 {
			return fmt.Errorf("%d passes are left, want the 75 that no job used", g.left)
		}
		return nil
	})
}
