package alert

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

// Seen is what one look at a rule came to.
type Seen struct {
	Rule     Rule
	Readings []Reading
	Err      error // nothing could be told
}

// Decision is what becomes of the alerts.
type Decision struct {
	Put     []job.Alert
	Delete  []job.ID
	Changes []job.Alert // of Put, those that begin to fire or are resolved
}

// key is what can have one alert at a time.
type key struct {
	rule  job.AlertRule
	about job.Target
}

// Decide says what becomes of the alerts in view after one look at every rule
// that is turned on.
//
// A condition has held since it was first seen to hold, looks having followed
// each other without a gap since then (view.Since): a fleet that was not there
// to look begins anew. One that is not seen to hold once is over. What fires is
// resolved when it has been good for the rule's Calm; a value just beneath the
// bound is not.
func Decide(seen []Seen, view job.AlertView) Decision {
	d := &decider{view: view, open: map[key]job.Alert{}, read: map[key]bool{}}
	for _, a := range view.Alerts {
		d.open[key{a.Rule, a.About}] = a
	}
	failed, calm := map[job.AlertRule]bool{}, map[job.AlertRule]time.Duration{}
	for i := range seen {
		s := &seen[i]
		failed[s.Rule.Name], calm[s.Rule.Name] = s.Err != nil, s.Rule.Calm
		for j := range s.Readings {
			if s.Err == nil {
				d.reading(&s.Rule, &s.Readings[j])
			}
		}
	}
	// In the order of the view, so that the same gives the same.
	for _, a := range view.Alerts {
		if _, left := d.open[key{a.Rule, a.About}]; !left {
			continue
		}
		if failed[a.Rule] {
			d.lost(a)
			continue
		}
		wait, on := calm[a.Rule]
		if !on {
			wait = maxCalm // another process may have it turned on still
		}
		d.clear(a, wait)
	}
	return d.Decision
}

// decider is one Decide.
type decider struct {
	Decision

	view job.AlertView
	open map[key]job.Alert // that no reading has been about yet
	read map[key]bool
}

func (d *decider) reading(r *Rule, reading *Reading) {
	k := key{r.Name, reading.About}
	if d.read[k] {
		return // one thing has one alert
	}
	d.read[k] = true
	a, open := d.open[k]
	delete(d.open, k)
	s := r.standing(reading)
	if !open {
		if s != bad {
			return
		}
		a = job.Alert{ID: job.NewID(), Rule: r.Name, About: reading.About, State: job.AlertPending, Since: d.since(reading.Since)}
	}
	if s != unknown {
		a.Value, a.Threshold, a.Detail, a.SeenAt = reading.Value, r.threshold(), reading.Detail, d.view.Now
	}
	switch s {
	case bad:
		d.hold(a, r.For)
	case good:
		d.clear(a, r.Calm)
	default:
		d.lost(a)
	}
}

// since is from when a condition has held that is said to hold since the time.
func (d *decider) since(said time.Time) time.Time {
	switch {
	case said.IsZero(), said.After(d.view.Now):
		return d.view.Now
	case said.Before(d.view.Since): // nobody looked
		return d.view.Since
	}
	return said
}

// hold goes on with an alert whose condition holds.
func (d *decider) hold(a job.Alert, length time.Duration) {
	a.ClearSince = time.Time{}
	if a.State == job.AlertPending {
		a.Since = d.since(a.Since)
		if d.view.Now.Sub(a.Since) >= length {
			a.State, a.FiredAt = job.AlertFiring, d.view.Now
			d.Changes = append(d.Changes, a)
		}
	}
	d.Put = append(d.Put, a)
}

// lost goes on with an alert of which it cannot be said that its condition is
// over, nor that it holds.
func (d *decider) lost(a job.Alert) {
	if a.State == job.AlertPending {
		d.Delete = append(d.Delete, a.ID)
		return
	}
	a.ClearSince = time.Time{}
	d.Put = append(d.Put, a)
}

// clear goes on with an alert whose condition is over.
func (d *decider) clear(a job.Alert, calm time.Duration) {
	if a.State == job.AlertPending {
		d.Delete = append(d.Delete, a.ID)
		return
	}
	if a.ClearSince.IsZero() || a.ClearSince.Before(d.view.Since) {
		a.ClearSince = d.view.Now
	}
	if d.view.Now.Sub(a.ClearSince) >= calm {
		a.State, a.ResolvedAt = job.AlertResolved, d.view.Now
		d.Changes = append(d.Changes, a)
	}
	d.Put = append(d.Put, a)
}
