package fleet

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// Script is the fleet's state at a time of the test's own.
type Script struct {
	cfg  Config
	link *link
}

// NewScript returns the state of an upstream that nobody else uses.
func NewScript(cfg Config, conn redis.UniversalClient) Script {
	return Script{cfg.withDefaults(), newLink(conn)}
}

// Told is what breaker.lua answers.
type Told struct {
	Version  int64
	State    State
	Failures int
	Granted  bool
	Wait     time.Duration
	Moved    bool
}

// Ask calls breaker.lua at a time.
func (s Script) Ask(ctx context.Context, verb, holder string, number, nowMS int64) (Told, error) {
	before := time.Now()
	r, err := s.link.ask(ctx, s.cfg, question{verb: verbOf(verb), number: number, holder: holder, now: nowMS})
	wait := r.wait
	if r.view.state == Open {
		wait = r.view.openUntil.Sub(before)
	}
	return Told{r.view.version, r.view.state, r.view.failures, r.granted, wait, r.moved}, err
}

func verbOf(text string) verb { return verb(text) }

// Take calls limit.lua at a time.
func (s Script) Take(ctx context.Context, n int, ahead time.Duration, mark string, now int64) (sends int, first, again time.Duration, available int, left string, err error) {
	g, err := s.link.take(ctx, s.cfg, n, ahead, mark, now)
	return g.sends, g.first, g.again, g.available, g.mark, err
}

// Ramp counts what may be let out after a breaker has closed.
type Ramp struct{ ramp ramp }

// NewRamp returns one that begins at a time.
func NewRamp(began time.Time) *Ramp { return &Ramp{ramp{began: began, after: job.WaitBreaker}} }

// Take takes up to n.
func (r *Ramp) Take(now time.Time, n, processes int) (int, time.Duration) {
	return r.ramp.take(now, n, processes)
}

// Bounds of a ramp.
const (
	RampLength = rampLength
	RampDouble = rampDouble
)

// Due is how many the fleet may have let out by then.
func Due(elapsed time.Duration) float64 { return due(elapsed) }

// Pauses is the pauses that an upstream did not ask for in words.
type Pauses struct{ pauses pauses }

// Next is how long the next one lasts.
func (p *Pauses) Next(now time.Time) time.Duration { return p.pauses.next(now) }

// Bounds of pauses.
const (
	FirstPause = firstPause
	MaxPause   = maxPause
	EnterWait  = enterWait
)

// Hear is a message of the channel.
func (f *Fleet) Hear(text string) { f.hear(text) }
