package duration_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/duration"
)

const day = 24 * time.Hour

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want time.Duration
	}{
		{"0", 0}, {"250ms", 250 * time.Millisecond}, {"1h30m", 90 * time.Minute}, {"-5s", -5 * time.Second}, {"1.5h", 90 * time.Minute},
		{"PT5M", 5 * time.Minute}, {"PT0S", 0}, {"P0D", 0}, {"P1D", day}, {"P2W", 14 * day}, {"P1DT12H", 36 * time.Hour}, {"P1W2DT3H4M5S", 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second},
		{"PT36H", 36 * time.Hour}, {"PT0.5S", 500 * time.Millisecond}, {"PT1,5S", 1500 * time.Millisecond}, {"PT1.5H", 90 * time.Minute}, {"-PT5M", -5 * time.Minute},
		{"PT0.1S", 100 * time.Millisecond}, {"PT0.000000001S", 1}, {"PT9223372036S", 9223372036 * time.Second},
		{"PT9223372036.854775807S", math.MaxInt64}, {"PT1.1S", 1100 * time.Millisecond}, {"PT86400.123456789S", 86400*time.Second + 123456789},
		{"P106751DT23H47M16.854775807S", math.MaxInt64}, {"PT123456789.123456789S", 123456789*time.Second + 123456789},
	}
	for _, test := range tests {
		got, err := duration.Parse(test.text)
		if err != nil || got != test.want {
			t.Errorf("Parse(%q) = %d, %v, want %d", test.text, got, err, test.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "5", "1 h", " 1h", "1y", "forever",
		"P", "PT", "-P", "-PT", "P1DT", "P1", "PT1", "PTS", "P1Y", "P1M", "P1Y2M", "P1H", "PT1D", "PT1W", "PT5M5M", "PT5S5M", "P1D1W",
		"PT-5M", "P-1D", "--PT5M", "+PT5M", "pt5m", "PT5m", "PT5M ", "PT1T1S", "PT1.2.3S", "PT.S", "PT.5S", "PT5.S", "PT1.5H30M", "P0.5DT1H", "PT1e3S", "PT0x1S", "PTInfS",
		"PT9223372037S", "PT9223372036.854775808S", "P106752D", "-P106752D", "PT99999999999999999999999S", "PT" + strings.Repeat("9", 400) + "S",
	} {
		got, err := duration.Parse(text)
		if !errors.Is(err, duration.ErrSyntax) {
			t.Errorf("Parse(%q) = %v, %v, want ErrSyntax", text, got, err)
		}
	}
}

// FuzzParse checks that no text does harm, and that what Go writes reads the
// same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"PT5M", "P1DT12H", "-PT0.5S", "1h30m", "PT9223372036.854775807S", "P", "PT.S"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := duration.Parse(text)
		if err != nil {
			if !errors.Is(err, duration.ErrSyntax) {
				t.Errorf("Parse(%q) = %v, want ErrSyntax", text, err)
			}
			return
		}
		if again, err := duration.Parse(d.String()); err != nil || again != d {
			t.Errorf("Parse(%q) = %v, %v, want %v", d, again, err, d)
		}
	})
}
