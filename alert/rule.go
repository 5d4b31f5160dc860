package alert

import (
	"context"
	"math"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Rule is one rule that is turned on.
type Rule struct {
	Name job.AlertRule
	// Above is the bound of a reading's value; negative for rules of a state,
	// where Reading.Bad decides.
	Above float64
	// For is how long the condition must have held before the alert fires.
	For time.Duration
	// Calm is how long it must have been over before the alert is resolved.
	Calm time.Duration
	// ReadFunc returns what the rule sees, of everything that it watches. What is
	// not there has no figure, which is no reason to fire. An error says that
	// nothing can be told now.
	ReadFunc func(ctx context.Context) ([]Reading, error)
}

// OfState is the Above of rules of a state.
const OfState = -1

// maxCalm is how long an alert waits at most to be resolved.
const maxCalm = time.Minute

// CalmFor is the Calm of a rule with the For: as long, and a minute at most.
func CalmFor(hold time.Duration) time.Duration { return min(hold, maxCalm) }

// Reading is what a rule sees of one thing.
type Reading struct {
	About  job.Target
	Value  float64
	Bad    bool      // with OfState: the condition holds
	Since  time.Time // by the ledger's clock, from when it is known to hold; zero: from now
	Detail string    // what else there is to say; no secret
	// Unknown says that it could not be looked at: what was pending is dropped,
	// what fires goes on.
	Unknown bool
}

// standing is what a reading says.
type standing int

const (
	unknown standing = iota
	bad
	between // not bad, and not good enough to resolve
	good
)

// resolveAt is the part of the bound that a value must come down to.
const resolveAt = 0.9

func (r *Rule) standing(reading *Reading) standing {
	switch {
	case reading.Unknown, math.IsNaN(reading.Value), math.IsInf(reading.Value, 0):
		return unknown
	case r.Above < 0 && reading.Bad, r.Above >= 0 && reading.Value > r.Above:
		return bad
	case r.Above >= 0 && reading.Value > r.Above*resolveAt:
		return between
	}
	return good
}

// threshold is what an alert shows of the bound.
func (r *Rule) threshold() float64 { return max(r.Above, 0) }
