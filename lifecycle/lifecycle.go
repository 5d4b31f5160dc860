// Package lifecycle owns how the parts of a process start and stop: in order,
// and in reverse order, each with a grace. It is the only way anything runs in
// the background. It refuses to know what the parts do, and to catch signals.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultGrace is the Grace of a part that does not set one.
const DefaultGrace = 10 * time.Second

// ErrStop is the cause (context.Cause) of the end of a part's context when the
// process stops in good order. When it stops because a part has failed, the
// cause is that part's error.
var ErrStop = errors.New("the process is stopping")

// Part is one thing that a process does in the background.
type Part struct {
	// Name says in logs and errors which part it is. Required.
	Name string
	// Start brings the part up and returns when it is: a listener listens, a
	// file is open. The next part starts only then. May be nil. Its context
	// ends when the process stops, and is not to be kept.
	Start func(ctx context.Context) error
	// Run does the part's work until its context ends, and then ends it: what
	// must outlive the stop makes a context of its own with
	// context.WithoutCancel and a timeout below Grace. Required.
	//
	// A nil return before that says that the part has nothing left to do, and
	// the others go on; an error stops the process. Run is called whenever
	// Start has succeeded, and not when it has failed: a Start that fails
	// undoes what it did.
	Run func(ctx context.Context) error
	// Grace is how long the part may take to return from Run once its context
	// has ended. After that the stop goes on without it. Zero is DefaultGrace.
	Grace time.Duration
}

func (p Part) grace() time.Duration {
	if p.Grace == 0 {
		return DefaultGrace
	}
	return p.Grace
}

func (p Part) validate() error {
	switch {
	case p.Name == "":
		return errors.New("lifecycle: a part has no name")
	case p.Run == nil:
		return fmt.Errorf("lifecycle: part %s has no Run", p.Name)
	case p.Grace < 0:
		return fmt.Errorf("lifecycle: part %s has the negative grace %s", p.Name, p.Grace)
	}
	return nil
}

// Run starts the parts in their order and returns when all have ended: because
// ctx ended, because one of them failed, or because each has returned nil. On
// the way out the parts are stopped one by one in reverse order; the end of
// ctx reaches a part only when its turn has come.
//
// The result is nil after an orderly stop. Otherwise it wraps, first, the
// error that caused the stop and then those that the stop itself met; a part
// that overran its grace is one of them. What a part returns after its context
// ended is no error if it is context.Canceled or the context's cause. A panic
// in a part is an error, and its stack is logged, once, to log.
func Run(ctx context.Context, log *slog.Logger, parts ...Part) error {
	for _, part := range parts {
		if err := part.validate(); err != nil {
			return err
		}
	}
	stopping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g := &group{log: log, begin: stop, ended: make(chan struct{}, len(parts))}

	g.start(stopping, parts)
	for range g.running {
		select {
		case <-g.ended:
		case <-stopping.Done():
		}
	}
	return g.stop()
}

// group is one call of Run.
type group struct {
	log     *slog.Logger
	begin   context.CancelCauseFunc // begins the stop
	ended   chan struct{}           // one value for each part whose Run has returned
	running []*running              // in the order of their start
	stray   error                   // what Start returned while the process was stopping

	mu      sync.Mutex
	failure error // guarded by mu; the first of a part that nobody had told to stop
}

// fail begins the stop because of err, unless another part failed before.
func (g *group) fail(err error) {
	g.mu.Lock()
	if g.failure == nil {
		g.failure = err
	}
	g.mu.Unlock()
	g.begin(err)
}

// running is a part whose Run has been called.
type running struct {
	part   Part
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when err is set
	err    error
}

// start starts the parts until one fails or stopping ends.
func (g *group) start(stopping context.Context, parts []Part) {
	for _, part := range parts {
		if stopping.Err() != nil {
			return
		}
		if part.Start != nil {
			if err := g.guard(stopping, part.Name, part.Start); err != nil {
				err = fmt.Errorf("lifecycle: start %s: %w", part.Name, err)
				if stopping.Err() != nil {
					g.stray = err
				} else {
					g.fail(err)
				}
				return
			}
		}
		g.running = append(g.running, g.launch(stopping, part))
		g.log.DebugContext(stopping, "part started", "part", part.Name)
	}
}

// launch calls the part's Run in a goroutine, under a context that hears of
// the stop only through cancel.
func (g *group) launch(stopping context.Context, part Part) *running {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(stopping))
	r := &running{part: part, cancel: cancel, done: make(chan struct{})}
	go func() {
		err := errGoexit
		defer func() { // after a Goexit too
			if err != nil {
				r.err = fmt.Errorf("lifecycle: run %s: %w", part.Name, err)
				if ctx.Err() == nil {
					g.fail(r.err)
				}
			}
			close(r.done)
			g.ended <- struct{}{}
		}()
		err = g.guard(ctx, part.Name, part.Run)
	}()
	return r
}

// stop ends the parts in reverse order and sums up what went wrong.
func (g *group) stop() error {
	g.mu.Lock()
	failure := g.failure
	g.mu.Unlock()
	cause := failure
	if cause == nil {
		cause = ErrStop
	}
	result := []error{failure}
	note := func(err error) {
		if err != nil && !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
			result = append(result, err)
		}
	}
	note(g.stray)
	for i := len(g.running) - 1; i >= 0; i-- {
		r := g.running[i]
		r.cancel(cause)
		grace := time.NewTimer(r.part.grace())
		select {
		case <-r.done:
			note(r.err)
			g.log.Debug("part stopped", "part", r.part.Name)
		case <-grace.C:
			result = append(result, fmt.Errorf("lifecycle: stop %s: still running after its grace of %s", r.part.Name, r.part.grace()))
		}
		grace.Stop()
	}
	return errors.Join(result...)
}

// errGoexit is the end of a Run that neither returned nor panicked.
var errGoexit = errors.New("ended its goroutine with runtime.Goexit")

// guard calls do and turns a panic into an error.
func (g *group) guard(ctx context.Context, name string, do func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			g.log.ErrorContext(ctx, "part panicked", "part", name, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	return do(ctx)
}
