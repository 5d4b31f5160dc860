package fleet_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/fleet"
	"github.com/asyncops/asyncops/job"
)

// witness is what the metrics are told.
type witness struct {
	mu      sync.Mutex
	moves   []string
	limited int
}

func (w *witness) BreakerMoved(_, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moves = append(w.moves, to)
}

func (w *witness) RateLimited(string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limited++
}

func (w *witness) told() ([]string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.moves...), w.limited
}

func crm(breaker fleet.Breaker, limit fleet.RateLimit) fleet.Config {
	return fleet.Config{Name: "crm", Breaker: breaker, RateLimit: limit}
}

// newFleet is one process of an installation. Without conn it is alone.
func newFleet(t *testing.T, w *witness, conn redis.UniversalClient, processes int, configs ...fleet.Config) *fleet.Fleet {
	t.Helper()
	f, err := fleet.New(configs, fleet.Deps{
		Conn: conn, Observer: w, Log: slog.New(slog.DiscardHandler),
		LivingFunc: func(context.Context) (int, error) { return processes, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// send sends one request that ends so, or says why it was not let out.
func send(t *testing.T, u *fleet.Upstream, sign clients.Sign) *job.Failure {
	t.Helper()
	pass, err := u.Enter(t.Context())
	if err != nil {
		var f *job.Failure
		if !errors.As(err, &f) {
			t.Fatalf("Enter = %v, want a *job.Failure", err)
		}
		return f
	}
	pass.Done(sign)
	return nil
}

func wantRefused(t *testing.T, f *job.Failure, code job.Code, reason job.WaitReason, atMost time.Duration) {
	t.Helper()
	if f == nil || f.Class != job.ClassThrottled || f.Code != code || f.Wait != reason || f.RetryAfter <= 0 || f.RetryAfter > atMost {
		t.Errorf("Enter = %+v, want it refused with %s, for %s, for at most %s", f, code, reason, atMost)
	}
}

// Without Redis a process has a breaker of its own.
func TestBreakerAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &witness{}
		f := newFleet(t, w, nil, 1, crm(fleet.Breaker{Threshold: 3, Timeout: time.Minute, HalfOpenRequests: 2}, fleet.RateLimit{}))
		u := f.Upstream("crm")
		for _, sign := range []clients.Sign{clients.SignIll, clients.SignIll, clients.SignWell, clients.SignIll, clients.SignNone, clients.SignIll, clients.SignIll} {
			if f := send(t, u, sign); f != nil {
				t.Fatalf("refused before three failures in a row: %v", f)
			}
		}
		wantRefused(t, send(t, u, clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, time.Minute)
		if passes, again := u.Admit(t.Context(), 5); len(passes) != 0 || again != time.Minute {
			t.Errorf("Admit = %d passes, again after %s, want none for a minute", len(passes), again)
		}
		time.Sleep(time.Minute)
		// Two may look, and as soon as one fails it is open again.
		passes, _ := u.Admit(t.Context(), 5)
		if len(passes) != 2 {
			t.Fatalf("Admit = %d passes, want the two that find out", len(passes))
		}
		wantRefused(t, send(t, u, clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, time.Minute)
		pass, err := u.Enter(passes[0].With(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		pass.Done(clients.SignIll)
		passes[0].Return()
		passes[1].Return()
		wantRefused(t, send(t, u, clients.SignWell), job.CodeBreakerOpen, job.WaitBreaker, time.Minute)
		time.Sleep(time.Minute)
		for range 2 {
			if f := send(t, u, clients.SignWell); f != nil {
				t.Fatalf("refused though it may find out: %v", f)
			}
		}
		if s := u.Status(t.Context()); s.State != fleet.Closed || s.Shared {
			t.Errorf("Status = %+v, want it closed", s)
		}
		// It lets requests through little by little.
		sent := 0
		for range 100 {
			if send(t, u, clients.SignWell) == nil {
				sent++
			}
		}
		if sent == 0 || sent > 20 {
			t.Errorf("%d of 100 requests were let through at once after it had closed, want few", sent)
		}
		time.Sleep(fleet.RampLength)
		for range 100 {
			if f := send(t, u, clients.SignWell); f != nil {
				t.Fatalf("refused after the ramp: %v", f)
			}
		}
		moves, _ := w.told()
		if got := len(moves); got != 5 || moves[0] != "open" || moves[1] != "half_open" || moves[4] != "closed" {
			t.Errorf("moves = %v, want open, half_open, open, half_open, closed", moves)
		}
		for range 3 {
			send(t, u, clients.SignIll)
		}
		if err := f.Reset(t.Context(), "nope"); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("Reset(nope) = %v, want %v", err, job.ErrNotFound)
		}
		if err := f.Reset(t.Context(), "crm"); err != nil {
			t.Fatal(err)
		}
		if f := send(t, u, clients.SignWell); f != nil {
			t.Errorf("refused after the reset: %v", f)
		}
	})
}

// What tells nothing of the upstream neither opens the breaker again nor keeps
// it half-open: another may find out.
func TestBreakerAloneWaitsForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newFleet(t, &witness{}, nil, 1, crm(fleet.Breaker{Threshold: 1, Timeout: time.Minute, HalfOpenRequests: 2}, fleet.RateLimit{})).Upstream("crm")
		half := func(when string, want int) []*fleet.Pass {
			t.Helper()
			passes, _ := u.Admit(t.Context(), 5)
			if s := u.Status(t.Context()); len(passes) != want || s.State != fleet.HalfOpen {
				t.Fatalf("%s: Admit = %d passes, and it is %s; want %d, half-open", when, len(passes), s.State, want)
			}
			return passes
		}
		send(t, u, clients.SignIll)
		time.Sleep(time.Minute)
		early := half("after its time", 2)
		fleet.Return(early)
		fleet.Return(early)
		passes := half("after both were returned", 2)
		half("with both under way", 0)
		for _, p := range passes {
			time.Sleep(10 * time.Second) // the worker is slow
			pass, err := u.Enter(p.With(t.Context()))
			if err != nil {
				t.Fatalf("Enter of a late pass = %v, want it let out", err)
			}
			pass.Done(clients.SignNone)
			p.Return()
		}
		passes = half("after both told nothing", 2)
		send := func(p *fleet.Pass, s clients.Sign) {
			t.Helper()
			pass, err := u.Enter(p.With(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			pass.Done(s)
		}
		send(passes[0], clients.SignIll)
		passes[1].Return() // of no more use
		time.Sleep(time.Minute)
		passes = half("after it has opened again", 2)
		half("with both under way again", 0)
		for _, p := range passes {
			send(p, clients.SignWell)
		}
		if s := u.Status(t.Context()); s.State != fleet.Closed {
			t.Errorf("Status = %+v, want it closed", s)
		}
	})
}

// Nobody who looks waits for a Redis that is known not to answer.
func TestStatusDoesNotWait(t *testing.T) {
	t.Parallel()
	hole, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	u := newFleet(t, &witness{}, connect(t, hole.Addr().String()), 1, crm(fleet.Breaker{Threshold: 1, Timeout: time.Minute}, fleet.RateLimit{Requests: 3})).Upstream("crm")
	began := time.Now()
	s := u.Status(t.Context())
	if took := time.Since(began); s.Shared || took > 500*time.Millisecond {
		t.Errorf("Status = %+v after %s, want this process's own at once", s, took)
	}
}

// What waits for the limit waits in place if it is short, and elsewhere if not.
func TestLimitAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &witness{}
		u := newFleet(t, w, nil, 1, crm(fleet.Breaker{}, fleet.RateLimit{Requests: 10, Burst: 3})).Upstream("crm")
		began := time.Now()
		for range 5 { // three at once, and one each 100 ms
			if f := send(t, u, clients.SignWell); f != nil {
				t.Fatal(f)
			}
		}
		if took := time.Since(began); took != 200*time.Millisecond {
			t.Errorf("5 requests took %s, want 200ms", took)
		}
		passes, again := u.Admit(t.Context(), 10)
		if len(passes) != 4 || again <= 0 {
			t.Fatalf("Admit = %d passes, again after %s, want the 4 that may go out within 400ms", len(passes), again)
		}
		wantRefused(t, send(t, u, clients.SignWell), job.CodeRateLimited, job.WaitRateLimit, time.Second)
		began = time.Now()
		for _, p := range passes {
			if _, err := u.Enter(p.With(t.Context())); err != nil {
				t.Fatal(err)
			}
			p.Return()
		}
		if took := time.Since(began); took != 400*time.Millisecond {
			t.Errorf("4 requests that were admitted took %s, want 400ms", took)
		}
		// One that comes too late asks again.
		late, _ := u.Admit(t.Context(), 1)
		time.Sleep(10 * time.Second)
		if _, err := u.Enter(late[0].With(t.Context())); err != nil {
			t.Errorf("Enter of a late pass = %v, want it to have asked again", err)
		}
		if s := u.Status(t.Context()); s.Available != 2 || s.Limit.Requests != 10 || s.Breaker {
			t.Errorf("Status = %+v, want 2 of 10 available, and no breaker", s)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		for range 2 {
			send(t, u, clients.SignWell)
		}
		time.AfterFunc(50*time.Millisecond, func() { cancel(job.ErrCanceled) })
		if _, err := u.Enter(ctx); !errors.Is(err, job.ErrCanceled) {
			t.Errorf("Enter = %v, want the cause of its context", err)
		}
		if _, limited := w.told(); limited != 1 {
			t.Errorf("RateLimited was told %d times, want once", limited)
		}
		// Who has no time to wait is refused, and does not run out of time here.
		brief, stop := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, job.ErrTimeout)
		defer stop()
		for _, ctx := range []context.Context{brief, func() context.Context {
			passes, _ := u.Admit(t.Context(), 3)
			return passes[len(passes)-1].With(brief)
		}()} {
			var f *job.Failure
			if _, err := u.Enter(ctx); !errors.As(err, &f) || f.Code != job.CodeRateLimited {
				t.Errorf("Enter with 50ms left = %v, want it refused", err)
			}
		}
	})
}

// An upstream that wants to be left alone is left alone by every call.
func TestPauseAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, &witness{}, nil, 1, crm(fleet.Breaker{Threshold: 5, Timeout: time.Minute}, fleet.RateLimit{}))
		u := f.Upstream("crm")
		if got := u.Pause(0); got != fleet.FirstPause {
			t.Errorf("Pause = %s, want %s", got, fleet.FirstPause)
		}
		if got := u.Pause(24 * time.Hour); got != clients.MaxRetryAfter {
			t.Errorf("Pause(a day) = %s, want %s", got, clients.MaxRetryAfter)
		}
		if got := u.Pause(time.Second); got != clients.MaxRetryAfter {
			t.Errorf("Pause = %s, want what is left of the longer one", got)
		}
		wantRefused(t, send(t, u, clients.SignWell), job.CodeRateLimited, job.WaitRateLimit, clients.MaxRetryAfter)
		if err := f.Reset(t.Context(), "crm"); err != nil {
			t.Fatal(err)
		}
		if f := send(t, u, clients.SignWell); f != nil {
			t.Errorf("refused after the reset: %v", f)
		}
		u.Pause(fleet.EnterWait / 2)
		began := time.Now()
		if f := send(t, u, clients.SignWell); f != nil || time.Since(began) != fleet.EnterWait/2 {
			t.Errorf("a call at a short pause: %v after %s, want it to wait in place", f, time.Since(began))
		}
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]fleet.Config{
		"no name":               {},
		"negative limit":        {Name: "crm", RateLimit: fleet.RateLimit{Requests: -1}},
		"a breaker for no time": {Name: "crm", Breaker: fleet.Breaker{Threshold: 1}},
	} {
		if _, err := fleet.New([]fleet.Config{cfg}, fleet.Deps{Observer: &witness{}, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s: New = nil, want what is wrong", name)
		}
	}
}

// What a process takes from its share for jobs that are not there it gives back,
// once.
func TestShareIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newFleet(t, &witness{}, nil, 1, crm(fleet.Breaker{}, fleet.RateLimit{Requests: 1, Per: time.Hour, Burst: 4})).Upstream("crm")
		admit := func(n, want int) []*fleet.Pass {
			t.Helper()
			passes, _ := u.Admit(t.Context(), n)
			if len(passes) != want {
				t.Fatalf("Admit(%d) = %d passes, want %d", n, len(passes), want)
			}
			return passes
		}
		passes := admit(9, 4)
		admit(9, 0)
		fleet.Return(passes[1:])
		fleet.Return(passes[1:])
		admit(9, 3)
	})
}
