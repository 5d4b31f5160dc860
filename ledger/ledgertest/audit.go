package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

func auditTests() tests {
	return tests{
		"in the transaction of the change": auditWithChange,
		"pages and filters":                auditPages,
		"kept for ninety days":             auditPruned,
	}
}

func act(action, target string) *job.Audited {
	return &job.Audited{AuditEntry: job.AuditEntry{
		Key: "ops", KeyName: "it's ops", Via: "session", Address: "10.0.0.1", Action: action, Target: target, Outcome: job.AuditOK, RequestID: "r-" + target,
	}}
}

func (f *fixture) auditLog(filter job.AuditFilter) []job.AuditEntry {
	f.t.Helper()
	filter.Limit = 100
	entries, next, err := f.AuditLog(f.t.Context(), filter)
	if f.check(err); next != "" {
		f.t.Errorf("a page of %d has the cursor %q", len(entries), next)
	}
	return entries
}

func auditWithChange(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(3, nil)
	f.run(w, ids[1], job.Outcome{State: job.Archived})
	f.run(w, ids[2], job.Outcome{State: job.Completed})
	for _, tt := range []struct {
		action  string
		do      func(ctx context.Context) error
		want    error
		written bool
	}{
		{"job.cancel", func(ctx context.Context) error { _, err := f.Cancel(ctx, ids[0]); return err }, nil, true},
		{"job.cancel", func(ctx context.Context) error { _, err := f.Cancel(ctx, ids[0]); return err }, job.ErrTerminal, false},
		{"job.retry", func(ctx context.Context) error { _, err := f.Revive(ctx, ids[1], nil); return err }, nil, true},
		{"job.delete", func(ctx context.Context) error { return f.Delete(ctx, ids[2]) }, nil, true},
		{"job.delete", func(ctx context.Context) error { return f.Delete(ctx, ids[2]) }, job.ErrNotFound, false},
		{"queue.pause", func(ctx context.Context) error { return f.PauseQueue(ctx, "low", true) }, nil, true},
		{"queue.pause", func(ctx context.Context) error { return f.PauseQueue(ctx, "none", true) }, job.ErrNotFound, false},
		{"schedule.put", func(ctx context.Context) error {
			s := newSchedule("s", time.Now().Add(time.Hour))
			_, err := f.ChangeSchedule(ctx, "s", func(*job.Schedule, time.Time) (*job.Schedule, error) { return &s, nil })
			return err
		}, nil, true},
		{"session.login", func(ctx context.Context) error {
			_, err := f.OpenSession(ctx, job.Session{ID: "t", Key: "ops"}, time.Hour)
			return err
		}, nil, true},
		{"session.logout", func(ctx context.Context) error { return f.CloseSession(ctx, "t") }, nil, true},
	} {
		before := len(f.auditLog(job.AuditFilter{}))
		a := act(tt.action, "x")
		ctx := job.WithAudit(f.t.Context(), a)
		if err := tt.do(ctx); !errors.Is(err, tt.want) {
			f.t.Errorf("%s = %v, want %v", tt.action, err, tt.want)
		}
		after := f.auditLog(job.AuditFilter{})
		if a.Written != tt.written || len(after)-before != map[bool]int{true: 1}[tt.written] {
			f.t.Errorf("%s: written %t, %d entries more; want %t", tt.action, a.Written, len(after)-before, tt.written)
		}
		if tt.written && (after[0].Action != tt.action || after[0].KeyName != "it's ops" || time.Since(after[0].At) > time.Hour || after[0].Via != "session") {
			f.t.Errorf("entry = %+v, want %s", after[0], tt.action)
		}
	}
	act := act("queue.pause", "low")
	act.Written = true
	f.check(f.PauseQueue(job.WithAudit(f.t.Context(), act), "low", false))
	f.check(f.PauseQueue(f.t.Context(), "low", true))
	if n := len(f.auditLog(job.AuditFilter{Action: "queue.pause"})); n != 1 {
		f.t.Errorf("%d entries of queue.pause, want 1: an act is written once", n)
	}
}

func auditPages(f *fixture) {
	f.start()
	for i := range 7 {
		e := act([]string{"queue.pause", "queue.resume", "queues"}[i%3], fmt.Sprint("t", i)).AuditEntry
		e.Key = []string{"a", "b"}[i%2]
		e.Outcome = "not_found"
		f.check(f.Audit(f.t.Context(), e))
	}
	var targets []string
	for cursor := ""; ; {
		entries, next, err := f.AuditLog(f.t.Context(), job.AuditFilter{Limit: 3, Cursor: cursor})
		f.check(err)
		for _, e := range entries {
			targets = append(targets, e.Target)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if want := []string{"t6", "t5", "t4", "t3", "t2", "t1", "t0"}; !slices.Equal(targets, want) {
		f.t.Errorf("pages hold %v, want %v", targets, want)
	}
	for _, tt := range []struct {
		filter job.AuditFilter
		want   int
	}{
		{job.AuditFilter{Action: "queue.pause"}, 3}, {job.AuditFilter{Action: "queue."}, 5}, {job.AuditFilter{Action: "queue"}, 0}, {job.AuditFilter{Key: "b"}, 3},
		{job.AuditFilter{Target: "t6"}, 1}, {job.AuditFilter{Key: "a", Action: "queue."}, 3}, {job.AuditFilter{After: time.Now().Add(time.Hour)}, 0},
		{job.AuditFilter{Before: time.Now().Add(-time.Hour)}, 0}, {job.AuditFilter{After: time.Now().Add(-time.Hour), Before: time.Now().Add(time.Hour)}, 7},
		{job.AuditFilter{Target: "\x00"}, 0},
	} {
		if got := f.auditLog(tt.filter); len(got) != tt.want {
			f.t.Errorf("%+v: %d entries, want %d", tt.filter, len(got), tt.want)
		}
	}
	if _, _, err := f.AuditLog(f.t.Context(), job.AuditFilter{Limit: 1, Cursor: "x"}); !errors.Is(err, job.ErrMalformedCursor) {
		f.t.Errorf("a cursor of nobody = %v, want job.ErrMalformedCursor", err)
	}
}

func auditPruned(f *fixture) {
	f.start()
	for _, target := range []string{"old", "young"} {
		f.check(f.Audit(f.t.Context(), act("queue.pause", target).AuditEntry))
	}
	f.sql("UPDATE asyncops_audit SET at = at - %d WHERE target = 'old'", (91 * 24 * time.Hour).Microseconds())
	f.sql("UPDATE asyncops_audit SET at = at - %d WHERE target = 'young'", (89 * 24 * time.Hour).Microseconds())
	f.prune(0)
	if got := f.auditLog(job.AuditFilter{}); len(got) != 1 || got[0].Target != "young" {
		f.t.Errorf("%+v is kept, want what is less than ninety days old", got)
	}
}
