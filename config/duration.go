package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/duration"
)

// Duration is a length of time, written as Go does ("250ms", "1h30m") or as
// ISO 8601 does ("PT5M").
type Duration time.Duration

// ParseDuration reads either spelling; a bare number needs a unit, unless it
// is 0.
func ParseDuration(s string) (Duration, error) {
	d, err := duration.Parse(s)
	if err != nil {
		return 0, fmt.Errorf("%w; write a number with a unit", err)
	}
	return Duration(d), nil
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes d as Go does, without units that are zero: "1h", not "1h0m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes what String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
