package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// presence is what is known about the effects table.
type presence int

const (
	unknown presence = iota // not looked for yet, or something hinted at a change
	present
	absent
)

// effects remembers whether the target has the effects table.
type effects struct {
	mode Effects

	mu       sync.Mutex
	presence presence  // guarded by mu
	checked  time.Time // guarded by mu
	detail   string    // guarded by mu; why it is absent
}

func (e *effects) known() (p presence, checked time.Time, detail string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.presence, e.checked, e.detail
}

// set returns whether that is news.
func (e *effects) set(p presence, detail string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	news := e.presence != p || e.detail != detail
	e.presence, e.checked, e.detail = p, time.Now(), detail
	return news
}

// forget makes the next write look again.
func (e *effects) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checked = time.Time{}
}

// recording says whether a write is to be recorded. A target that should
// record and cannot fails with effects_missing.
func (t *Target) recording(ctx context.Context, promised bool) (bool, error) {
	if t.cfg.Effects == EffectsOff {
		if promised {
			return false, effectsMissing("effects is off")
		}
		return false, nil
	}
	p, checked, detail := t.effects.known()
	if p == unknown || checked.IsZero() || p == absent && time.Since(checked) > watchInterval {
		var err error
		if p, err = t.checkEffects(ctx); err != nil {
			return false, err
		}
		_, _, detail = t.effects.known()
	}
	if p == absent && (promised || t.cfg.Effects == EffectsRequired) {
		return false, effectsMissing(detail)
	}
	return p == present, nil
}

func effectsMissing(detail string) error {
	f := job.Retryable(job.CodeEffectsMissing, "the database has no usable effects table (%s); run asyncops migrate --target", detail)
	f.Err = job.ErrEffectsMissing
	return f
}

// checkEffects looks for the effects table and, with effects: auto, makes it.
// An error says that it could not look.
func (t *Target) checkEffects(ctx context.Context) (presence, error) {
	if t.cfg.Effects == EffectsOff {
		return absent, nil
	}
	err := t.probeEffects(ctx)
	if err != nil && t.dialect.diagnose(err).stale && t.cfg.Effects == EffectsAuto {
		created := t.createEffects(ctx)
		// Somebody else may have made it at the same time: look, whatever came.
		if err = t.probeEffects(ctx); err != nil && created != nil {
			err = created
		}
	}
	if err == nil {
		if t.effects.set(present, "") {
			t.log.Info("effects table found")
		}
		return present, nil
	}
	var useless unusable
	if !errors.As(err, &useless) {
		d := t.dialect.diagnose(err)
		if ctx.Err() != nil || d.class == job.ClassRetryable && d.code != job.CodeReadOnly {
			return unknown, err // it could not be told
		}
		useless = unusable(d.code)
	}
	if t.effects.set(absent, string(useless)) {
		t.log.Warn("no usable effects table: writes are at least once", "effects", string(t.cfg.Effects), "reason", string(useless), "error", err)
	}
	return absent, nil
}

// unusable says why an effects table that is there cannot be used.
type unusable string

func (u unusable) Error() string { return "the effects table is there, but not usable: " + string(u) }

func (t *Target) probeEffects(ctx context.Context) error {
	var reason string
	err := t.statement(ctx, func(ctx context.Context) error {
		return t.reader.QueryRowContext(ctx, t.grammar().effects.probe).Scan(&reason)
	})
	if err == nil && reason != "" {
		err = unusable(reason)
	}
	return err
}

func (t *Target) createEffects(ctx context.Context) error {
	_, err := t.affect(ctx, t.writer, t.grammar().effects.create)
	return err
}

// MigrationSQL returns the statement that makes the effects table, for those
// who apply such things themselves.
func (t *Target) MigrationSQL() string { return t.registry.MigrationSQL() }

// MigrationSQL returns the statement that makes the effects table.
func (r *Registry) MigrationSQL() string { return r.dialect.grammar().effects.create + ";\n" }

// Migrate makes the effects table if it is missing.
func (t *Target) Migrate(ctx context.Context) error {
	err := t.createEffects(ctx)
	if err == nil {
		err = t.probeEffects(ctx)
	}
	if err != nil {
		return fmt.Errorf("store: migrate database %q: %w", t.cfg.Name, err)
	}
	t.effects.set(present, "")
	return nil
}

// Delivery says what the effect of the operation is worth on this target as
// far as is known now. Before the server has been reached, auto is taken for
// at_least_once.
func (t *Target) Delivery(op dbop.Op) job.Delivery {
	p, _, _ := t.effects.known()
	if !op.Writes() || t.cfg.Effects == EffectsRequired || t.cfg.Effects == EffectsAuto && p == present {
		return job.ExactlyOnceEffect
	}
	return job.AtLeastOnce
}

// EffectsMissing reports whether submissions of writes must be refused:
// effects is required, and the table is known to be missing.
func (t *Target) EffectsMissing() bool {
	p, _, _ := t.effects.known()
	return t.cfg.Effects == EffectsRequired && p == absent
}
