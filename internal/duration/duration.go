// Package duration owns the two spellings of a length of time that asyncops
// accepts, in its configuration and over REST: Go's ("250ms", "1h30m") and
// ISO 8601's ("PT5M", "P1DT12H", "PT0.5S"). It refuses calendar units whose
// length varies (years and months).
package duration

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// ErrSyntax is returned, wrapped, for text that is neither spelling.
var ErrSyntax = errors.New("not a duration such as 250ms, 1h30m or PT5M")

// Parse reads s in either spelling. The result may be negative; bounds are
// for the caller to check.
func Parse(s string) (time.Duration, error) {
	if strings.HasPrefix(s, "P") || strings.HasPrefix(s, "-P") {
		return parseISO(s)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is %w", s, ErrSyntax)
	}
	return d, nil
}

// unit is one designator of ISO 8601 in the order in which they must appear.
type unit struct {
	letter byte
	length time.Duration
}

var (
	dateUnits = []unit{{'W', 7 * 24 * time.Hour}, {'D', 24 * time.Hour}}
	timeUnits = []unit{{'H', time.Hour}, {'M', time.Minute}, {'S', time.Second}}
)

func parseISO(s string) (time.Duration, error) {
	body, negative := strings.CutPrefix(s, "-")
	date, clock, hasClock := strings.Cut(body[1:], "T")
	var sum iso
	ok := sum.add(date, dateUnits) && sum.add(clock, timeUnits)
	if !ok || (hasClock && clock == "") || (date == "" && clock == "") {
		return 0, fmt.Errorf("%q is %w", s, ErrSyntax)
	}
	if negative {
		return -sum.total, nil
	}
	return sum.total, nil
}

// iso adds up the parts of a duration, exactly.
type iso struct {
	total time.Duration
	ended bool // a fraction was seen, which only the last part may have
}

// add takes pairs of number and designator; false means that s is not made of
// the units, each at most once and in their order, or that the sum overflows.
func (sum *iso) add(s string, units []unit) bool {
	for s != "" {
		end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != ',' })
		if end <= 0 || sum.ended {
			return false
		}
		for len(units) > 0 && units[0].letter != s[end] {
			units = units[1:]
		}
		if len(units) == 0 {
			return false
		}
		length, ok := sum.part(s[:end], units[0].length)
		if !ok || length > math.MaxInt64-sum.total {
			return false
		}
		sum.total += length
		units, s = units[1:], s[end+1:]
	}
	return true
}

// part multiplies a number such as "12" or "0.5" by a unit. What is less than
// a nanosecond is dropped.
func (sum *iso) part(number string, length time.Duration) (time.Duration, bool) {
	whole, fraction, hasFraction := strings.Cut(strings.Replace(number, ",", ".", 1), ".")
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/length) {
		return 0, false
	}
	total := time.Duration(n) * length
	if !hasFraction {
		return total, true
	}
	sum.ended = true
	if fraction == "" || strings.ContainsAny(fraction, ".,") {
		return 0, false
	}
	const places, scale = 18, 1_000_000_000_000_000_000
	digits := (fraction + strings.Repeat("0", places))[:places]
	f, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	high, low := bits.Mul64(f, uint64(length))
	rest, _ := bits.Div64(high, low, scale) // below length, for f is below scale
	if time.Duration(rest) > math.MaxInt64-total {
		return 0, false
	}
	return total + time.Duration(rest), true
}
