package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

func TestNew(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, url, key string
		ok             bool
	}{
		{"plain", "http://127.0.0.1:8080", testKey, true},
		{"with a path", "https://example.com/asyncops/", "", true},
		{"no scheme", "127.0.0.1:8080", testKey, false},
		{"another scheme", "ftp://example.com", testKey, false},
		{"user inside", "https://u:p4ss@example.com", testKey, false},
		{"query inside", "https://example.com?key=1", testKey, false},
		{"key with a line break", "https://example.com", testKey + "\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sdk.New(tt.url, tt.key, sdk.Options{})
			if (err == nil) != tt.ok {
				t.Errorf("New(%q) = %v, want success: %t", tt.url, err, tt.ok)
			}
			if err != nil && (strings.Contains(err.Error(), "p4ss") || strings.Contains(err.Error(), testKey)) {
				t.Errorf("New(%q) = %v, which shows a secret", tt.url, err)
			}
		})
	}
}

func TestClientDoesNotShowItsKey(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, answer{status: 200, body: `{}`})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, testKey) {
			t.Errorf("Sprintf(%s) = %s, which shows the key", verb, text)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	path := "/v1/jobs/" + testID
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.FixedZone("", 3600))
	tests := []struct {
		name   string
		call   func(context.Context, *sdk.Client) error
		answer answer
		want   request
	}{
		{"submit", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Submit(ctx, sdk.Submission{Kind: "system.noop"})
			return err
		}, answer{status: 202, body: pendingJob}, request{
			Line: "POST /v1/jobs", Body: `{"kind":"system.noop","args":{}}`, Type: "application/json",
		}},
		{"submit with everything", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Submit(ctx, sdk.Submission{
				Kind: "http.request", Args: map[string]any{"method": "GET"}, Queue: "low", RunAt: at, Delay: 90 * time.Second,
				Timeout: time.Minute, Deadline: at, ExpiresAt: at, MaxAttempts: 3,
				Backoff:        &job.Backoff{Initial: time.Second, Max: time.Hour, Multiplier: 3, NoJitter: true},
				IdempotencyKey: "k1", Tags: []string{"billing"}, Retention: 24 * time.Hour,
			})
			return err
		}, answer{status: 202, body: pendingJob}, request{
			Line: "POST /v1/jobs", Type: "application/json",
			Body: `{"kind":"http.request","args":{"method":"GET"},"queue":"low","run_at":"2026-11-23T10:00:00Z","delay":"1m30s",` +
				`"timeout":"1m0s","deadline":"2026-11-23T10:00:00Z","expires_at":"2026-11-23T10:00:00Z","max_attempts":3,` +
				`"backoff":{"initial":"1s","max":"1h0m0s","multiplier":3,"jitter":0},"idempotency_key":"k1","tags":["billing"],"retention":"24h0m0s"}`,
		}},
		{"submit and wait", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.SubmitWait(ctx, sdk.Submission{Kind: "system.noop"}, 1500*time.Millisecond)
			return err
		}, answer{status: 200, body: completedJob}, request{
			Line: "POST /v1/jobs", Body: `{"kind":"system.noop","args":{}}`, Type: "application/json", Prefer: "wait=2",
		}},
		{"dry run", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.DryRun(ctx, sdk.Submission{Kind: "system.noop"})
			return err
		}, answer{status: 200, body: `{"kind":"system.noop","plan":null}`}, request{
			Line: "POST /v1/jobs?dry_run=true", Body: `{"kind":"system.noop","args":{}}`, Type: "application/json",
		}},
		{"batch", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.SubmitBatch(ctx, func(yield func(sdk.Submission) bool) {
				_ = yield(sdk.Submission{Kind: "a.b"}) && yield(sdk.Submission{Kind: "c.d"})
			}, sdk.BatchOptions{Atomic: true})
			return err
		}, answer{status: 202, body: `{"accepted":2,"rejected":0,"items":[]}`}, request{
			Line: "POST /v1/jobs/batch?atomic=true", Type: "application/x-ndjson",
			Body: `{"kind":"a.b","args":{}}` + "\n" + `{"kind":"c.d","args":{}}` + "\n",
		}},
		{"lines", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.SubmitLines(ctx, strings.NewReader("{}\n{}\n"), sdk.BatchOptions{})
			return err
		}, answer{status: 202, body: `{"accepted":0,"rejected":2,"items":[]}`}, request{
			Line: "POST /v1/jobs/batch", Type: "application/x-ndjson", Body: "{}\n{}\n",
		}},
		{"get", func(ctx context.Context, c *sdk.Client) error { _, err := c.Get(ctx, testID); return err },
			answer{status: 200, body: pendingJob}, request{Line: "GET " + path}},
		{"id that is none", func(ctx context.Context, c *sdk.Client) error { _, err := c.Get(ctx, "../keys?x"); return err },
			answer{status: 200, body: pendingJob}, request{Line: "GET /v1/jobs/..%2Fkeys%3Fx"}},
		{"result", func(ctx context.Context, c *sdk.Client) error { _, err := c.Result(ctx, testID); return err },
			answer{status: 200, body: `{"rows":[]}`}, request{Line: "GET " + path + "/result"}},
		{"page", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Page(ctx, sdk.Filter{
				States: []job.State{job.Pending, job.Retry}, Kinds: []string{"system.noop"}, Queues: []string{"low"}, Tag: "a&b",
				CreatedAfter: at, CreatedBefore: at, Query: "0192", OldestFirst: true, Payload: true, PageSize: 200, Cursor: "c",
			})
			return err
		}, answer{status: 200, body: `{"items":[],"next_cursor":""}`}, request{
			Line: "GET /v1/jobs?created_after=2026-11-23T10%3A00%3A00Z&created_before=2026-11-23T10%3A00%3A00Z&cursor=c&include=payload" +
				"&kind=system.noop&limit=200&order=asc&q=0192&queue=low&state=pending&state=retry&tag=a%26b",
		}},
		{"attempts", func(ctx context.Context, c *sdk.Client) error { _, err := c.Attempts(ctx, testID); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET " + path + "/attempts"}},
		{"cancel", func(ctx context.Context, c *sdk.Client) error { _, err := c.Cancel(ctx, testID); return err },
			answer{status: 202, body: pendingJob}, request{Line: "POST " + path + "/cancel"}},
		{"retry", func(ctx context.Context, c *sdk.Client) error { _, err := c.Retry(ctx, testID, nil); return err },
			answer{status: 202, body: pendingJob}, request{Line: "POST " + path + "/retry"}},
		{"retry with other args", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Retry(ctx, testID, map[string]int{"n": 1})
			return err
		}, answer{status: 202, body: pendingJob}, request{Line: "POST " + path + "/retry", Body: `{"args":{"n":1}}`, Type: "application/json"}},
		{"delete", func(ctx context.Context, c *sdk.Client) error { return c.Delete(ctx, testID) },
			answer{status: 204}, request{Line: "DELETE " + path}},
		{"queues", func(ctx context.Context, c *sdk.Client) error { _, err := c.Queues(ctx); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/queues"}},
		{"queue", func(ctx context.Context, c *sdk.Client) error { _, err := c.Queue(ctx, "low"); return err },
			answer{status: 200, body: `{}`}, request{Line: "GET /v1/queues/low"}},
		{"pause", func(ctx context.Context, c *sdk.Client) error { _, err := c.Pause(ctx, "low"); return err },
			answer{status: 200, body: `{}`}, request{Line: "POST /v1/queues/low/pause"}},
		{"resume", func(ctx context.Context, c *sdk.Client) error { _, err := c.Resume(ctx, "low"); return err },
			answer{status: 200, body: `{}`}, request{Line: "POST /v1/queues/low/resume"}},
		{"kinds", func(ctx context.Context, c *sdk.Client) error { _, err := c.Kinds(ctx); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/kinds"}},
		{"databases", func(ctx context.Context, c *sdk.Client) error { _, err := c.Databases(ctx); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/databases"}},
		{"clients", func(ctx context.Context, c *sdk.Client) error { _, err := c.Clients(ctx); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/clients"}},
		{"one client", func(ctx context.Context, c *sdk.Client) error { _, err := c.Upstream(ctx, "crm"); return err },
			answer{status: 200, body: `{"name":"crm"}`}, request{Line: "GET /v1/clients/crm"}},
		{"breaker", func(ctx context.Context, c *sdk.Client) error { _, err := c.ResetBreaker(ctx, "crm"); return err },
			answer{status: 200, body: `{"name":"crm"}`}, request{Line: "POST /v1/clients/crm/breaker/reset"}},
		{"one database", func(ctx context.Context, c *sdk.Client) error { _, err := c.Database(ctx, "a b"); return err },
			answer{status: 200, body: `{"name":"a b"}`}, request{Line: "GET /v1/databases/a%20b"}},
		{"invalidate", func(ctx context.Context, c *sdk.Client) error {
			return c.InvalidateCache(ctx, "main", sdk.Invalidation{Table: "users"})
		}, answer{status: 204}, request{Line: "POST /v1/databases/main/cache/invalidate", Body: `{"table":"users"}`, Type: "application/json"}},
		{"invalidate answers", func(ctx context.Context, c *sdk.Client) error {
			return c.InvalidateAnswers(ctx, "crm", sdk.StaleAnswers{PathPrefix: "/users"})
		}, answer{status: 204}, request{Line: "POST /v1/clients/crm/cache/invalidate", Body: `{"path_prefix":"/users"}`, Type: "application/json"}},
		{"schedules", func(ctx context.Context, c *sdk.Client) error { _, err := c.Schedules(ctx); return err },
			answer{status: 200, body: `{"items":[],"next_cursor":null}`}, request{Line: "GET /v1/schedules"}},
		{"schedule", func(ctx context.Context, c *sdk.Client) error { _, err := c.Schedule(ctx, "a/b"); return err },
			answer{status: 200, body: `{"start":null,"last_job":null}`}, request{Line: "GET /v1/schedules/a%2Fb"}},
		{"make a schedule", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.CreateSchedule(ctx, sdk.ScheduleSpec{Name: "s", Cron: "@daily", Job: sdk.Submission{Kind: "system.noop"}})
			return err
		}, answer{status: 201, body: `{}`}, request{
			Line: "POST /v1/schedules", Type: "application/json", Body: `{"name":"s","cron":"@daily","job":{"kind":"system.noop","args":{}}}`,
		}},
		{"replace a schedule", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.PutSchedule(ctx, sdk.ScheduleSpec{
				Name: "s", Cron: "@daily", Timezone: "UTC", Job: sdk.Submission{Kind: "system.noop"}, Missed: job.MissedAll, Overlap: job.OverlapQueue,
				Jitter: time.Second, Start: at.UTC(), End: at.UTC(), Paused: true,
			}, `"x"`)
			return err
		}, answer{status: 200, body: `{}`}, request{
			Line: "PUT /v1/schedules/s", Type: "application/json",
			Body: `{"name":"s","cron":"@daily","timezone":"UTC","job":{"kind":"system.noop","args":{}},"missed":"all","overlap":"queue",` +
				`"start":"2026-11-23T10:00:00Z","end":"2026-11-23T10:00:00Z","paused":true,"jitter":"1s"}`,
		}},
		{"pause a schedule", func(ctx context.Context, c *sdk.Client) error { _, err := c.PauseSchedule(ctx, "s"); return err },
			answer{status: 200, body: `{}`}, request{Line: "POST /v1/schedules/s/pause"}},
		{"resume a schedule", func(ctx context.Context, c *sdk.Client) error { _, err := c.ResumeSchedule(ctx, "s"); return err },
			answer{status: 200, body: `{}`}, request{Line: "POST /v1/schedules/s/resume"}},
		{"run a schedule", func(ctx context.Context, c *sdk.Client) error { _, err := c.RunSchedule(ctx, "s", "k"); return err },
			answer{status: 202, body: pendingJob}, request{Line: "POST /v1/schedules/s/run"}},
		{"delete a schedule", func(ctx context.Context, c *sdk.Client) error { return c.DeleteSchedule(ctx, "s") },
			answer{status: 204}, request{Line: "DELETE /v1/schedules/s"}},
		{"doorbells", func(ctx context.Context, c *sdk.Client) error { _, err := c.Doorbells(ctx, "a b"); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/queues/a%20b/doorbells"}},
		{"stats", func(ctx context.Context, c *sdk.Client) error {
			_, err := c.Stats(ctx, sdk.StatsFilter{Window: "7d", Queues: []string{"a", "b"}, Kinds: []string{"system.noop"}})
			return err
		}, answer{status: 200, body: `{}`}, request{Line: "GET /v1/stats?kind=system.noop&queue=a&queue=b&window=7d"}},
		{"stats of all", func(ctx context.Context, c *sdk.Client) error { _, err := c.Stats(ctx, sdk.StatsFilter{}); return err },
			answer{status: 200, body: `{}`}, request{Line: "GET /v1/stats"}},
		{"audit log", func(ctx context.Context, c *sdk.Client) error {
			for _, err := range c.AuditLog(ctx, sdk.AuditFilter{Action: "queue.", Key: "k", Target: "low", After: at, Before: at, PageSize: 200}) {
				return err
			}
			return nil
		}, answer{status: 200, body: `{"items":[],"next_cursor":null}`}, request{
			Line: "GET /v1/audit?action=queue.&after=2026-11-23T10%3A00%3A00Z&before=2026-11-23T10%3A00%3A00Z&key=k&limit=200&target=low",
		}},
		{"workers", func(ctx context.Context, c *sdk.Client) error { _, err := c.Workers(ctx); return err },
			answer{status: 200, body: `{"items":[]}`}, request{Line: "GET /v1/workers"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, f := newClient(t, tt.answer)
			if err := tt.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			tt.want.Key = "Bearer " + testKey
			if diff := cmp.Diff([]request{tt.want}, f.requests()); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJobIsReadAsTheServerWritesIt(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, answer{status: 202, body: pendingJob, header: map[string]string{"Idempotency-Replayed": "true"}})
	receipt, err := c.Submit(t.Context(), sdk.Submission{Kind: "system.noop"})
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	want := &sdk.Receipt{Replayed: true, Job: &sdk.Job{
		ID: testID, Kind: "system.noop", Queue: "default", State: job.Pending, Args: []byte("{}"), MaxAttempts: 10,
		Delivery: job.AtLeastOnce, Tags: []string{}, CreatedAt: created, RunAt: created,
		WaitingOn: &job.WaitingOn{Reason: job.WaitNoWorker, Detail: "no live worker serves queue default"},
		Links:     map[string]string{"self": "/v1/jobs/" + testID},
	}}
	if diff := cmp.Diff(want, receipt); diff != "" {
		t.Errorf("Submit (-want +got):\n%s", diff)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		body   string
		is     error
		text   string
	}{
		{404, `{"status":404,"code":"not_found","detail":"there is no such thing"}`, job.ErrNotFound, "404 not_found: there is no such thing"},
		{400, `{"status":400,"code":"unknown_field","detail":"no"}`, job.ErrMalformed, "400 unknown_field: no"},
		{400, `{"status":400,"code":"malformed_id","detail":"no"}`, job.ErrMalformedID, "400 malformed_id: no"},
		{400, `{"status":400,"code":"malformed_cursor","detail":"no"}`, job.ErrMalformedCursor, "400 malformed_cursor: no"},
		{422, `{"status":422,"code":"empty_where","detail":"no"}`, job.ErrInvalid, "422 empty_where: no"},
		{422, `{"status":422,"code":"idempotency_mismatch","detail":"no"}`, job.ErrIdempotencyMismatch, "422 idempotency_mismatch: no"},
		{409, `{"status":409,"code":"idempotency_in_progress","detail":"no"}`, job.ErrIdempotencyInProgress, "409 idempotency_in_progress: no"},
		{409, `{"status":409,"code":"terminal","detail":"no"}`, job.ErrTerminal, "409 terminal: no"},
		{409, `{"status":409,"code":"not_terminal","detail":"no"}`, job.ErrNotTerminal, "409 not_terminal: no"},
		{409, `{"status":409,"code":"not_revivable","detail":"no"}`, job.ErrNotRevivable, "409 not_revivable: no"},
		{409, `{"status":409,"code":"exists","detail":"no"}`, job.ErrExists, "409 exists: no"},
		{503, `{"status":503,"code":"unavailable","detail":"no"}`, job.ErrUnavailable, "503 unavailable: no"},
		{503, `{"status":503,"code":"saturated","detail":"no"}`, job.ErrSaturated, "503 saturated: no"},
		{503, `{"status":503,"code":"schema_outdated","detail":"no"}`, job.ErrSchemaOutdated, "503 schema_outdated: no"},
		{503, `{"status":503,"code":"effects_missing","detail":"no"}`, job.ErrEffectsMissing, "503 effects_missing: no"},
		{302, ``, nil, "302 Found"},
		{502, `<html>`, nil, "502 Bad Gateway"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			c, _ := newClient(t, answer{status: tt.status, body: tt.body,
				header: map[string]string{"Retry-After": "7", "X-Request-Id": "r1"}})
			_, err := c.Get(t.Context(), testID)
			var p *sdk.Problem
			if !errors.As(err, &p) {
				t.Fatalf("Get = %v, want a Problem", err)
			}
			if p.Status != tt.status || p.RetryAfter != 7*time.Second || p.RequestID != "r1" {
				t.Errorf("Problem = %+v, want status %d, RetryAfter 7s, RequestID r1", p, tt.status)
			}
			if want := "sdk: GET /v1/jobs/" + testID + ": " + tt.text; err.Error() != want {
				t.Errorf("Error() = %q, want %q", err, want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("errors.Is(%v, %v) = false, want true", err, tt.is)
			}
			if errors.Is(err, job.ErrDraining) {
				t.Errorf("errors.Is(%v, ErrDraining) = true, want false", err)
			}
		})
	}
}

func TestProblemLists(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t, answer{status: 422, body: `{"code":"invalid","detail":"two things","errors":[{"pointer":"/queue","code":"unknown_queue","message":"no queue"}]}`})
	_, err := c.Submit(t.Context(), sdk.Submission{Kind: "system.noop"})
	var p *sdk.Problem
	if !errors.As(err, &p) {
		t.Fatalf("Submit = %v, want a Problem", err)
	}
	want := []job.FieldError{{Pointer: "/queue", Code: "unknown_queue", Message: "no queue"}}
	if diff := cmp.Diff(want, p.Errors); diff != "" {
		t.Errorf("Errors (-want +got):\n%s", diff)
	}
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	t.Parallel()
	c := offline(t, func(*http.Request) (*http.Response, error) {
		return response(200, strings.Repeat(" ", 2000)+`{}`), nil
	}, sdk.Options{MaxResponse: 1000})
	if _, err := c.Get(t.Context(), testID); !errors.Is(err, sdk.ErrResponseTooLarge) {
		t.Errorf("Get = %v, want ErrResponseTooLarge", err)
	}
}

func TestKeyIsNotSentWhereARedirectLeads(t *testing.T) {
	t.Parallel()
	other, elsewhere := newClient(t, answer{status: 200, body: pendingJob})
	c, _ := newClient(t, answer{status: 307, header: map[string]string{"Location": other.String() + "/v1/jobs"}})
	if _, err := c.Get(t.Context(), testID); err == nil {
		t.Error("Get followed a redirect")
	}
	if got := elsewhere.requests(); len(got) > 0 {
		t.Errorf("the other server was sent %+v", got)
	}
}
