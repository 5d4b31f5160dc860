package fleet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
)

// staleAfter is how long after its time a send may still go out by the leave that
// it got; then it has to ask again, so that leaves which were delayed do not go
// out together.
const staleAfter = 500 * time.Millisecond

// Pass is leave to send one request.
type Pass struct {
	up      *Upstream
	at      time.Time // not before
	shared  bool      // given by the fleet's breaker, not by this process's own
	version int64     // of the fleet's breaker; of this process's own, its Upstream's halfOpened
	holder  string    // of a half-open slot of the fleet's; "" for none
	own     circuitbreaker.State
	// Of the last of the passes that were taken together:
	mark  string // of the shared limit
	share bool   // they are of this process's share of it; guarded by up.mu

	used atomic.Bool // by a send
	done atomic.Bool
}

type passKey struct{}

// With returns the context for the run that the pass lets start: the first
// request that it sends to the upstream goes out by the pass.
func (p *Pass) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, passKey{}, p)
}

// passOf is the pass for the upstream under which a run was let start; nil for
// none.
func passOf(ctx context.Context, u *Upstream) *Pass {
	if p, ok := ctx.Value(passKey{}).(*Pass); ok && p.up == u {
		return p
	}
	return nil
}

// Return gives the pass back, if nothing was sent by it. It may be called more
// than once.
func (p *Pass) Return() {
	if p.used.CompareAndSwap(false, true) {
		p.Done(clients.SignNone)
	}
}

// Return gives back the last of the passes that were admitted together, of which
// none was used. What they took from the limit is there again, unless somebody
// has taken more since.
func Return(passes []*Pass) {
	for _, p := range passes {
		p.Return()
	}
	if len(passes) == 0 {
		return
	}
	u, last := passes[0].up, passes[len(passes)-1]
	u.mu.Lock()
	if last.share {
		last.share = false
		u.limit.give(time.Now(), len(passes))
	}
	u.mu.Unlock()
	if last.mark == "" {
		return
	}
	ctx := context.Background()
	if _, err := u.link.take(ctx, u.cfg, -len(passes), 0, last.mark, 0); err != nil {
		u.lost(ctx, err)
	}
}

// take has the pass be that of the request which is about to be sent, and
// reports whether it may be. A half-open slot is kept for as long as the request
// may take. That of this process's own breaker has no term: nobody else gets it
// until the request has told something, however late it goes out.
func (p *Pass) take(ctx context.Context) bool {
	if !p.used.CompareAndSwap(false, true) {
		return false
	}
	if p.holder == "" {
		return p.finds() || time.Since(p.at) < staleAfter
	}
	r, err := p.up.ask(ctx, question{verb: verbProbe, number: slotLength(ctx).Milliseconds(), holder: p.holder})
	if err != nil {
		p.up.lost(ctx, err)
	}
	return err == nil && r.granted
}

// await waits for the pass's time, and looks again whether it is still good.
func (p *Pass) await(ctx context.Context, patience time.Duration) error {
	u := p.up
	if deadline, ok := ctx.Deadline(); ok && p.at.After(deadline) {
		return u.failure(refusal{job.WaitRateLimit, noRoom, time.Until(p.at)})
	}
	if err := sleep(ctx, time.Until(p.at)); err != nil {
		return err
	}
	now := time.Now()
	shared := u.shared(now)
	u.mu.Lock()
	pause := u.view.paused(now)
	closed, _, left := u.phase(shared, now)
	u.mu.Unlock()
	switch {
	case !closed && !p.probes():
		return u.failure(refusal{job.WaitBreaker, "its circuit breaker has opened", left})
	case pause > patience:
		return u.failure(refusal{job.WaitRateLimit, "it asked to be left alone for a while", pause})
	case pause > 0:
		p.at = now.Add(pause)
		return p.await(ctx, 0)
	}
	return nil
}

// sleep returns when d is over, or the cause when ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// probes reports whether the request is one of those that find out whether the
// breaker may close.
func (p *Pass) probes() bool { return p.holder != "" || p.own == circuitbreaker.HalfOpenState }

// Done says what the send told of the upstream.
func (p *Pass) Done(s clients.Sign) {
	u := p.up
	if !p.done.CompareAndSwap(false, true) || u.breaker == nil {
		return
	}
	if !p.shared {
		p.doneAlone(s)
		return
	}
	q := question{holder: p.holder, number: p.version}
	switch {
	case s == clients.SignIll:
		q.verb = verbIll
	case s == clients.SignWell && (p.holder != "" || u.failing()):
		q.verb = verbWell
	case s == clients.SignNone && p.holder != "":
		q.verb = verbDrop
	default:
		return
	}
	if told := u.link.usable() && u.tell(q); !told && s == clients.SignIll {
		u.record(circuitbreaker.ClosedState, false)
	}
}

// doneAlone is Done for this process's own breaker. If a request was to find
// something out and did not, another may: the breaker, which takes no permit
// back without a result, would wait for it for ever.
func (p *Pass) doneAlone(s clients.Sign) {
	u := p.up
	if s != clients.SignNone {
		u.record(p.own, s == clients.SignWell)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if p.findsLocked() {
		u.spare++
	}
}

// finds reports whether this process's own breaker waits for what the pass's
// request tells.
func (p *Pass) finds() bool {
	p.up.mu.Lock()
	defer p.up.mu.Unlock()
	return p.findsLocked()
}

// findsLocked is finds. It requires the upstream's mu.
func (p *Pass) findsLocked() bool {
	return p.own == circuitbreaker.HalfOpenState && p.version == p.up.halfOpened && p.up.breaker.State() == circuitbreaker.HalfOpenState
}

// failing reports whether the fleet counts failures in a row.
func (u *Upstream) failing() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.view.failures > 0
}
