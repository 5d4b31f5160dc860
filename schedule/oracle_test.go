package schedule_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// field is one field of a specification, as a text and as what it means.
type field struct {
	text string
	fits map[int]bool
	star bool
}

// anyField draws a field whose values go from low to high.
func anyField(low, high int) *rapid.Generator[field] {
	return rapid.Custom(func(t *rapid.T) field {
		f := field{fits: map[int]bool{}}
		var items []string
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			from, to, step := low, high, 1
			text := ""
			switch rapid.IntRange(0, 4).Draw(t, "form") {
			case 0, 1:
				text = "*"
			case 2, 3:
				from = rapid.IntRange(low, high).Draw(t, "value")
				to, text = from, strconv.Itoa(from)
			case 4:
				from = rapid.IntRange(low, high).Draw(t, "from")
				to = rapid.IntRange(from, high).Draw(t, "to")
				text = fmt.Sprintf("%d-%d", from, to)
			}
			if rapid.IntRange(0, 3).Draw(t, "stepped") == 0 {
				step = rapid.IntRange(1, high).Draw(t, "step")
				if !strings.ContainsAny(text, "*-") {
					to = high // 5/10 goes on to the end
				}
				text += "/" + strconv.Itoa(step)
			}
			f.star = f.star || text == "*" || text == "*/1"
			for v := from; v <= to; v += step {
				f.fits[v] = true
			}
			items = append(items, text)
		}
		f.text = strings.Join(items, ",")
		return f
	})
}

// oracle fires minute by minute: it remembers what the clock has shown.
type oracle struct {
	minute, hour, dom, month, dow field
	loc                           *time.Location
}

func (o *oracle) fits(wall int64) bool {
	clock := time.Unix(wall, 0).UTC()
	if !o.minute.fits[clock.Minute()] || !o.hour.fits[clock.Hour()] || !o.month.fits[int(clock.Month())] {
		return false
	}
	inMonth, inWeek := o.dom.fits[clock.Day()], o.dow.fits[int(clock.Weekday())]
	if !o.dom.star && !o.dow.star {
		return inMonth || inWeek
	}
	return inMonth && inWeek
}

// wall is what the clock shows, as if it had never been set.
func (o *oracle) wall(t time.Time) int64 {
	_, offset := t.In(o.loc).Zone()
	return t.Unix() + int64(offset)
}

// fires lists the fires after one time and up to another. Both are whole minutes.
func (o *oracle) fires(after, until time.Time) []time.Time {
	shown := map[int64]bool{}
	begin := after.Add(-30 * time.Hour)
	last := o.wall(begin)
	var fires []time.Time
	for t := begin; !t.After(until); t = t.Add(time.Minute) {
		now := o.wall(t)
		fire := o.fits(now) && (o.hour.star || !shown[now])
		for skipped := last + 60; skipped < now; skipped += 60 {
			fire = fire || o.fits(skipped) && !shown[skipped]
			shown[skipped] = true // it will not come again
		}
		shown[now], last = true, now
		if fire && t.After(after) {
			fires = append(fires, t)
		}
	}
	return fires
}

// TestNextAgainstOracle compares a few days of fires, most of them around a
// change of the clock, of random specifications in every zone: each check takes
// one zone in twenty.
func TestNextAgainstOracle(t *testing.T) {
	t.Parallel()
	all := zones(t)
	const stride = 20
	rapid.Check(t, func(t *rapid.T) {
		o := anyOracle(t)
		for i := rapid.IntRange(0, stride-1).Draw(t, "zones"); i < len(all); i += stride {
			checkZone(t, o, all[i])
		}
	})
}

func anyOracle(t *rapid.T) *oracle {
	o := &oracle{minute: anyField(0, 59).Draw(t, "minute"), hour: anyField(0, 23).Draw(t, "hour")}
	o.dom, o.month, o.dow = anyField(1, 31).Draw(t, "dom"), anyField(1, 12).Draw(t, "month"), anyField(0, 6).Draw(t, "dow")
	if rapid.Bool().Draw(t, "any day") { // else most of them fire on few days
		star := field{text: "*", star: true, fits: map[int]bool{}}
		for v := range 32 {
			star.fits[v] = true
		}
		o.dom, o.month, o.dow = star, star, star
	}
	return o
}

func checkZone(t *rapid.T, o *oracle, zone string) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	o.loc = loc
	from := time.Unix(rapid.Int64Range(1975, 2045).Draw(t, "year")*31_556_952-1970*31_556_952+rapid.Int64Range(0, 31_556_952).Draw(t, "second"), 0)
	if rapid.IntRange(0, 4).Draw(t, "near") > 0 {
		if _, change := from.In(loc).ZoneBounds(); !change.IsZero() && change.Year() < 2046 {
			from = change.Add(-time.Duration(rapid.IntRange(-3, 28).Draw(t, "hours")) * time.Hour)
		}
	}
	from = from.Truncate(time.Minute)
	until := from.Add(32 * time.Hour)
	text := strings.Join([]string{o.minute.text, o.hour.text, o.dom.text, o.month.text, o.dow.text}, " ")
	s := specOrNil(text, zone)
	want := o.fires(from, until)
	if s == nil {
		if len(want) > 0 {
			t.Fatalf("%q in %s is refused, and fires at %s", text, zone, want[0])
		}
		return
	}
	at := from
	for _, next := range want {
		if at = s.Next(at, from); !at.Equal(next) {
			t.Fatalf("%q in %s: Next = %s, want %s", text, zone, at.In(loc), next.In(loc))
		}
	}
	if at = s.Next(at, from); !at.After(until) {
		t.Fatalf("%q in %s: Next = %s, want none until %s", text, zone, at.In(loc), until.In(loc))
	}
}
