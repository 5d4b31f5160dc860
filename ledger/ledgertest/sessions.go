package ledgertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
)

func sessionTests() tests {
	return tests{
		"a life":                   sessionLife,
		"end by the ledger's time": sessionEnd,
		"a bound for each key":     sessionBound,
	}
}

func (f *fixture) openSession(id, key string) job.Session {
	f.t.Helper()
	s := job.Session{ID: id, Key: key, Binding: "b-" + id}
	expires, err := f.OpenSession(f.t.Context(), s, time.Hour)
	f.check(err)
	if left := time.Until(expires); left < 50*time.Minute || left > 70*time.Minute {
		f.t.Errorf("the session ends in %s, want an hour", left)
	}
	s.ExpiresAt = expires
	return s
}

func sessionLife(f *fixture) {
	f.start()
	want, other := f.openSession("s1", "ops"), f.openSession("s2", "ops")
	got, err := f.Session(f.t.Context(), "s1")
	if f.check(err); *got != want {
		f.t.Errorf("Session() = %+v, want %+v", *got, want)
	}
	for range 2 { // closed twice is closed
		f.check(f.CloseSession(f.t.Context(), "s1"))
	}
	if _, err := f.Session(f.t.Context(), "s1"); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("Session() of a closed one = %v, want job.ErrNotFound", err)
	}
	if got, err := f.Session(f.t.Context(), "s2"); err != nil || *got != other {
		f.t.Errorf("Session() of another = %+v, %v; want %+v", got, err, other)
	}
	if _, err := f.OpenSession(f.t.Context(), other, time.Hour); err == nil {
		f.t.Error("OpenSession() took an id twice")
	}
}

func sessionEnd(f *fixture) {
	f.start()
	f.openSession("s1", "ops")
	f.openSession("s2", "ops")
	f.sql("UPDATE asyncops_sessions SET expires_at = expires_at - 3600000000 WHERE id = 's1'")
	if _, err := f.Session(f.t.Context(), "s1"); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("Session() of one that is over = %v, want job.ErrNotFound", err)
	}
	f.prune(0)
	if n := f.count("SELECT count(*) FROM asyncops_sessions"); n != 1 {
		f.t.Errorf("%d sessions are kept, want the one that lasts", n)
	}
}

func sessionBound(f *fixture) {
	f.start()
	f.openSession("other", "viewer")
	for i := range 103 {
		f.openSession(fmt.Sprintf("s%d", i), "ops")
		f.sql("UPDATE asyncops_sessions SET created_at = %d WHERE id = 's%d'", i, i)
	}
	if n := f.count("SELECT count(*) FROM asyncops_sessions WHERE key_id = 'ops'"); n != 100 {
		f.t.Errorf("%d sessions of one key last, want 100", n)
	}
	for id, lasts := range map[string]bool{"s2": false, "s3": true, "s102": true, "other": true} {
		if _, err := f.Session(f.t.Context(), id); (err == nil) != lasts {
			f.t.Errorf("Session(%s) = %v, lasts want %t", id, err, lasts)
		}
	}
}
