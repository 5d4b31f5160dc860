package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

// processes is an installation of so many processes on one Redis.
func processes(t *testing.T, addr string, n int, configs ...fleet.Config) ([]*fleet.Fleet, *witness) {
	t.Helper()
	w := &witness{}
	fleets := make([]*fleet.Fleet, n)
	for i := range fleets {
		f := newFleet(t, w, connect(t, addr), n, configs...)
		fleets[i] = f
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = f.Run(ctx) })
		t.Cleanup(func() { stop(); running.Wait() })
	}
	for _, f := range fleets {
		awaitShared(t, f, true)
	}
	return fleets, w
}

func awaitShared(t *testing.T, f *fleet.Fleet, want bool) {
	t.Helper()
	testkit.Eventually(t, time.Minute, 5*time.Millisecond, func() error {
		if s := f.Upstream("crm").Status(t.Context()); s.Shared != want {
			return fmt.Errorf("Status = %+v, want shared %v", s, want)
		}
		return nil
	})
}

func awaitState(t *testing.T, f *fleet.Fleet, want fleet.State) time.Duration {
	t.Helper()
	began := time.Now()
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if s, n := f.Upstream("crm").Standing(); s != want {
			return fmt.Errorf("the breaker is %s after %d failures, want %s", s, n, want)
		}
		return nil
	})
	return time.Since(began)
}

// Failures count wherever they happen, and all processes know at once.
func TestBreakerShared(t *testing.T) {
	t.Parallel()
	cfg := crm(fleet.Breaker{Threshold: 3, Timeout: 300 * time.Millisecond, HalfOpenRequests: 1}, fleet.RateLimit{})
	fleets, w := processes(t, testkit.Redis(t).Addr(), 3, cfg)
	var sends []clients.Pass
	for _, f := range fleets {
		pass, err := f.Upstream("crm").Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sends = append(sends, pass)
	}
	for _, pass := range sends {
		pass.Done(clients.SignIll)
	}
	for i, f := range fleets {
		t.Logf("process %d knows %s later", i, awaitState(t, f, fleet.Open))
	}
	wantRefused(t, send(t, fleets[0].Upstream("crm"), clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, 300*time.Millisecond)

	// One of all may look. While it has not come back, nobody else may.
	var probe *fleet.Pass
	testkit.Eventually(t, time.Minute, 5*time.Millisecond, func() error {
		for _, f := range fleets {
			passes, _ := f.Upstream("crm").Admit(t.Context(), 10)
			switch {
			case len(passes) > 1 || len(passes) == 1 && probe != nil:
				t.Fatalf("%d more were let out to look, want one in all", len(passes))
			case len(passes) == 1:
				probe = passes[0]
			}
		}
		if probe == nil {
			return errors.New("nobody was let out to look, want one")
		}
		return nil
	})
	for _, f := range fleets {
		wantRefused(t, send(t, f.Upstream("crm"), clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, time.Hour)
	}
	var u *fleet.Upstream
	for _, f := range fleets { // the pass is of one of them
		pass, err := f.Upstream("crm").Enter(probe.With(t.Context()))
		if err == nil {
			u = f.Upstream("crm")
			pass.Done(clients.SignWell)
		}
	}
	if u == nil {
		t.Fatal("the one that was let out to look could not send")
	}
	for _, f := range fleets {
		awaitState(t, f, fleet.Closed)
	}
	moves, _ := w.told()
	if len(moves) != 3 || moves[0] != "open" || moves[1] != "half_open" || moves[2] != "closed" {
		t.Errorf("moves = %v, want each once in the whole fleet", moves)
	}
}

// A process that dies with a half-open slot does not keep it from the others.
func TestSlotOfTheDead(t *testing.T) {
	t.Parallel()
	cfg := crm(fleet.Breaker{Threshold: 1, Timeout: time.Millisecond, HalfOpenRequests: 1}, fleet.RateLimit{})
	fleets, _ := processes(t, testkit.Redis(t).Addr(), 2, cfg)
	if f := send(t, fleets[0].Upstream("crm"), clients.SignIll); f != nil {
		t.Fatal(f)
	}
	awaitState(t, fleets[1], fleet.Open)
	brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if _, err := fleets[0].Upstream("crm").Enter(brief); err != nil && brief.Err() == nil {
			return err
		}
		return nil
	})
	// Its call would have ended by now; it never tells.
	testkit.Eventually(t, time.Minute, 20*time.Millisecond, func() error {
		if f := send(t, fleets[1].Upstream("crm"), clients.SignWell); f != nil {
			return f
		}
		return nil
	})
	awaitState(t, fleets[0], fleet.Closed)
}

// A pass that its job did not use gives its slot back.
func TestSlotGivenBack(t *testing.T) {
	t.Parallel()
	cfg := crm(fleet.Breaker{Threshold: 1, Timeout: time.Millisecond, HalfOpenRequests: 1}, fleet.RateLimit{Requests: 1000})
	fleets, _ := processes(t, testkit.Redis(t).Addr(), 1, cfg)
	u := fleets[0].Upstream("crm")
	send(t, u, clients.SignIll)
	awaitState(t, fleets[0], fleet.Open)
	for range 3 {
		var passes []*fleet.Pass
		testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
			if passes, _ = u.Admit(t.Context(), 4); len(passes) != 1 {
				return fmt.Errorf("Admit = %d passes, want the one slot", len(passes))
			}
			return nil
		})
		fleet.Return(passes)
	}
}

// An operator's reset and an upstream's wish reach all processes.
func TestResetAndPauseShared(t *testing.T) {
	t.Parallel()
	cfg := crm(fleet.Breaker{Threshold: 1, Timeout: time.Hour}, fleet.RateLimit{Requests: 100, Burst: 10})
	fleets, _ := processes(t, testkit.Redis(t).Addr(), 2, cfg)
	a, b := fleets[0].Upstream("crm"), fleets[1].Upstream("crm")
	send(t, a, clients.SignIll)
	awaitState(t, fleets[1], fleet.Open)
	if err := fleets[1].Reset(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	awaitState(t, fleets[0], fleet.Closed)
	a.Pause(30 * time.Minute)
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if s := b.Status(t.Context()); s.PausedFor < 20*time.Minute || s.Available == 0 {
			return fmt.Errorf("Status = %+v, want it paused for half an hour", s)
		}
		return nil
	})
	wantRefused(t, send(t, b, clients.SignWell), job.CodeRateLimited, job.WaitRateLimit, 30*time.Minute)
	if err := fleets[0].Reset(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if f := send(t, b, clients.SignWell); f != nil {
			return f
		}
		return nil
	})
}

// While Redis is away each process has a breaker and a share of the limit of its
// own, and nothing fails for it; what was open stays open.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	proxy := testkit.Proxy(t, testkit.Redis(t).Addr())
	cfg := crm(fleet.Breaker{Threshold: 2, Timeout: time.Hour}, fleet.RateLimit{Requests: 1, Per: time.Hour, Burst: 10})
	fleets, _ := processes(t, proxy.Addr(), 2, cfg)
	a, b := fleets[0].Upstream("crm"), fleets[1].Upstream("crm")
	if f := send(t, a, clients.SignWell); f != nil {
		t.Fatal(f)
	}
	proxy.Down()
	for _, f := range fleets {
		awaitShared(t, f, false)
	}
	// The share does not begin with a burst: the fleet has just had its own.
	wantRefused(t, send(t, a, clients.SignWell), job.CodeRateLimited, job.WaitRateLimit, 3*time.Hour)
	if err := fleets[0].Reset(t.Context(), "crm"); !errors.Is(err, job.ErrUnavailable) {
		t.Errorf("Reset = %v, want %v: the others cannot be reached", err, job.ErrUnavailable)
	}
	proxy.Up()
	for _, f := range fleets {
		awaitShared(t, f, true)
	}
	for range 2 {
		if f := send(t, b, clients.SignIll); f != nil {
			t.Fatal(f)
		}
	}
	awaitState(t, fleets[0], fleet.Open)
	proxy.Down()
	for _, f := range fleets {
		awaitShared(t, f, false)
		wantRefused(t, send(t, f.Upstream("crm"), clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, time.Hour)
	}
}

// Redis that has lost everything says nothing against what is known, and is
// believed.
func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	fleets, _ := processes(t, server.Addr(), 2, crm(fleet.Breaker{Threshold: 1, Timeout: time.Hour}, fleet.RateLimit{}))
	send(t, fleets[0].Upstream("crm"), clients.SignIll)
	awaitState(t, fleets[1], fleet.Open)
	if _, err := server.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	for _, f := range fleets {
		awaitState(t, f, fleet.Closed)
	}
	send(t, fleets[1].Upstream("crm"), clients.SignIll)
	awaitState(t, fleets[0], fleet.Open)
}

// Messages that say nothing, or too late, change nothing.
func TestMessages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, &witness{}, connect(t, testkit.Redis(t).Addr()), 1, crm(fleet.Breaker{Threshold: 1, Timeout: time.Hour}, fleet.RateLimit{}))
	for _, text := range []string{"", "crm", "crm 1 2 0 0", "crm a b c d e", "nope 1 2 0 0 0", "crm 1 2 0 0 0 0"} {
		f.Hear(text)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	awaitShared(t, f, true)
	f.Hear("crm 1 2 0 60000 0") // of a version before
	if s, _ := f.Upstream("crm").Standing(); s != fleet.Closed {
		t.Errorf("the breaker is %s after an old message, want it closed", s)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}
