package fleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
)

// How far ahead sends are taken from a limit. What is parked goes first: its
// sends are taken from further ahead than a job that comes new would wait for.
const (
	enterWait  = 200 * time.Millisecond // of a call, in place
	admitAhead = 400 * time.Millisecond // of jobs that were parked
	followWait = time.Second            // of a further call of such a job, in place
)

// Upstream is the gate of one API. It is safe for concurrent use.
type Upstream struct {
	cfg      Config
	link     *link // nil: there is no Redis
	living   func() int
	observer Observer
	log      *slog.Logger

	mu      sync.Mutex
	view    view                               // of the fleet; without Redis only its pause counts; guarded by mu
	applied int                                // changes of view; guarded by mu
	breaker circuitbreaker.CircuitBreaker[any] // this process's own, while Redis is away; nil: off
	limit   *localLimit                        // likewise; nil: none; guarded by mu
	ramp    ramp                               // guarded by mu
	pauses  pauses                             // guarded by mu

	halfOpened int64 // times that breaker has become half-open; guarded by mu
	spare      int   // permits of breaker, since then, whose requests told nothing; guarded by mu

	alone bool // Redis was away when it was last needed; guarded by mu
}

var _ clients.Gate = (*Upstream)(nil)

func newUpstream(cfg Config, l *link, living func() int, observer Observer, log *slog.Logger) *Upstream {
	u := &Upstream{cfg: cfg, link: l, living: living, observer: observer, log: log, alone: true}
	if b := cfg.Breaker; b.Threshold > 0 {
		u.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(uint(b.Threshold)).
			WithSuccessThreshold(uint(b.HalfOpenRequests)).WithDelay(b.Timeout).Build()
	}
	if cfg.RateLimit.Requests > 0 {
		u.limit = newLocalLimit(cfg.RateLimit)
	}
	return u
}

const noRoom = "its rate limit has no room"

// refusal is why nothing may be sent, and how long to wait before asking again.
type refusal struct {
	reason job.WaitReason // job.WaitBreaker or job.WaitRateLimit
	why    string
	again  time.Duration
}

func (u *Upstream) failure(r refusal) *job.Failure {
	f := &job.Failure{
		Class: job.ClassThrottled, Code: job.CodeRateLimited, Wait: r.reason, RetryAfter: max(r.again, time.Millisecond),
		Message: "client " + u.cfg.Name + ": " + r.why,
	}
	if r.reason == job.WaitBreaker {
		f.Code = job.CodeBreakerOpen
	} else {
		u.observer.RateLimited(u.cfg.Name)
	}
	return f
}

// Enter returns leave to send one request. It waits in place for a moment, and
// for longer in a run that Admit has let start. Otherwise the error is a
// *job.Failure of class throttled.
func (u *Upstream) Enter(ctx context.Context) (clients.Pass, error) {
	wait := enterWait
	p := passOf(ctx, u)
	if p != nil {
		wait = followWait
	}
	if deadline, ok := ctx.Deadline(); ok { // time must be left for the request
		wait = max(0, min(wait, time.Until(deadline)/2))
	}
	if p == nil || !p.take(ctx) {
		passes, no := u.admit(ctx, 1, wait)
		if len(passes) == 0 {
			return nil, u.failure(no)
		}
		p = passes[0]
		p.used.Store(true)
	}
	if err := p.await(ctx, wait); err != nil {
		p.Done(clients.SignNone)
		return nil, err
	}
	return p, nil
}

// Admit lets up to n jobs that wait start about now: each is to run under the
// context of one of the passes, or the pass is to be returned. With fewer than n,
// again is when it is worth asking for more.
func (u *Upstream) Admit(ctx context.Context, n int) (passes []*Pass, again time.Duration) {
	passes, no := u.admit(ctx, n, admitAhead)
	return passes, no.again
}

// admit lets up to n requests out, of which none has to wait for longer than
// ahead. With fewer than n, no says why.
func (u *Upstream) admit(ctx context.Context, n int, ahead time.Duration) (passes []*Pass, no refusal) {
	began := time.Now()
	shared := u.shared(began)
	u.mu.Lock()
	pause := u.view.paused(began)
	closed, due, openFor := u.phase(shared, began)
	u.mu.Unlock()
	switch {
	case pause > ahead:
		return nil, refusal{job.WaitRateLimit, "it asked to be left alone for a while", pause}
	case due:
		return u.probe(ctx, shared, n)
	case !closed:
		return nil, refusal{job.WaitBreaker, "its circuit breaker is open", openFor}
	}
	return u.let(ctx, shared, began, n, ahead, pause)
}

// let lets requests through a closed breaker.
func (u *Upstream) let(ctx context.Context, shared bool, now time.Time, n int, ahead, pause time.Duration) ([]*Pass, refusal) {
	u.mu.Lock()
	version := u.view.version
	allowed, again := u.ramp.take(now, n, u.living())
	no := refusal{u.ramp.after, "it has just come back, and gets its requests little by little", again}
	u.mu.Unlock()
	if allowed == 0 {
		return nil, no
	}
	g, asked := grant{sends: allowed}, time.Now()
	if u.limit != nil {
		g = u.fromLimit(ctx, allowed, ahead)
		if g.sends < allowed {
			no = refusal{job.WaitRateLimit, noRoom, g.again}
		}
	}
	passes := make([]*Pass, g.sends)
	for i := range passes {
		at := g.at(asked, i)
		if opens := now.Add(pause); at.Before(opens) {
			at = opens
		}
		passes[i] = &Pass{up: u, at: at, shared: shared, version: version}
	}
	if len(passes) > 0 {
		last := passes[len(passes)-1]
		last.mark, last.share = g.mark, g.share
	}
	return passes, no
}

// fromLimit takes from the fleet's limit or, while that cannot be asked, from
// this process's share.
func (u *Upstream) fromLimit(ctx context.Context, n int, ahead time.Duration) grant {
	if u.shared(time.Now()) {
		g, err := u.link.take(ctx, u.cfg, n, ahead, "", 0)
		if err == nil {
			return g
		}
		u.lost(ctx, err)
	}
	now := time.Now()
	u.shared(now) // it has perhaps just gone over
	u.mu.Lock()
	defer u.mu.Unlock()
	u.limit.share(now, u.living())
	return u.limit.take(now, n, ahead)
}

// shared reports whether the fleet's state can be asked, and goes over to this
// process's own when it has just become unreachable.
func (u *Upstream) shared(now time.Time) bool {
	usable := u.link.usable()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !usable && !u.alone && u.limit != nil {
		u.limit.share(now, u.living())
		u.limit.drain(now)
	}
	u.alone = !usable
	return usable
}

// lost notes that Redis did not answer, unless it was the caller who gave up.
func (u *Upstream) lost(ctx context.Context, err error) {
	if ctx.Err() == nil {
		u.link.down()
		u.log.DebugContext(ctx, "the fleet's state was not reached", "client", u.cfg.Name, "error", err)
	}
}

// Pause keeps everybody from sending for so long, or, where the upstream did not
// say how long, for a time that grows while it goes on refusing. It returns how
// long the pause lasts; that is at most clients.MaxRetryAfter.
func (u *Upstream) Pause(asked time.Duration) time.Duration {
	now := time.Now()
	u.mu.Lock()
	length := min(asked, clients.MaxRetryAfter)
	if length <= 0 {
		length = u.pauses.next(now)
	}
	length = max(length, u.view.paused(now))
	u.pauseUntil(now.Add(length))
	u.mu.Unlock()
	if u.shared(now) {
		u.tell(question{verb: verbPause, number: length.Milliseconds()})
	}
	return length
}

// tell asks for something that does not depend on anybody's context, and reports
// whether it was answered.
func (u *Upstream) tell(q question) bool {
	ctx := context.Background()
	_, err := u.ask(ctx, q)
	if err != nil {
		u.lost(ctx, err)
	}
	return err == nil
}

// ask asks the fleet's breaker, and takes over what it answers.
func (u *Upstream) ask(ctx context.Context, q question) (reply, error) {
	u.mu.Lock()
	before := u.applied
	u.mu.Unlock()
	r, err := u.link.ask(ctx, u.cfg, q)
	if err != nil {
		return r, err
	}
	u.mu.Lock()
	u.apply(r.view, u.applied == before)
	u.mu.Unlock()
	if r.moved {
		u.moved(r.view.state)
	}
	return r, nil
}
