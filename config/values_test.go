package config_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/config"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want time.Duration
		back string
	}{
		{"0", 0, "0s"}, {"0s", 0, "0s"}, {"250ms", 250 * time.Millisecond, "250ms"}, {"1h30m", 90 * time.Minute, "1h30m"},
		{"60s", time.Minute, "1m"}, {"168h", 168 * time.Hour, "168h"}, {"PT5M", 5 * time.Minute, "5m"}, {"P1D", 24 * time.Hour, "24h"},
		{"1h0m1s", time.Hour + time.Second, "1h0m1s"}, {"10m0.5s", 10*time.Minute + time.Second/2, "10m0.5s"}, {"-20m", -20 * time.Minute, "-20m"},
	}
	for _, test := range tests {
		got, err := config.ParseDuration(test.text)
		if err != nil || got.Std() != test.want || got.String() != test.back {
			t.Errorf("ParseDuration(%q) = %v, %v, want %s", test.text, got, err, test.back)
		}
	}
	for _, bad := range []string{"", "5", "1 s", "1y", "P1Y", "forever"} {
		if got, err := config.ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", bad, got)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want config.Size
		back string
	}{
		{"0", 0, "0"}, {"1000", 1000, "1000"}, {"512B", 512, "512"}, {"1KiB", 1 << 10, "1KiB"}, {"1024", 1 << 10, "1KiB"}, {"1 MiB", 1 << 20, "1MiB"},
		{"1536KiB", 1536 << 10, "1536KiB"}, {"8GiB", 8 << 30, "8GiB"}, {"2048MiB", 2 << 30, "2GiB"},
	}
	for _, test := range tests {
		got, err := config.ParseSize(test.text)
		if err != nil || got != test.want || got.String() != test.back || got.Bytes() != int64(test.want) {
			t.Errorf("ParseSize(%q) = %v, %v, want %s", test.text, got, err, test.back)
		}
	}
	for _, bad := range []string{"", "KiB", "-1", "1.5MiB", "1MB", "1mib", "1TiB", "9223372036854775808", "8589934592GiB", "0x10"} {
		if got, err := config.ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) = %v, want an error", bad, got)
		}
	}
}

// TestRoundTrips checks that what is written parses to the same.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		duration := config.Duration(rapid.Int64().Draw(t, "duration"))
		var gotDuration config.Duration
		if text, _ := duration.MarshalText(); gotDuration.UnmarshalText(text) != nil || gotDuration != duration {
			t.Errorf("UnmarshalText(%s) = %d, want %d", text, gotDuration, duration)
		}
		size := config.Size(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"))
		var gotSize config.Size
		if text, _ := size.MarshalText(); gotSize.UnmarshalText(text) != nil || gotSize != size {
			t.Errorf("UnmarshalText(%s) = %d, want %d", text, gotSize, size)
		}
	})
}
