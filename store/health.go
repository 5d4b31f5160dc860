package store

import (
	"context"
	"time"
)

// Status is how a target is.
type Status string

const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded" // it works, but not as configured: no effects table, or the server is too old
	StatusDown     Status = "down"
)

// Health is a target's state at one moment.
type Health struct {
	Status  Status
	Latency time.Duration // of one round trip
	Effects bool          // the effects table is there and usable
	Detail  string        // why it is not ok; without text of the database
}

// Health asks the database once, and looks for the effects table. It takes no
// slot of an operation. The caller bounds it by ctx.
func (t *Target) Health(ctx context.Context) Health {
	began := time.Now()
	err := t.reader.PingContext(ctx)
	h := Health{Status: StatusOK, Latency: time.Since(began)}
	if err == nil {
		var p presence
		p, err = t.checkEffects(ctx)
		h.Effects = p == present
	}
	switch {
	case err != nil:
		h.Status, h.Detail = StatusDown, string(t.diagnose(err).code)
		if ctx.Err() != nil {
			h.Detail = "no answer in time"
		}
	case !h.Effects && t.cfg.Effects != EffectsOff:
		_, _, detail := t.effects.known()
		h.Status, h.Detail = StatusDegraded, "no usable effects table ("+detail+")"
	case t.pools.outdated != nil && t.pools.outdated() != "":
		h.Status, h.Detail = StatusDegraded, t.pools.outdated()
	}
	return h
}
