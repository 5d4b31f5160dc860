package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// Status is how a target is.
type Status string

const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded" // it works, but what asyncops promises does not hold there, or may not
	StatusDown     Status = "down"
)

// EffectsState is what is known about the table that makes effects happen
// exactly once.
type EffectsState string

const (
	EffectsUnknown EffectsState = "unknown" // nobody has been able to look
	EffectsPresent EffectsState = "present" // there and usable
	EffectsMissing EffectsState = "missing" // or there and of no use
	EffectsUnused  EffectsState = "off"     // effects: off
)

// Health is a target's state at one moment.
type Health struct {
	Status  Status
	Latency time.Duration // of one round trip
	Effects EffectsState
	// Problems say why it is not ok, each in a sentence that names what is wrong
	// and the fix; without text of the database.
	Problems []string
}

// Detail is the problems in one line.
func (h Health) Detail() string { return strings.Join(h.Problems, "; ") }

// Health asks the database once, looks for the effects table, whether the
// server and the tables that jobs write can keep what is promised, and whether
// the named statements can be prepared. It takes no slot of an operation. The
// caller bounds it by ctx.
func (t *Target) Health(ctx context.Context) Health {
	began := time.Now()
	err := t.reader.PingContext(ctx)
	h := Health{Status: StatusOK, Latency: time.Since(began)}
	if err == nil {
		_, err = t.checkEffects(ctx)
	}
	var wrong []string
	if err == nil {
		wrong, err = t.dialect.inspect(ctx, t.reader, inspection{path: t.cfg.Path, writable: t.writable()})
	}
	var broken []string
	if err == nil {
		broken, err = t.checkQueries(ctx)
	}
	h.Effects = t.EffectsState()
	switch {
	case ctx.Err() != nil:
		h.Status, h.Problems = StatusDown, []string{"no answer in time"}
		return h
	case err != nil:
		h.Status, h.Problems = StatusDown, []string{string(t.diagnose(err).code)}
		return h
	}
	if h.Effects == EffectsMissing {
		_, _, why := t.effects.known()
		h.Problems = append(h.Problems, "no usable effects table ("+why+"): writes are at least once; run asyncops migrate --target "+t.cfg.Name)
	}
	if h.Problems = slices.Concat(h.Problems, wrong, broken); len(h.Problems) > 0 {
		h.Status = StatusDegraded
	}
	return h
}

// EffectsState is what is known of the effects table now, without a look.
func (t *Target) EffectsState() EffectsState {
	if t.cfg.Effects == EffectsOff {
		return EffectsUnused
	}
	p, _, _ := t.effects.known()
	return map[presence]EffectsState{unknown: EffectsUnknown, present: EffectsPresent, absent: EffectsMissing}[p]
}

// inspection is what a dialect's inspect looks at besides its server.
type inspection struct {
	path     string   // of an SQLite file
	writable []string // tables that jobs may write, and the effects table
}

// writable lists the tables on which the promise about writes depends: none
// where none is given.
func (t *Target) writable() []string {
	if t.cfg.Effects == EffectsOff {
		return nil
	}
	var tables []string
	for _, name := range slices.Sorted(maps.Keys(t.cfg.Tables)) {
		if t.cfg.Tables[name].Write {
			tables = append(tables, name)
		}
	}
	for _, query := range t.cfg.Queries {
		tables = append(tables, query.Writes...)
	}
	slices.Sort(tables)
	tables = slices.Compact(tables)
	return append(tables, "asyncops_effects")
}
