package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/asyncops/asyncops/lifecycle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

// journal records what happened, in order. It is safe for concurrent use.
type journal struct {
	mu     sync.Mutex
	events []string // guarded by mu
}

func (j *journal) add(event string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, event)
}

func (j *journal) check(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.events, want) {
		t.Errorf("events = %q, want %q", j.events, want)
	}
}

// part is one that records its start and, with the cause, its stop.
func (j *journal) part(name string) lifecycle.Part {
	return lifecycle.Part{
		Name:  name,
		Start: func(context.Context) error { j.add("start " + name); return nil },
		Run: func(ctx context.Context) error {
			<-ctx.Done()
			j.add("stop " + name + ": " + context.Cause(ctx).Error())
			return ctx.Err()
		},
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOrderlyStop(t *testing.T) {
	t.Parallel()
	var j journal
	ctx, cancel := context.WithCancel(t.Context())
	last := j.part("http")
	last.Start = func(context.Context) error { j.add("start http"); cancel(); return nil }
	if err := lifecycle.Run(ctx, quiet(), j.part("sql"), j.part("redis"), last); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	j.check(t, "start sql", "start redis", "start http",
		"stop http: the process is stopping", "stop redis: the process is stopping", "stop sql: the process is stopping")
}

func TestFailureStopsTheOthers(t *testing.T) {
	t.Parallel()
	ready := make(chan struct{})
	fails := func(do func() error) lifecycle.Part {
		return lifecycle.Part{Name: "relay", Run: func(context.Context) error { <-ready; return do() }}
	}
	tests := []struct {
		name string
		part lifecycle.Part
		want string // text of the cause
	}{
		{"error", fails(func() error { return errBroken }), "lifecycle: run relay: broken"},
		{"canceled by its own doing", fails(func() error { return context.Canceled }), "lifecycle: run relay: context canceled"},
		{"panic", fails(func() error { panic("nil map") }), "lifecycle: run relay: panic: nil map"},
		{"goexit", fails(func() error { runtime.Goexit(); return nil }), "lifecycle: run relay: ended its goroutine with runtime.Goexit"},
		{"start", lifecycle.Part{
			Name:  "relay",
			Start: func(context.Context) error { return errBroken },
			Run:   func(context.Context) error { t.Error("Run was called after Start failed"); return nil },
		}, "lifecycle: start relay: broken"},
		{"start panics", lifecycle.Part{
			Name:  "relay",
			Start: func(context.Context) error { panic(errBroken) },
			Run:   func(context.Context) error { return nil },
		}, "lifecycle: start relay: panic: broken"},
	}
	close(ready)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var j journal
			err := lifecycle.Run(t.Context(), quiet(), j.part("sql"), test.part)
			if err == nil || err.Error() != test.want {
				t.Errorf("Run() = %v, want %s", err, test.want)
			}
			j.check(t, "start sql", "stop sql: "+test.want)
		})
	}
}

func TestPanicIsLoggedOnceWithItsStack(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	err := lifecycle.Run(t.Context(), log, lifecycle.Part{Name: "relay", Run: func(context.Context) error { panic("a value") }})
	if err == nil || !strings.Contains(err.Error(), "a value") {
		t.Errorf("Run() = %v, want an error with the panic's value", err)
	}
	if got := text.String(); strings.Count(got, "panicked") != 1 || !strings.Contains(got, "lifecycle_test.go") {
		t.Errorf("log = %s, want one line with the stack", got)
	}
}

func TestRunEndsWithItsParts(t *testing.T) {
	t.Parallel()
	done := func(context.Context) error { return nil }
	if err := lifecycle.Run(t.Context(), quiet(), lifecycle.Part{Name: "a", Run: done}, lifecycle.Part{Name: "b", Run: done}); err != nil {
		t.Errorf("Run() of parts that finish = %v, want nil", err)
	}
	if err := lifecycle.Run(t.Context(), quiet()); err != nil {
		t.Errorf("Run() of no parts = %v, want nil", err)
	}
}

func TestAPartThatFinishesStopsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var j journal
		once := lifecycle.Part{Name: "once", Run: func(context.Context) error { return nil }}
		begin := time.Now()
		if err := lifecycle.Run(ctx, quiet(), j.part("sql"), once); err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		if got := time.Since(begin); got != time.Hour {
			t.Errorf("Run() returned after %s, want 1h", got)
		}
	})
}

func TestGrace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		grace time.Duration
		want  time.Duration
	}{
		{"given", 3 * time.Second, 3 * time.Second},
		{"default", 0, lifecycle.DefaultGrace},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var j journal
				release := make(chan struct{})
				defer close(release)
				stuck := lifecycle.Part{Name: "stuck", Grace: test.grace, Run: func(context.Context) error { <-release; return nil }}
				begin := time.Now()
				err := lifecycle.Run(t.Context(), quiet(), j.part("sql"), stuck, failing())
				if got := time.Since(begin); got != test.want {
					t.Errorf("the stop took %s, want %s", got, test.want)
				}
				if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "stop stuck: still running after its grace of "+test.want.String()) {
					t.Errorf("Run() = %v, want the cause and the part that overran its grace", err)
				}
				j.check(t, "start sql", "stop sql: lifecycle: run failing: broken")
			})
		})
	}
}

func failing() lifecycle.Part {
	return lifecycle.Part{Name: "failing", Run: func(context.Context) error { return errBroken }}
}

func TestErrorsOfTheStop(t *testing.T) {
	t.Parallel()
	returns := func(do func(ctx context.Context) error) lifecycle.Part {
		return lifecycle.Part{Name: "part", Run: func(ctx context.Context) error { <-ctx.Done(); return do(ctx) }}
	}
	tests := []struct {
		name string
		part lifecycle.Part
		want error
	}{
		{"nothing", returns(func(context.Context) error { return nil }), nil},
		{"context's error", returns(context.Context.Err), nil},
		{"context's cause", returns(context.Cause), nil},
		{"its own", returns(func(context.Context) error { return io.ErrUnexpectedEOF }), io.ErrUnexpectedEOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			trigger := lifecycle.Part{Name: "trigger", Run: func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil }}
			if err := lifecycle.Run(ctx, quiet(), test.part, trigger); !errors.Is(err, test.want) {
				t.Errorf("Run() = %v, want %v", err, test.want)
			}
		})
	}
}

// A Start that waits must hear of the stop, whoever asked for it.
func TestStopInterruptsStart(t *testing.T) {
	t.Parallel()
	waits := lifecycle.Part{
		Name:  "waits",
		Start: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		Run:   func(context.Context) error { return nil },
	}
	if err := lifecycle.Run(t.Context(), quiet(), failing(), waits); !errors.Is(err, errBroken) {
		t.Errorf("Run() = %v, want %v", err, errBroken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun := lifecycle.Part{Name: "begun", Run: func(ctx context.Context) error { cancel(); <-ctx.Done(); return nil }}
	if err := lifecycle.Run(ctx, quiet(), begun, waits); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
}

func TestPartsAreChecked(t *testing.T) {
	t.Parallel()
	run := func(context.Context) error { t.Error("a part was started"); return nil }
	tests := []struct {
		name string
		part lifecycle.Part
		want string
	}{
		{"no name", lifecycle.Part{Run: run}, "has no name"},
		{"no run", lifecycle.Part{Name: "a"}, "a has no Run"},
		{"grace", lifecycle.Part{Name: "a", Run: run, Grace: -1}, "negative grace"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := lifecycle.Run(t.Context(), quiet(), lifecycle.Part{Name: "first", Run: run}, test.part)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run() = %v, want %q in it", err, test.want)
			}
		})
	}
}

// The end may come at any moment of a start: every part that was started is
// stopped, in reverse order, and nothing is left behind.
func TestStartStopStress(t *testing.T) {
	t.Parallel()
	const parts = 5
	for round := range 500 {
		var mu sync.Mutex
		var started, stopped []int
		ctx, cancel := context.WithCancel(t.Context())
		var all []lifecycle.Part
		for i := range parts {
			all = append(all, lifecycle.Part{
				Name: "part",
				Start: func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					started = append(started, i)
					return nil
				},
				Run: func(ctx context.Context) error {
					if i == round%parts {
						cancel()
					}
					<-ctx.Done()
					mu.Lock()
					defer mu.Unlock()
					stopped = append(stopped, i)
					return nil
				},
			})
		}
		go cancel()
		if err := lifecycle.Run(ctx, quiet(), all...); err != nil {
			t.Fatalf("Run() = %v, want nil", err)
		}
		slices.Reverse(stopped)
		if !slices.Equal(started, stopped) {
			t.Fatalf("started %v, stopped in reverse %v, want the same", started, stopped)
		}
	}
}
