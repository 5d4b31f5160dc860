package schedule

import (
	"math"
	"math/bits"
	"time"
)

const (
	day = 86400 // seconds
	// lookback is how far back a clock can have shown what it shows again: zones
	// have changed their offsets by a whole day.
	lookback = 50 * 3600
	// horizon bounds the search for a fire. 29 February is eight years apart
	// around a century.
	horizon = 9 * 366 * day
	never   = math.MaxInt64
)

// Next returns the first fire after the given time, in UTC; zero when there is
// none. The fires of @every are whole intervals away from anchor, whose first
// is one interval after it.
//
// A fire has its time on the clock of the zone. Where that clock jumps over
// the times of some fires, there is one in their place, at the first instant
// after the jump. Where the clock shows a time twice, a fire happens at the
// first; if the hour is a star, at both: then hours are counted as they pass.
func (s *Spec) Next(after, anchor time.Time) time.Time {
	if s.every > 0 {
		return s.nextEvery(after, anchor)
	}
	start := after.Unix()
	period := s.period(start - lookback)
	shown := max(period.start, start-lookback) + period.offset // clock times below it were shown before
	for period.start < start+horizon {
		begin := period.start + period.offset
		if begin > shown && period.start > start && s.clock(shown) < begin {
			return instant(period.start) // the clock jumped over a fire
		}
		from := max(begin, start+1+period.offset)
		if !s.everyHour {
			from = max(from, shown)
		}
		found := s.clock(from)
		switch {
		case found == never:
			return time.Time{}
		case period.end == never || found < period.end+period.offset:
			return instant(found - period.offset)
		}
		shown = max(shown, period.end+period.offset)
		next := period.end
		if period.end > start { // nothing happens before what was found, whatever the offset there
			next = max(next, found-period.offset-lookback)
		}
		period = s.period(next)
	}
	return time.Time{}
}

func (s *Spec) nextEvery(after, anchor time.Time) time.Time {
	every, from := s.every.Microseconds(), anchor.UnixMicro()
	passed := floor(after.UnixMicro()-from, every) // the difference of two times may be more than a time.Duration holds
	return time.UnixMicro(from + (max(passed, 0)+1)*every).UTC()
}

func instant(unix int64) time.Time { return time.Unix(unix, 0).UTC() }

// period is a time during which a zone keeps its offset.
type period struct {
	start, end int64 // Unix seconds; never and its opposite where there is no bound
	offset     int64 // seconds east of UTC
}

func (s *Spec) period(at int64) period {
	t := time.Unix(at, 0).In(s.loc)
	_, offset := t.Zone()
	p := period{start: math.MinInt64 / 2, end: never, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= at { // package time takes every year for one of 365 days where it goes by a rule
		p.end = max(p.end+day, at+1)
	}
	return p
}

// clock returns the first time on the clock, at or after from, that fits the
// fields; never if none does within the horizon. Times on the clock are the
// seconds that would have passed since 1970 if it had never been set.
func (s *Spec) clock(from int64) int64 {
	of := from - floor(from, day)*day
	for date := floor(from, day); date*day < from+horizon; date++ {
		t := time.Unix(date*day, 0).UTC()
		year, month, dom := t.Date()
		if s.month&(1<<month) == 0 { // to the first of the next month
			date = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC).Unix()/day - 1
			of = 0
			continue
		}
		if s.fitsDay(dom, t.Weekday()) {
			if found := s.ofDay(of); found < day {
				return date*day + found
			}
		}
		of = 0
	}
	return never
}

func (s *Spec) fitsDay(dom int, dow time.Weekday) bool {
	inMonth, inWeek := s.dom&(1<<dom) != 0, s.dow&(1<<dow) != 0
	if s.eitherDay {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// ofDay returns the first second of a day, at or after from, that fits; day
// when none does.
func (s *Spec) ofDay(from int64) int64 {
	hour, minute, second := from/3600, from/60%60, from%60
	for {
		next := bitFrom(s.hour, hour)
		if next >= 24 {
			return day
		}
		if next > hour {
			hour, minute, second = next, 0, 0
		}
		next = bitFrom(s.minute, minute)
		if next >= 60 {
			hour, minute, second = hour+1, 0, 0
			continue
		}
		if next > minute {
			minute, second = next, 0
		}
		if next = bitFrom(s.second, second); next < 60 {
			return hour*3600 + minute*60 + next
		}
		minute, second = minute+1, 0
	}
}

// bitFrom is the first bit of set at or after from; 64 when there is none.
func bitFrom(set uint64, from int64) int64 {
	return int64(bits.TrailingZeros64(set >> from << from))
}

// floor is a/b, rounded down; b is positive.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
