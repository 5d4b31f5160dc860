package alert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/alert"
	"github.com/asyncops/asyncops/job"
)

var (
	t0    = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	queue = job.Target{Type: job.TypeQueue, Name: "default"}
	main  = job.DatabaseTarget("main")
)

// story is alerts over time, as the ledger would keep them.
type story struct {
	view job.AlertView
	told []string // changes, with when they came after t0
}

func newStory() *story { return &story{view: job.AlertView{Since: t0}} }

// look is one look at the time after t0.
func (s *story) look(at time.Duration, seen ...alert.Seen) {
	s.view.Now = t0.Add(at)
	d := alert.Decide(seen, s.view)
	kept := map[job.ID]job.Alert{}
	for _, a := range s.view.Alerts {
		kept[a.ID] = a
	}
	for _, id := range d.Delete {
		delete(kept, id)
	}
	for _, a := range d.Put {
		kept[a.ID] = a
	}
	s.view.Alerts = nil
	for _, a := range kept {
		if a.State != job.AlertResolved {
			s.view.Alerts = append(s.view.Alerts, a)
		}
	}
	for _, a := range d.Changes {
		s.told = append(s.told, fmt.Sprintf("%s %s %s", at, a.About.Name, a.State))
	}
	s.view.Seen = s.view.Now
}

// gap says that nobody looked until the time.
func (s *story) gap(until time.Duration) { s.view.Since = t0.Add(until) }

func (s *story) want(t *testing.T, told string, open ...string) {
	t.Helper()
	if got := strings.Join(s.told, ", "); got != told {
		t.Errorf("told %q, want %q", got, told)
	}
	var got []string
	for _, a := range s.view.Alerts {
		got = append(got, a.About.Name+" "+string(a.State))
	}
	if strings.Join(got, ", ") != strings.Join(open, ", ") {
		t.Errorf("open are %q, want %q", got, open)
	}
}

// age is a look at a rule of queue_age: above 60 s for a minute.
func age(seconds ...float64) alert.Seen {
	s := alert.Seen{Rule: alert.Rule{Name: job.AlertQueueAge, Above: 60, For: time.Minute, Calm: time.Minute}}
	for _, v := range seconds {
		s.Readings = append(s.Readings, alert.Reading{About: queue, Value: v})
	}
	return s
}

// down is a look at a rule of target_down, for 30 s.
func down(bad bool) alert.Seen {
	return alert.Seen{
		Rule:     alert.Rule{Name: job.AlertTargetDown, Above: alert.OfState, For: 30 * time.Second, Calm: 30 * time.Second},
		Readings: []alert.Reading{{About: main, Bad: bad}},
	}
}

const sec = time.Second

func TestFiresOnceAfterItsTimeAndResolvesOnce(t *testing.T) {
	t.Parallel()
	s := newStory()
	for at := time.Duration(0); at <= 300*sec; at += 5 * sec {
		s.look(at, down(at >= 10*sec && at < 100*sec))
	}
	s.want(t, "40s main firing, 2m10s main resolved")
}

func TestDecide(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		play func(*story)
		told string
		open []string
	}{
		"shorter than its time": {func(s *story) {
			s.look(0, age(61))
			s.look(59*sec, age(70))
			s.look(60*sec, age(59))
			s.look(65*sec, age(61))
			s.look(70*sec, age(61))
		}, "", []string{"default pending"}},
		"the bound itself is no reason": {func(s *story) { s.look(0, age(60)); s.look(100*sec, age(60)) }, "", nil},
		"just beneath the bound does not resolve": {func(s *story) {
			s.look(0, age(61))
			s.look(60*sec, age(61))
			s.look(65*sec, age(55))
			s.look(200*sec, age(55))
		}, "1m0s default firing", []string{"default firing"}},
		"calm begins anew when it comes back": {func(s *story) {
			s.look(0, age(61))
			s.look(60*sec, age(61))
			s.look(65*sec, age(1))
			s.look(120*sec, age(61))
			s.look(125*sec, age(1))
			s.look(180*sec, age(1))
			s.look(185*sec, age(1))
		}, "1m0s default firing, 3m5s default resolved", nil},
		"no figure is no reason, and resolves": {func(s *story) {
			s.look(0, age(61))
			s.look(5*sec, age())
			s.look(10*sec, age(61))
			s.look(70*sec, age(61))
			s.look(75*sec, age())
			s.look(135*sec, age())
		}, "1m10s default firing, 2m15s default resolved", nil},
		"what cannot be told neither fires nor resolves": {func(s *story) {
			failed := age()
			failed.Err = errors.New("away")
			s.look(0, age(61))
			s.look(30*sec, failed)
			s.look(60*sec, age(61))
			s.look(120*sec, age(61))
			for at := 125 * sec; at < 600*sec; at += 5 * sec {
				s.look(at, failed)
			}
		}, "2m0s default firing", []string{"default firing"}},
		"a thing that cannot be told of": {func(s *story) {
			lost := down(true)
			lost.Readings[0].Unknown = true
			s.look(0, down(true))
			s.look(20*sec, lost)
			s.look(30*sec, down(true))
			s.look(59*sec, down(true))
		}, "", []string{"main pending"}},
		"a fleet that was not there": {func(s *story) {
			s.look(0, age(61))
			s.gap(3600 * sec)
			s.look(3600*sec, age(3661))
			s.look(3659*sec, age(3720))
		}, "", []string{"default pending"}},
		"a fleet that was not there does not resolve": {func(s *story) {
			s.look(0, down(true))
			s.look(30*sec, down(true))
			s.look(35*sec, down(false))
			s.gap(3600 * sec)
			s.look(3600*sec, down(false))
			s.look(3605*sec, down(false))
		}, "30s main firing", []string{"main firing"}},
		"at once": {func(s *story) {
			now := age(61)
			now.Rule.For = 0
			s.look(0, now)
		}, "0s default firing", []string{"default firing"}},
		"said to have begun before": {func(s *story) {
			since := down(true)
			since.Readings[0].Since = t0.Add(5 * sec)
			s.look(20*sec, since)
			s.look(35*sec, since)
		}, "35s main firing", []string{"main firing"}},
		"said to have begun before anybody looked": {func(s *story) {
			since := down(true)
			since.Readings[0].Since = t0.Add(-3600 * sec)
			s.look(0, since)
			s.look(25*sec, since)
		}, "", []string{"main pending"}},
		"twice in one look": {func(s *story) {
			s.look(0, age(61, 62))
			s.look(60*sec, age(61, 62))
		}, "1m0s default firing", []string{"default firing"}},
		"its rule was turned off": {func(s *story) {
			s.look(0, down(true))
			s.look(30*sec, down(true))
			s.look(35*sec, age(1))
			s.look(95*sec, age(1))
		}, "30s main firing, 1m35s main resolved", nil},
		"its rule was turned off before it fired": {func(s *story) {
			s.look(0, down(true))
			s.look(5 * sec)
		}, "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory()
			test.play(s)
			s.want(t, test.told, test.open...)
		})
	}
}

func TestEveryRuleIsShownInWords(t *testing.T) {
	t.Parallel()
	for _, rule := range job.AlertRules() {
		a := job.Alert{Rule: rule, About: main, State: job.AlertFiring, Value: 0.951, Threshold: 0.9, FiredAt: t0, Detail: "seen"}
		e := alert.EventOf(a)
		if e.Type != "alert.firing" || !e.Timestamp.Equal(t0) || e.Data.Summary == "" || e.Data.Remedy == "" || !strings.HasSuffix(e.Data.Summary, "(seen)") {
			t.Errorf("event of %s = %+v, want it in words", rule, e)
		}
		a.State, a.ResolvedAt = job.AlertResolved, t0.Add(time.Hour)
		if e := alert.EventOf(a); e.Type != "alert.resolved" || !e.Timestamp.Equal(a.ResolvedAt) || !strings.HasPrefix(e.Data.Summary, "resolved: ") {
			t.Errorf("event of %s = %+v, want it resolved", rule, e)
		}
	}
}
