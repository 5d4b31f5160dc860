package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/asyncops/asyncops/job"
)

// One item that fails does not fail the others, and the answer says what became
// of each.
func TestWarm(t *testing.T) {
	t.Parallel()
	f := &fake{}
	result, err := newHandlers(f).Run(t.Context(), &job.Job{ID: id, Kind: "cache.warm", Args: json.RawMessage(`{"items":[
		{"kind":"db.select_one","args":{"table":"users","cache":{"key":"cold"}}},
		{"kind":"db.select_many","args":{"table":"users","cache":{"key":"held"}}},
		{"kind":"db.select_many","args":{"table":"gone","cache":{"key":"k"}}},
		{"kind":"http.request","args":{"method":"GET","path":"/x","cache":{"key":"x","ttl":"1m"}}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"items":[{"status":"warmed"},{"status":"fresh"},{"status":"failed","error":{"code":"unknown_table","message":"it is gone"}},{"status":"warmed"}],"warmed":2,"fresh":1,"failed":1}`
	if string(result.Value) != want {
		t.Errorf("result = %s, want %s", result.Value, want)
	}
	if want := `{"failed":1,"fresh":1,"warmed":2}`; string(result.Summary) != want {
		t.Errorf("summary = %s, want %s", result.Summary, want)
	}
	if c := f.request.Cache; c == nil || !c.Early || c.Key != "x" {
		t.Errorf("the request says %+v of the cache, want that it is asked for early", c)
	}
}

// A run that is stopped is tried again: what it has read is kept.
func TestWarmIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newHandlers(&fake{}).Run(ctx, &job.Job{ID: id, Kind: "cache.warm", Args: json.RawMessage(
		`{"items":[{"kind":"db.select_one","args":{"table":"users","cache":{"key":"k"}}}]}`)})
	if f := new(job.Failure); !errors.As(err, &f) || f.Class != job.ClassRetryable {
		t.Errorf("Run = %v, want a retryable failure", err)
	}
}

// A notification is sent again though it may have been taken.
func TestNotify(t *testing.T) {
	t.Parallel()
	f := &fake{}
	j := &job.Job{ID: id, Kind: "system.notify", Args: json.RawMessage(`{"client":"crm","path":"/alerts","event":{"type":"alert.firing"}}`)}
	result, err := newHandlers(f).Run(t.Context(), j)
	if err != nil || string(result.Value) != `{"status":201,"sends":2}` {
		t.Fatalf("Run = %s, %v; want the answer's status", result.Value, err)
	}
	if r := f.request; r.Method != "POST" || r.Path != "/alerts" || string(r.Body) != `{"type":"alert.firing"}` || r.IdempotencyKey != string(id)+".0" {
		t.Errorf("sent %+v, want the event as it is, with the job's key", r)
	}
	for class, want := range map[job.Class]job.Class{job.ClassAmbiguous: job.ClassRetryable, job.ClassPermanent: job.ClassPermanent} {
		f.err = &job.Failure{Class: class, Code: job.CodeAmbiguous}
		_, err := newHandlers(f).Run(t.Context(), j)
		if got := new(job.Failure); !errors.As(err, &got) || got.Class != want {
			t.Errorf("Run = %v after a failure of class %s, want %s", err, class, want)
		}
	}
}
