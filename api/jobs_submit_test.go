package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

const insert = `{"kind":"db.insert_one","args":{"table":"users","values":{"name":"Ada"}}}`

func TestSubmit(t *testing.T) {
	t.Parallel()
	f := start(t)
	got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey))
	if got.Status != http.StatusAccepted {
		t.Fatalf("POST /v1/jobs = %d %s, want 202", got.Status, got.Body)
	}
	j := f.last()
	if want := "/v1/jobs/" + string(j.ID); got.Header.Get("Location") != want {
		t.Errorf("Location = %q, want %q", got.Header.Get("Location"), want)
	}
	golden(t, "submit", got.Body)
	want := job.Job{
		ID: j.ID, Kind: "db.insert_one", Queue: "default", State: job.Pending, Owner: "submitter", Delivery: job.ExactlyOnceEffect,
		Args: json.RawMessage(`{"table":"users","values":{"name":"Ada"}}`), MaxAttempts: 10, CreatedAt: testNow, RunAt: testNow,
	}
	if fmt.Sprintf("%+v", j) != fmt.Sprintf("%+v", want) {
		t.Errorf("accepted\n%+v\nwant\n%+v", j, want)
	}
	if got := f.outside.submitted["db.insert_one default"]; got != 1 {
		t.Errorf("submitted = %d, want 1", got)
	}
}

func TestSubmitOptions(t *testing.T) {
	t.Parallel()
	f := start(t)
	got := f.do(t, "POST", "/v1/jobs", `{"kind":"system.noop","args":null,"queue":"critical","run_at":"2026-11-23T12:00:00.1234567+02:00",
		"timeout":"PT1M","deadline":"2026-11-24T10:00:00Z","expires_at":"2026-11-23T11:00:00Z","max_attempts":3,
		"backoff":{"initial":"2s","max":"1m","multiplier":1.5,"jitter":0},"tags":["billing","größe"],"retention":"24h",
		"unique":null,"ordering_key":null,"callback":null}`, as(submitterKey))
	if got.Status != http.StatusAccepted {
		t.Fatalf("POST /v1/jobs = %d %s, want 202", got.Status, got.Body)
	}
	j := f.last()
	want := job.Job{
		ID: j.ID, Kind: "system.noop", Queue: "critical", State: job.Pending, Owner: "submitter", Delivery: job.AtLeastOnce,
		Args: json.RawMessage(`{}`), MaxAttempts: 3, CreatedAt: testNow, RunAt: testNow, Tags: []string{"billing", "größe"},
		Deadline: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), ExpiresAt: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC),
		Options: job.Options{
			Timeout: time.Minute, Retention: 24 * time.Hour,
			Backoff: job.Backoff{Initial: 2 * time.Second, Max: time.Minute, Multiplier: 1.5, NoJitter: true},
		},
	}
	if fmt.Sprintf("%+v", j) != fmt.Sprintf("%+v", want) {
		t.Errorf("accepted\n%+v\nwant\n%+v", j, want)
	}
}

func TestSubmitWhen(t *testing.T) { //nolint:tparallel // the cases share a ledger
	t.Parallel()
	f := start(t)
	for _, tt := range []struct { //nolint:paralleltest // they share a ledger
		name, fields string
		state        job.State
		runAt        time.Time
	}{
		{"now", ``, job.Pending, testNow},
		{"an hour ago", `,"run_at":"2026-11-23T09:00:00Z"`, job.Pending, testNow},
		{"ahead", `,"run_at":"2026-11-23T11:00:00Z"`, job.Scheduled, time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)},
		{"year 9999", `,"run_at":"9999-12-31T23:59:59Z"`, job.Scheduled, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"delay", `,"delay":"30s"`, job.Scheduled, testNow.Add(30 * time.Second)},
		{"ISO delay", `,"delay":"PT5M"`, job.Scheduled, testNow.Add(5 * time.Minute)},
		{"no delay", `,"delay":"0s"`, job.Pending, testNow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.do(t, "POST", "/v1/jobs", `{"kind":"system.noop"`+tt.fields+`}`, as(submitterKey))
			body := decode[jobBody](t, got)
			if got.Status != 202 || body.State != tt.state || !body.RunAt.Equal(tt.runAt) {
				t.Errorf("= %d %s %s, want 202 %s %s", got.Status, body.State, body.RunAt, tt.state, tt.runAt)
			}
		})
	}
}

func TestTraceparent(t *testing.T) { //nolint:tparallel // the cases share a ledger
	t.Parallel()
	f := start(t)
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tt := range []struct { //nolint:paralleltest // they share a ledger
		name  string
		lines []string
		want  string
	}{
		{"none", nil, ""},
		{"good", []string{good}, good},
		{"later version", []string{"cc" + good[2:] + "-what-ever"}, good},
		{"twice", []string{good, good}, ""},
		{"upper case", []string{strings.ToUpper(good)}, ""},
		{"version ff", []string{"ff" + good[2:]}, ""},
		{"too long for 00", []string{good + "-1"}, ""},
		{"no trace", []string{"00-00000000000000000000000000000000-b7ad6b7169203331-01"}, ""},
		{"no parent", []string{"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}, ""},
		{"short", []string{good[:54]}, ""},
		{"other separator", []string{strings.Replace(good, "-b", "_b", 1)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := []string{as(submitterKey)}
			for _, l := range tt.lines {
				lines = append(lines, "Traceparent: "+l)
			}
			got := f.do(t, "POST", "/v1/jobs", `{"kind":"system.noop"}`, lines...)
			if j := f.last(); got.Status != 202 || j.Traceparent != tt.want {
				t.Errorf("= %d with %q, want 202 with %q", got.Status, j.Traceparent, tt.want)
			}
		})
	}
}

func TestIdempotency(t *testing.T) { //nolint:tparallel // the cases share a ledger
	t.Parallel()
	f := start(t)
	first := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Idempotency-Key: k-1")
	if first.Status != 202 || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("first = %d %v, want 202 without Idempotency-Replayed", first.Status, first.Header)
	}
	id := decode[jobBody](t, first).ID
	f.finish(id, job.Completed, `{"id":7,"rows_affected":1}`)
	reordered := `{"args":{"values":{"name":"Ad\u0061"},"table":"users"}, "idempotency_key":"k-1", "kind":"db.insert_one"}`
	for _, tt := range []struct { //nolint:paralleltest // they share a ledger
		name, body string
		lines      []string
		status     int
		code       string
	}{
		{"the same", insert, []string{"Idempotency-Key: k-1"}, 202, ""},
		{"written otherwise, key in the body", reordered, nil, 202, ""},
		{"in both places", reordered, []string{"Idempotency-Key: k-1"}, 202, ""},
		{"another body", `{"kind":"system.noop"}`, []string{"Idempotency-Key: k-1"}, 422, api.CodeIdempotencyMismatch},
		{"both and different", reordered, []string{"Idempotency-Key: k-2"}, 400, api.CodeIdempotencyKey},
		{"twice", insert, []string{"Idempotency-Key: k-1", "Idempotency-Key: k-1"}, 400, api.CodeIdempotencyKey},
		{"empty", insert, []string{"Idempotency-Key: "}, 400, api.CodeIdempotencyKey},
		{"257 characters", insert, []string{"Idempotency-Key: " + strings.Repeat("a", 257)}, 400, api.CodeIdempotencyKey},
		{"not ASCII", insert, []string{"Idempotency-Key: schlüssel"}, 400, api.CodeIdempotencyKey},
		{"a space", insert, []string{"Idempotency-Key: a b"}, 400, api.CodeIdempotencyKey},
		{"empty in the body", `{"kind":"system.noop","idempotency_key":""}`, nil, 400, api.CodeIdempotencyKey},
		{"control in the body", `{"kind":"system.noop","idempotency_key":"a\u0007"}`, nil, 400, api.CodeIdempotencyKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.do(t, "POST", "/v1/jobs", tt.body, append(tt.lines, as(submitterKey))...)
			if got.Status != tt.status {
				t.Fatalf("= %d %s, want %d", got.Status, got.Body, tt.status)
			}
			if tt.code != "" {
				if p := got.problem(t); p.Code != tt.code {
					t.Errorf("code = %q, want %q", p.Code, tt.code)
				}
				return
			}
			again := decode[jobBody](t, got)
			if again.ID != id || again.State != job.Completed || got.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("= job %s %s, replayed %q; want %s completed, replayed true", again.ID, again.State, got.Header.Get("Idempotency-Replayed"), id)
			}
		})
	}
	other := f.do(t, "POST", "/v1/jobs", insert, as(operatorKey), "Idempotency-Key: k-1")
	if other.Status != 202 || decode[jobBody](t, other).ID == id {
		t.Errorf("another caller's key = %d %s, want a job of its own", other.Status, other.Body)
	}
	f.do(t, "DELETE", "/v1/jobs/"+string(id), "", as(submitterKey))
	gone := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Idempotency-Key: k-1")
	if gone.Status != 409 || gone.problem(t).Code != api.CodeJobDeleted {
		t.Errorf("after the job's deletion = %d %s, want 409 job_deleted", gone.Status, gone.Body)
	}
	if got := f.outside.submitted["db.insert_one default"]; got != 2 {
		t.Errorf("submitted = %d, want 2: replays do not count", got)
	}
}

func TestIdempotencyInParallel(t *testing.T) {
	t.Parallel()
	f := start(t)
	var wg sync.WaitGroup
	ids := make([]job.ID, 50)
	for i := range ids {
		wg.Go(func() {
			ids[i] = decode[jobBody](t, f.do(t, "POST", "/v1/jobs", insert, as(submitterKey), "Idempotency-Key: same")).ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("id = %s, want %s for all", id, ids[0])
		}
	}
	if f.count() != 1 {
		t.Errorf("%d jobs, want 1", f.count())
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	f := start(t)
	got := f.do(t, "POST", "/v1/jobs?dry_run=true", insert, as(submitterKey))
	if got.Status != 200 || f.count() != 0 {
		t.Errorf("= %d with %d jobs, want 200 and none", got.Status, f.count())
	}
	golden(t, "dry_run", got.Body)
	if got := f.do(t, "POST", "/v1/jobs?dry_run=true", `{"kind":"system.noop","args":{"sleep":"x"}}`, as(submitterKey)); got.Status != 422 {
		t.Errorf("bad args = %d, want 422", got.Status)
	}
	if got := f.do(t, "POST", "/v1/jobs?dry_run=yes", insert, as(submitterKey)); got.Status != 400 {
		t.Errorf("dry_run=yes = %d, want 400", got.Status)
	}
}
