package schedule_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

func spec(t testing.TB, cron, zone string) *schedule.Spec {
	t.Helper()
	s, err := schedule.ParseSpec(cron, zone)
	if err != nil {
		t.Fatalf("ParseSpec(%q, %q) = %v", cron, zone, err)
	}
	return s
}

func specOrNil(cron, zone string) *schedule.Spec {
	s, err := schedule.ParseSpec(cron, zone)
	if err != nil {
		return nil
	}
	return s
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestNextWhereClocksAreSet is what fires around gaps, overlaps and a day that
// was left out, in five zones.
func TestNextWhereClocksAreSet(t *testing.T) {
	t.Parallel()
	const (
		newYork  = "America/New_York"    // 02:00 to 03:00 on 8 March 2026, 02:00 to 01:00 on 1 November
		saoPaulo = "America/Sao_Paulo"   // 00:00 to 01:00 on 4 November 2018, 00:00 to 23:00 on 18 February
		lordHowe = "Australia/Lord_Howe" // 02:00 to 02:30 on 4 October 2026, 02:00 to 01:30 on 5 April
		apia     = "Pacific/Apia"        // no 30 December 2011
		morocco  = "Africa/Casablanca"   // 03:00 to 02:00 on 15 February 2026, 02:00 to 03:00 on 22 March
	)
	tests := []struct {
		name, zone, cron, after string
		want                    []string // local times
	}{
		{"a gap, once at its end", newYork, "30 2 * * *", "2026-03-07T12:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"several times in a gap are one fire", newYork, "*/20 2 * * *", "2026-03-08T06:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"the end of a gap fits too", newYork, "0 2,3 * * *", "2026-03-08T06:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		{"every hour over a gap", newYork, "0 * * * *", "2026-03-08T05:30:00Z", []string{"2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"}},
		{"an hour in an overlap, once", newYork, "30 1 * * *", "2026-10-31T12:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"a fixed hour, several times in an overlap", newYork, "*/30 1 * * *", "2026-11-01T04:30:00Z", []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:30:00-04:00", "2026-11-02T01:00:00-05:00"}},
		{"every hour over an overlap", newYork, "30 * * * *", "2026-11-01T05:00:00Z", []string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:30:00-05:00"}},
		{"every second over an overlap", newYork, "* * * * * *", "2026-11-01T05:59:58Z", []string{"2026-11-01T01:59:59-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:00:01-05:00"}},
		{"asked in the middle of an overlap", newYork, "30 1 * * *", "2026-11-01T06:10:00Z", []string{"2026-11-02T01:30:00-05:00"}},
		{"midnight is in a gap", saoPaulo, "0 0 * * *", "2018-11-03T12:00:00Z", []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"the last hour of a day, twice", saoPaulo, "15 23 * * *", "2018-02-17T12:00:00Z", []string{"2018-02-17T23:15:00-02:00", "2018-02-18T23:15:00-03:00"}},
		{"@daily", saoPaulo, "@daily", "2018-11-03T12:00:00Z", []string{"2018-11-04T01:00:00-02:00"}},
		{"half an hour's gap", lordHowe, "15 2 * * *", "2026-10-03T00:00:00Z", []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"after half an hour's gap", lordHowe, "45 2 * * *", "2026-10-03T10:00:00Z", []string{"2026-10-04T02:45:00+11:00"}},
		{"half an hour's overlap", lordHowe, "45 1 * * *", "2026-04-04T10:00:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"every hour over half an hour's overlap", lordHowe, "45 * * * *", "2026-04-04T14:30:00Z", []string{"2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30"}},
		{"a day that was left out", apia, "0 12 * * *", "2011-12-29T20:00:00Z", []string{"2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"}},
		{"on that day only", apia, "0 12 30 12 *", "2011-06-01T00:00:00Z", []string{"2011-12-31T00:00:00+14:00", "2012-12-30T12:00:00+14:00"}},
		{"the day before and the day after", apia, "30 23 29,31 12 *", "2011-12-01T00:00:00Z", []string{"2011-12-29T23:30:00-10:00", "2011-12-31T23:30:00+14:00"}},
		{"clocks set back for a month", morocco, "30 2 * * *", "2026-02-14T12:00:00Z", []string{"2026-02-15T02:30:00+01:00", "2026-02-16T02:30:00Z"}},
		{"and forward again", morocco, "30 2 * * *", "2026-03-21T12:00:00Z", []string{"2026-03-22T03:00:00+01:00", "2026-03-23T02:30:00+01:00"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, after := spec(t, test.cron, test.zone), at(t, test.after)
			for _, want := range test.want {
				if after = s.Next(after, time.Time{}); !after.Equal(at(t, want)) {
					t.Fatalf("Next = %s, want %s", after, want)
				}
			}
		})
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct{ cron, after, want string }{
		{"* * * * *", "2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z"},
		{"* * * * *", "2026-11-23T09:59:59.999Z", "2026-11-23T10:00:00Z"},
		{"*/15 * * * * *", "2026-11-23T10:00:45Z", "2026-11-23T10:01:00Z"},
		{"0 9 * * MON-FRI", "2026-11-20T09:00:00Z", "2026-11-23T09:00:00Z"},
		{"0 0 13 * 5", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"}, // either of the two days
		{"0 0 */2 * 5", "2026-11-05T00:00:00Z", "2026-11-06T00:00:00Z"},
		{"0 0 29 2 ?", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"59 59 23 31 12 *", "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z"},
		{"@hourly", "2026-11-23T10:30:00Z", "2026-11-23T11:00:00Z"},
		{"@weekly", "2026-11-23T10:30:00Z", "2026-11-29T00:00:00Z"},
		{"@monthly", "2026-11-23T10:30:00Z", "2026-12-01T00:00:00Z"},
		{"@yearly", "2026-11-23T10:30:00Z", "2027-01-01T00:00:00Z"},
		{"5/20 4 1 JAN,jul *", "2026-01-01T04:25:00Z", "2026-01-01T04:45:00Z"},
	}
	for _, test := range tests {
		if got := spec(t, test.cron, "UTC").Next(at(t, test.after), time.Time{}); !got.Equal(at(t, test.want)) {
			t.Errorf("Next(%q, %s) = %s, want %s", test.cron, test.after, got, test.want)
		}
	}
}

func TestNextOfEvery(t *testing.T) {
	t.Parallel()
	anchor := at(t, "2026-11-23T10:00:05Z")
	tests := []struct{ cron, after, want string }{
		{"@every 10s", "2026-11-23T10:00:05Z", "2026-11-23T10:00:15Z"},
		{"@every 10s", "2026-11-23T10:00:14.999Z", "2026-11-23T10:00:15Z"},
		{"@every 10s", "2026-11-23T10:00:15Z", "2026-11-23T10:00:25Z"},
		{"@every 10s", "2020-01-01T00:00:00Z", "2026-11-23T10:00:15Z"},
		{"@every 1h30m", "2026-11-24T00:00:00Z", "2026-11-24T01:00:05Z"},
		{"@every 1.5s", "2026-11-23T10:00:06Z", "2026-11-23T10:00:06.5Z"},
	}
	for _, test := range tests {
		if got := spec(t, test.cron, "Europe/Berlin").Next(at(t, test.after), anchor); !got.Equal(at(t, test.want)) {
			t.Errorf("Next(%q, %s) = %s, want %s", test.cron, test.after, got, test.want)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	t.Parallel()
	tests := []struct{ cron, zone, pointer, code, says string }{
		{"", "UTC", "/cron", schedule.CodeInvalidCron, "empty"},
		{" ", "UTC", "/cron", schedule.CodeInvalidCron, "empty"},
		{"* * * *", "UTC", "/cron", schedule.CodeInvalidCron, "but 4"},
		{"* * * * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "but 7"},
		{"60 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"* 24 * * *", "UTC", "/cron", schedule.CodeInvalidCron, "hour"},
		{"* * 0 * *", "UTC", "/cron", schedule.CodeInvalidCron, "day of the month"},
		{"* * * 13 *", "UTC", "/cron", schedule.CodeInvalidCron, "month"},
		{"* * * * 7", "UTC", "/cron", schedule.CodeInvalidCron, "0 (Sunday) to 6"},
		{"60 * * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "second"},
		{"5-1 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"*/0 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{", * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"1, * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"*-5 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"+5 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "minute"},
		{"* * * * L", "UTC", "/cron", schedule.CodeInvalidCron, "day of the week"},
		{"* * * foo *", "UTC", "/cron", schedule.CodeInvalidCron, "month"},
		{strings.Repeat("1,", 200) + "1 * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "256"},
		{"TZ=UTC * * * * *", "UTC", "/cron", schedule.CodeInvalidCron, "timezone"},
		{"TZ=0", "UTC", "/cron", schedule.CodeInvalidCron, "timezone"},
		{"CRON_TZ=", "UTC", "/cron", schedule.CodeInvalidCron, "timezone"},
		{"@reboot", "UTC", "/cron", schedule.CodeInvalidCron, "@every"},
		{"@every", "UTC", "/cron", schedule.CodeInvalidCron, "@every"},
		{"@every 0s", "UTC", "/cron", schedule.CodeInvalidCron, "1s"},
		{"@every 1ns", "UTC", "/cron", schedule.CodeInvalidCron, "1s"},
		{"@every 999ms", "UTC", "/cron", schedule.CodeInvalidCron, "1s"},
		{"@every -5m", "UTC", "/cron", schedule.CodeInvalidCron, "1s"},
		{"@every soon", "UTC", "/cron", schedule.CodeInvalidCron, "duration"},
		{"0 0 30 2 *", "UTC", "/cron", schedule.CodeNeverFires, "no year"},
		{"0 0 31 2,4,6,9,11 ?", "UTC", "/cron", schedule.CodeNeverFires, "no year"},
		{"* * * * *", "Mars/Base", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "../../etc/passwd", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "/etc/localtime", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "Local", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "right/Europe/Berlin", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
		{"* * * * *", "Europe/Berlin\x00", "/timezone", schedule.CodeUnknownTimezone, "time zone"},
	}
	for _, test := range tests {
		_, err := schedule.ParseSpec(test.cron, test.zone)
		var invalid *job.InvalidError
		if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Malformed {
			t.Errorf("ParseSpec(%q, %q) = %v, want one fault", test.cron, test.zone, err)
			continue
		}
		if f := invalid.Fields[0]; f.Pointer != test.pointer || f.Code != test.code || !strings.Contains(f.Message, test.says) {
			t.Errorf("ParseSpec(%q, %q): %+v, want %s at %s, which says %q", test.cron, test.zone, f, test.code, test.pointer, test.says)
		}
	}
	var invalid *job.InvalidError
	if _, err := schedule.ParseSpec("x", "y"); !errors.As(err, &invalid) || len(invalid.Fields) != 2 {
		t.Errorf("ParseSpec of two bad fields = %v, want both told", err)
	}
}

// FuzzParseSpec holds that whatever is taken fires, and after the time asked for.
func FuzzParseSpec(f *testing.F) {
	for _, seed := range []string{"* * * * *", "@every 1s", "0 0 29 2 *", "*/7 1-5,8 ? JAN 0", "TZ=0", "@daily"} {
		f.Add(seed, "Europe/Berlin", int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, cron, zone string, unix int64) {
		s, err := schedule.ParseSpec(cron, zone)
		if err != nil {
			return
		}
		after := time.Unix(unix%4_000_000_000, 0)
		if next := s.Next(after, after); !next.After(after) {
			t.Errorf("Next(%q, %q, %s) = %s", cron, zone, after, next)
		}
	})
}

// zones are all names of the IANA database.
func zones(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}
