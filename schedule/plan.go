package schedule

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxLate is how late a fire may be and is not missed, unless its interval is
// shorter.
const maxLate = time.Minute

// maxYear is the last that RFC 3339 can write.
const maxYear = 9999

// times are the fires of one schedule.
type times struct {
	spec               *Spec
	anchor, start, end time.Time
}

func timesOf(spec *Spec, s *job.Schedule) times {
	return times{spec: spec, anchor: s.Anchor, start: s.Start, end: s.End}
}

// next returns the first fire after the given time; zero when there is none.
func (t times) next(after time.Time) time.Time {
	if before := t.start.Add(-time.Microsecond); !t.start.IsZero() && after.Before(before) {
		after = before
	}
	next := t.spec.Next(after, t.anchor)
	if !t.end.IsZero() && next.After(t.end) || next.Year() > maxYear {
		return time.Time{}
	}
	return next
}

// NextFires returns the next n fires of a schedule after the given time, fewer
// if there are no more. It does not ask whether the schedule is paused.
func NextFires(spec *Spec, s *job.Schedule, after time.Time, n int) []time.Time {
	t := timesOf(spec, s)
	fires := make([]time.Time, 0, n)
	for len(fires) < n {
		if after = t.next(after); after.IsZero() {
			break
		}
		fires = append(fires, after)
	}
	return fires
}

// Fire is one fire that a job is to be made for.
type Fire struct {
	At      time.Time // the time that the schedule names
	RunAt   time.Time // when its job may start
	Waiting bool      // for jobs of the same schedule to end
}

// Decision is what becomes of a schedule that is due.
type Decision struct {
	Fires   []Fire
	Next    time.Time // zero: there is none
	Missed  int       // fires that were too late, and get no job; at least, if there were very many
	Skipped int       // fires that get no job because others have not ended
}

// Decide says what becomes of a schedule whose NextFire has come, at the given
// time, while open of its jobs have not ended. (With job.OverlapAllow, open is
// not looked at.)
//
// Fires that are later than the shorter of their interval and a minute are
// missed. Jobs that are made by one decision run one after the other, unless
// overlaps are allowed: which of them there are does not depend on how fast
// they run.
func Decide(spec *Spec, s *job.Schedule, now time.Time, open int) Decision {
	t := timesOf(spec, s)
	due := t.due(s.NextFire, now)
	d := Decision{Next: t.next(now)}
	var missed, fires []time.Time
	for i, at := range due {
		after := d.Next
		if i+1 < len(due) {
			after = due[i+1]
		}
		late := maxLate
		if !after.IsZero() {
			late = min(late, after.Sub(at))
		}
		if now.Sub(at) > late {
			missed = append(missed, at)
		} else {
			fires = append(fires, at)
		}
	}
	caughtUp := missed
	switch s.Missed {
	case job.MissedOnce:
		caughtUp = missed[max(0, len(missed)-1):]
	case job.MissedAll:
		caughtUp = missed[max(0, len(missed)-job.MaxMissed):]
	case job.MissedSkip:
		caughtUp = nil
	}
	d.Missed = len(missed) - len(caughtUp)
	for _, at := range append(slices.Clip(caughtUp), fires...) {
		waiting := open > 0 || len(d.Fires) > 0
		switch {
		case s.Overlap == job.OverlapAllow:
			waiting = false
		case s.Overlap == job.OverlapQueue && open+len(d.Fires) > job.MaxQueued,
			s.Overlap != job.OverlapQueue && open > 0:
			d.Skipped++
			continue
		}
		runAt := at.Add(jitter(s, at))
		if runAt.Before(now) {
			runAt = now
		}
		d.Fires = append(d.Fires, Fire{At: at, RunAt: runAt, Waiting: waiting})
	}
	return d
}

// due lists the fires from first to now, of very many the latest.
func (t times) due(first, now time.Time) []time.Time {
	for back := maxLate; ; back *= 4 {
		var fires []time.Time
		after := now.Add(-back)
		whole := !after.After(first)
		if whole {
			fires, after = append(fires, first), first
		}
		for at := t.next(after); !at.IsZero() && !at.After(now); at = t.next(at) {
			fires = append(fires, at)
		}
		if whole || len(fires) > job.MaxMissed+1 {
			return fires
		}
	}
}

// jitter is how late a fire's job starts: the same whoever asks.
func jitter(s *job.Schedule, at time.Time) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.Name + "\x00" + strconv.FormatInt(at.UnixMicro(), 10))) // it never fails
	return time.Duration(h.Sum64() % uint64(s.Jitter+1)).Truncate(time.Microsecond)
}

// Arrange fills in what the ledger is to know of a schedule that is stored for
// the first time, or in place of old (which may be nil), at the given time: from
// where its intervals count and when it fires next. What is about to fire, or
// was missed, stays so unless the change is one of times. A schedule that is
// not paused and never fires is a *job.InvalidError.
func Arrange(spec *Spec, s, old *job.Schedule, now time.Time) error {
	same := old != nil && old.Cron == s.Cron && old.Timezone == s.Timezone && old.Start.Equal(s.Start)
	s.Anchor = now.Truncate(time.Second)
	switch {
	case !s.Start.IsZero():
		s.Anchor = s.Start.Add(-spec.every) // it fires at its start
	case same:
		s.Anchor = old.Anchor
	}
	if old != nil {
		s.LastFire, s.LastJob = old.LastFire, old.LastJob
	}
	if same && old.End.Equal(s.End) && !old.Paused && !s.Paused {
		s.NextFire = old.NextFire
		return nil
	}
	next := timesOf(spec, s).next(now)
	if next.IsZero() && (old == nil || !same || !old.End.Equal(s.End)) {
		return job.Invalid("/end", CodeNeverFires, "there is no fire between now or start, and end")
	}
	if s.NextFire = next; s.Paused {
		s.NextFire = time.Time{}
	}
	return nil
}
