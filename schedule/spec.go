package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are the same everywhere, and need no files

	"github.com/robfig/cron/v3"

	"github.com/asyncops/asyncops/job"
)

// Codes of job.FieldError.
const (
	CodeInvalidCron     = "invalid_cron"
	CodeNeverFires      = "never_fires"
	CodeUnknownTimezone = "unknown_timezone"
)

// Bounds of a specification.
const (
	MinEvery = time.Second
	maxCron  = 256 // bytes
)

// Spec says when something fires. It is safe for concurrent use.
type Spec struct {
	every time.Duration // of @every; 0: the fields below
	loc   *time.Location

	second, minute, hour, dom, month, dow uint64 // bit n is the value n
	everyHour                             bool   // the hour is a star: every hour that passes, not hours of the clock
	eitherDay                             bool   // dom and dow are both restricted: one of them is enough
}

// ParseSpec reads 5 fields (minute, hour, day of the month, month and day of the
// week), 6 (seconds first), a descriptor such as @daily, or @every with a
// duration, in a time zone of the IANA database. Its errors are
// *job.InvalidError about "/cron" and "/timezone", also when the fields name a
// day that no year has.
func ParseSpec(text, timezone string) (*Spec, error) {
	var faults []job.FieldError
	fault := func(pointer, code, format string, args ...any) {
		faults = append(faults, job.FieldError{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	loc, err := location(timezone)
	if err != nil {
		fault("/timezone", CodeUnknownTimezone, "%s", err)
		loc = time.UTC
	}
	spec, err := parseCron(text)
	switch {
	case err != nil:
		fault("/cron", CodeInvalidCron, "%s", err)
	case !spec.fires():
		fault("/cron", CodeNeverFires, "no year has a day that fits the day of the month and the month")
	}
	if len(faults) > 0 {
		return nil, &job.InvalidError{Fields: faults}
	}
	spec.loc = loc
	return spec, nil
}

var zoneName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// zones holds every location that was asked for: reading one takes longer than
// all that is calculated with it. Names of zones bound it.
var zones sync.Map // string to *time.Location

func location(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	first, _, _ := strings.Cut(name, "/")
	// These are the host's own affair: its setting, and tables that count leap seconds.
	local := slices.Contains([]string{"Local", "localtime", "posixrules", "posix", "right"}, first)
	if !local && zoneName.MatchString(name) {
		if loc, err := time.LoadLocation(name); err == nil {
			zones.Store(name, loc)
			return loc, nil
		}
	}
	return nil, errors.New("is not a time zone; write UTC or a name of the IANA database, such as Europe/Berlin")
}

var (
	fieldNames = []string{"second", "minute", "hour", "day of the month", "month", "day of the week"}
	fieldForm  = regexp.MustCompile(`^(?:(?:[*?]|[0-9]{1,2}(?:-[0-9]{1,2})?|[A-Za-z]{3}(?:-[A-Za-z]{3})?)(?:/[0-9]{1,2})?(?:,|$))+$`)
)

func parseCron(text string) (*Spec, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return nil, errors.New("is empty; write 5 or 6 fields, @daily and its like, or @every 10s")
	case len(text) > maxCron:
		return nil, fmt.Errorf("has %d bytes; want at most %d", len(text), maxCron)
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return nil, errors.New("names a time zone; write it into timezone")
	}
	if every, ok := strings.CutPrefix(text, "@every "); ok {
		d, err := time.ParseDuration(every)
		if err != nil || d < MinEvery {
			return nil, fmt.Errorf("has an interval that is not a duration of at least %s; write it like @every 10s", MinEvery)
		}
		return &Spec{every: d.Truncate(time.Microsecond)}, nil
	}
	if !strings.HasPrefix(text, "@") {
		if err := checkFields(strings.Fields(text)); err != nil {
			return nil, err
		}
	}
	parsed, err := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(text)
	c, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, errors.New("is neither 5 or 6 fields, nor @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually or @every with a duration")
	}
	const star = 1 << 63 // the parser's mark of a field without a restriction
	return &Spec{
		second: c.Second &^ star, minute: c.Minute &^ star, hour: c.Hour &^ star,
		dom: c.Dom &^ star, month: c.Month &^ star, dow: c.Dow &^ star,
		everyHour: c.Hour&star != 0, eitherDay: c.Dom&star == 0 && c.Dow&star == 0,
	}, nil
}

// checkFields says which field is wrong, and refuses what the parser passes
// over: empty items, a star that begins a range, signs.
func checkFields(fields []string) error {
	if len(fields) != 5 && len(fields) != 6 {
		return fmt.Errorf("does not have 5 or 6 fields, but %d; write 5 (minute hour day month weekday) or 6 (second first)", len(fields))
	}
	six := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	for i, field := range fields {
		place := i + len(fieldNames) - len(fields)
		if !fieldForm.MatchString(field) || strings.HasSuffix(field, ",") {
			return fmt.Errorf("has the %s %q; use numbers, names, * / , and -", fieldNames[place], field)
		}
		alone := []string{"*", "*", "*", "*", "*", "*"}
		alone[place] = field
		if _, err := six.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Errorf("has the %s %q, which is %s", fieldNames[place], field, limits(place))
		}
	}
	return nil
}

func limits(place int) string {
	return "no such value, range or step; it goes from " +
		[]string{"0 to 59", "0 to 59", "0 to 23", "1 to 31", "1 to 12", "0 (Sunday) to 6"}[place]
}

// fires reports whether the calendar has a day that fits.
func (s *Spec) fires() bool {
	if s.every > 0 || s.eitherDay || s.dow != 1<<7-1 {
		return true
	}
	for month, days := range []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		if s.month&(1<<(month+1)) != 0 && bits.TrailingZeros64(s.dom) <= days {
			return true
		}
	}
	return false
}
