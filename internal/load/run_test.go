package load_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

func quiet(load.Progress) {}

// Every figure is of what the server has accepted.
func TestRun(t *testing.T) {
	t.Parallel()
	s := &server{others: true}
	var shown []load.Progress
	r, err := load.Run(t.Context(), s.start(t), plan(), func(p load.Progress) { shown = append(shown, p) })
	if err != nil {
		t.Fatal(err)
	}
	if !r.Completed() || len(r.Failures) > 0 || len(r.Notes) > 0 {
		t.Errorf("report = %+v, want everything completed", r)
	}
	if r.Lone.Jobs != s.singles[true] || r.Concurrent.Accepted != s.singles[false] || r.Batches.Accepted != 1500 || r.Throughput.Completed != 1500 {
		t.Errorf("%d lone, %d concurrent, %d in batches, %d completed; want %d, %d, 1500, 1500",
			r.Lone.Jobs, r.Concurrent.Accepted, r.Batches.Accepted, r.Throughput.Completed, s.singles[true], s.singles[false])
	}
	if s.batches != 2 || r.Ended[job.Completed] != len(s.jobs) {
		t.Errorf("%d batches, %d jobs ended, want 2 and %d", s.batches, r.Ended[job.Completed], len(s.jobs))
	}
	if want := (load.Latency{P50: 2, P95: 2, P99: 2}); r.Lone.PickUp != want {
		t.Errorf("pick-up = %+v, want %+v", r.Lone.PickUp, want)
	}
	for name, waits := range map[string]load.Latency{"lone": r.Lone.Submit, "concurrent": r.Concurrent.Submit} {
		if waits.P50 <= 0 || waits.P50 > waits.P95 || waits.P95 > waits.P99 || waits.P99 > 60_000 {
			t.Errorf("%s submissions took %+v, want rising times", name, waits)
		}
	}
	if got, most := r.Concurrent.PerSecond, float64(r.Concurrent.Accepted)/0.1; got <= 0 || got > most {
		t.Errorf("%v concurrent submissions a second, want above 0 and at most %v", got, most)
	}
	const body = `{"kind":"system.noop","args":{"sleep":"0s"},"queue":"default","tags":["asyncops-bench"],"retention":"10m0s"}`
	if s.bodies[body] != s.singles[true]+s.singles[false] {
		t.Errorf("sent %v, want only %s", s.bodies, body)
	}
	if diff := cmp.Diff(map[string]string{"key": "Bearer " + testKey, "agent": "test", "type": "application/json"}, s.headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if want := (load.Progress{Doing: "completing", Done: 1500, Total: 1500, Detail: "1500 of 1500 jobs ended"}); shown[0].Doing != "lone submissions" || shown[len(shown)-1] != want {
		t.Errorf("showed %+v, want it to begin with lone submissions and to end with %+v", shown, want)
	}
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	after := func(n int, lone bool, a answer) func(submission) *answer {
		return func(one submission) *answer {
			if one.conn == "" || one.lone != lone || one.n < n {
				return nil
			}
			return &a
		}
	}
	once := func(a answer) func(submission) *answer {
		return func(one submission) *answer {
			if one.conn == "" || one.lone || one.n != 0 {
				return nil
			}
			return &a
		}
	}
	batch := func(n int, a answer) func(submission) *answer {
		return func(one submission) *answer {
			if one.conn != "" || one.n < n {
				return nil
			}
			return &a
		}
	}
	tests := []struct {
		name       string
		refuse     func(submission) *answer
		reject     func(int) string
		want       []string
		concurrent int // accepted; 0: any
		batches    int // jobs accepted
		waited     bool
	}{
		// Who is asked to wait beyond the end is not heard of again.
		{"a limit", after(10, false, answer{status: 429, code: "rate_limited", retryAfter: 30}), nil, []string{"concurrent: 429 rate_limited: 4"}, 10, 1500, true},
		{"a saturated server", after(10, false, answer{status: 503, code: "saturated", retryAfter: 30}), nil, []string{"concurrent: 503 saturated: 4"}, 10, 1500, true},
		{"a limit on lone jobs", after(1, true, answer{status: 429, code: "rate_limited", retryAfter: 30}), nil, []string{"lone: 429 rate_limited: 1"}, 0, 1500, true},
		{"no problem document", once(answer{status: 502}), nil, []string{"concurrent: 502 Bad Gateway: 1"}, 0, 1500, false},
		{"a batch that is too large", batch(1, answer{status: 413, code: "too_large"}), nil, []string{"batches: 413 too_large: 1"}, 0, 1000, false},
		{"batches that stay refused", batch(1, answer{status: 503, code: "unavailable"}), nil, []string{"batches: 503 unavailable: 5"}, 0, 1000, false},
		{"jobs of a batch", nil, func(item int) string {
			if item < 3 {
				return "saturated"
			}
			return ""
		}, []string{"batches: 503 saturated: 3"}, 0, 1500, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &server{refuse: tt.refuse, reject: tt.reject}
			p := plan()
			if tt.waited {
				p.Duration = 400 * time.Millisecond // time enough to be refused
			}
			r, err := load.Run(t.Context(), s.start(t), p, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, failuresOf(r)); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if (tt.concurrent > 0 && r.Concurrent.Accepted != tt.concurrent) || r.Batches.Accepted != tt.batches {
				t.Errorf("accepted %d side by side and %d in batches, want %d and %d", r.Concurrent.Accepted, r.Batches.Accepted, tt.concurrent, tt.batches)
			}
			if waited := r.Failures[0].Waited; (waited > 0) != tt.waited || waited > 4*p.Duration.Seconds() {
				t.Errorf("waited %v s because it was asked to, want any: %t, within the time", waited, tt.waited)
			}
			if !r.Completed() {
				t.Errorf("report = %+v, want all accepted jobs completed", r)
			}
		})
	}
}

// A connection that is lost is counted and made again.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	s := &server{refuse: func(one submission) *answer {
		if one.conn != "" && !one.lone && one.n == 5 {
			return &answer{hangUp: true}
		}
		return nil
	}}
	p := plan()
	p.Duration, p.Connections = 600*time.Millisecond, 1
	r, err := load.Run(t.Context(), s.start(t), p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"concurrent: connection closed: 1"}, failuresOf(r)); diff != "" || r.Concurrent.Accepted <= 5 {
		t.Errorf("accepted %d, failures (-want +got):\n%s", r.Concurrent.Accepted, diff)
	}
}

func TestFirstSubmissionRefused(t *testing.T) {
	t.Parallel()
	s := &server{refuse: func(submission) *answer { return &answer{status: 401, code: "unauthorized"} }}
	r, err := load.Run(t.Context(), s.start(t), plan(), quiet)
	var p *sdk.Problem
	if !errors.As(err, &p) || p.Code != "unauthorized" || r.Lone != nil || len(s.bodies) != 1 {
		t.Errorf("Run = %+v, %v after %d submissions; want unauthorized after one", r, err, len(s.bodies))
	}
}

func TestJobsThatEndOtherwise(t *testing.T) {
	t.Parallel()
	s := &server{end: func(j *heldJob) { j.finish(job.Archived) }}
	r, err := load.Run(t.Context(), s.start(t), plan(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if r.Throughput != nil || r.Completed() || r.Ended[job.Archived] != len(s.jobs) {
		t.Errorf("throughput %+v, ended %v, completed %t; want none, all archived, false", r.Throughput, r.Ended, r.Completed())
	}
}

// Jobs end in any order, and take their time.
func TestJobsThatEndLate(t *testing.T) {
	t.Parallel()
	s := &server{end: func(j *heldJob) {
		if j.looks > j.item%4 {
			j.finish(job.Completed)
		}
	}}
	p := plan()
	p.Jobs = 500
	r, err := load.Run(t.Context(), s.start(t), p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Completed() || r.Throughput.Completed != 500 {
		t.Errorf("report = %+v, want 500 completed", r)
	}
}

func TestUnfinished(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		stuck func(j *heldJob) bool
		lone  bool
		want  string
	}{
		{"the first job", func(*heldJob) bool { return true }, false, "(open: 1): "},
		{"jobs of the batches", func(j *heldJob) bool { return j.item >= 1490 }, true, "(open: 10): "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &server{end: func(j *heldJob) {
				if tt.stuck(j) {
					j.WaitingOn = &job.WaitingOn{Reason: job.WaitNoWorker, Detail: "no live worker"}
					j.Error = &job.Error{Code: job.CodeTimeout, Message: "it took too long"}
					return
				}
				j.finish(job.Completed)
			}}
			p := plan()
			p.Patience = 300 * time.Millisecond
			r, err := load.Run(t.Context(), s.start(t), p, quiet)
			var unfinished *load.UnfinishedError
			const why = " is pending, waiting on no_worker (no live worker); its last run: timeout: it took too long"
			if !errors.As(err, &unfinished) || !strings.Contains(err.Error(), tt.want) || !strings.HasSuffix(err.Error(), why) {
				t.Errorf("Run = %v, want …%s…%s", err, tt.want, why)
			}
			if r.Completed() || r.Open != unfinished.Open || (r.Lone != nil) != tt.lone {
				t.Errorf("report = %+v, want it to have lone jobs: %t", r, tt.lone)
			}
		})
	}
}

// Jobs that the list does not have are not taken for ended.
func TestJobsThatAreNotListed(t *testing.T) {
	t.Parallel()
	s := &server{unlist: func(j *heldJob) bool { return j.item >= 1493 }}
	r, err := load.Run(t.Context(), s.start(t), plan(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if r.Open != 7 || r.Completed() || r.Throughput.Completed != 1493 {
		t.Errorf("%d open, %d completed, want 7 and 1493", r.Open, r.Throughput.Completed)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	s := &server{end: func(j *heldJob) {
		j.finish(job.Completed)
		j.StartedAt = j.CreatedAt.Add(-3 * time.Second)
	}}
	r, err := load.Run(t.Context(), s.start(t), plan(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "up to 3s before they were created") || r.Lone.PickUp.P99 != 0 {
		t.Errorf("notes %q, pick-up %+v; want one about 3s, and 0", r.Notes, r.Lone.PickUp)
	}
}

// What was measured before an interruption is told.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                      string
		doing                     string // is interrupted when this is shown
		concurrent, batches, open bool   // what the report has
	}{
		{"lone", "lone submissions", false, false, false},
		{"concurrent", "4 connections", true, false, true},
		{"first drain", "completing", true, false, true},
		{"batches", "batches", true, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			s := &server{}
			s.end = func(j *heldJob) {
				if tt.doing != "completing" || s.singles[false] == 0 { // only the lone ones
					j.finish(job.Completed)
				}
			}
			p := plan()
			p.Duration = 600 * time.Millisecond
			r, err := load.Run(ctx, s.start(t), p, func(p load.Progress) {
				if p.Doing == tt.doing && (p.Detail != "0 jobs" || tt.doing == "batches") {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("Run = %v, want canceled", err)
			}
			if r.Lone == nil || (r.Concurrent != nil) != tt.concurrent || (r.Batches != nil) != tt.batches || (tt.open && r.Open == 0) {
				t.Errorf("report = %+v, want lone jobs, concurrent: %t, batches: %t, open: %t", r, tt.concurrent, tt.batches, tt.open)
			}
			if len(r.Failures) > 0 || r.Completed() {
				t.Errorf("failures = %v, want none of an interruption; completed: %t", r.Failures, r.Completed())
			}
		})
	}
}
