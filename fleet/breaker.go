package fleet

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/asyncops/asyncops/job"
)

// slotAhead is how long a half-open slot is kept for a job that is about to
// start. Once its request is sent, the slot lasts as long as that may take.
const slotAhead = 15 * time.Second

// slotGrace is how long a slot outlives the call that it is for, so that the
// call's end is told before somebody else gets the slot.
const slotGrace = 2 * time.Second

// slotLength is how long a slot is wanted for by whoever asks under the context:
// until the call has to end or, where there is no call yet, until it has begun.
func slotLength(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), 0) + slotGrace
	}
	return slotAhead
}

// phase is that of the fleet's breaker or, if it cannot be asked, of this
// process's own. It requires mu.
func (u *Upstream) phase(shared bool, now time.Time) (closed, due bool, wait time.Duration) {
	switch {
	case u.breaker == nil:
		return true, false, 0
	case shared:
		return u.view.phase(now)
	}
	switch u.breaker.State() {
	case circuitbreaker.ClosedState:
		return true, false, 0
	case circuitbreaker.OpenState:
		if left := u.breaker.RemainingDelay(); left > 0 {
			return false, false, left
		}
	}
	return false, true, 0
}

// apply takes over what the fleet's breaker says. It requires mu.
func (u *Upstream) apply(v view, asked bool) {
	if !u.view.newer(v, asked) {
		return
	}
	reopened := v.state == Closed && u.view.state != Closed
	u.pauseUntil(v.pausedUntil)
	u.view = v
	if reopened {
		u.ramp = ramp{began: time.Now(), after: job.WaitBreaker}
	}
	if u.breaker == nil {
		return
	}
	// When Redis goes away, this process goes on from here.
	switch v.state {
	case Closed:
		u.breaker.Close()
	case Open:
		u.breaker.Open()
	case HalfOpen:
	}
}

// pauseUntil sets when the upstream wants to be asked again. It requires mu.
func (u *Upstream) pauseUntil(end time.Time) {
	u.applied++
	u.view.pausedUntil = end
	switch now := time.Now(); {
	case end.After(now):
		u.ramp = ramp{began: end, after: job.WaitRateLimit}
	case u.ramp.began.After(now): // an operator has ended it
		u.ramp = ramp{began: now, after: job.WaitRateLimit}
	}
}

// moved tells of a move that this process has made.
func (u *Upstream) moved(to State) {
	u.observer.BreakerMoved(u.cfg.Name, to.String())
	u.log.Info("circuit breaker moved", "client", u.cfg.Name, "to", to.String())
}

// probe asks for up to n slots of a breaker that may be about to close.
func (u *Upstream) probe(ctx context.Context, shared bool, n int) (passes []*Pass, no refusal) {
	no = refusal{job.WaitBreaker, "its circuit breaker is half-open, and others find out whether it may close", time.Second}
	for range min(n, u.cfg.Breaker.HalfOpenRequests) {
		p, wait := u.slot(ctx, shared)
		if p == nil {
			no.again = max(wait, 10*time.Millisecond)
			return passes, no
		}
		if u.limit != nil {
			g := u.fromLimit(ctx, 1, enterWait)
			if g.sends == 0 {
				p.Return()
				return passes, refusal{job.WaitRateLimit, noRoom, g.again}
			}
			p.at = g.at(p.at, 0)
		}
		passes = append(passes, p)
	}
	return passes, no
}

// slot takes one slot, or says how long to wait before asking again.
func (u *Upstream) slot(ctx context.Context, shared bool) (*Pass, time.Duration) {
	p := &Pass{up: u, at: time.Now(), shared: shared}
	if !shared {
		return u.ownSlot(p)
	}
	p.holder = rand.Text()[:16]
	r, err := u.ask(ctx, question{verb: verbProbe, number: slotLength(ctx).Milliseconds(), holder: p.holder})
	switch {
	case err != nil:
		u.lost(ctx, err)
		return nil, askTimeout
	case !r.granted:
		return nil, r.wait
	}
	p.version = r.view.version
	return p, 0
}

// ownSlot is slot of this process's own breaker.
func (u *Upstream) ownSlot(p *Pass) (*Pass, time.Duration) {
	u.mu.Lock()
	before := u.breaker.State()
	spare := before == circuitbreaker.HalfOpenState && u.spare > 0
	switch {
	case spare:
		u.spare--
	case !u.breaker.TryAcquirePermit():
		u.mu.Unlock()
		return nil, max(u.breaker.RemainingDelay(), 100*time.Millisecond)
	case before != circuitbreaker.HalfOpenState:
		u.halfOpened++
		u.spare = 0
	}
	p.own, p.version = u.breaker.State(), u.halfOpened
	u.mu.Unlock()
	u.ownMoved(before)
	return p, 0
}

// ownMoved tells of a move of this process's own breaker, if it made one.
func (u *Upstream) ownMoved(before circuitbreaker.State) {
	after := u.breaker.State()
	if after == before {
		return
	}
	to := map[circuitbreaker.State]State{
		circuitbreaker.ClosedState: Closed, circuitbreaker.HalfOpenState: HalfOpen, circuitbreaker.OpenState: Open,
	}[after]
	if to == Closed {
		u.mu.Lock()
		u.ramp = ramp{began: time.Now(), after: job.WaitBreaker}
		u.mu.Unlock()
	}
	u.moved(to)
}

// record tells this process's own breaker how a send went that was let out in
// the state given. Results from before a move say nothing about the state after.
func (u *Upstream) record(in circuitbreaker.State, well bool) {
	if u.breaker.State() != in {
		return
	}
	if well {
		u.breaker.RecordSuccess()
	} else {
		u.breaker.RecordFailure()
	}
	u.ownMoved(in)
}
