package asyncops_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       string // in the error
		opts       []asyncops.Option
	}{
		{"no Redis beside others", alone, "redis.url", nil},
		{"unknown setting", alone + "colour: red\n", "colour", []asyncops.Option{asyncops.Standalone()}},
		{"unknown authentication", alone + `
clients: {crm: {base_url: "https://crm.example.com", auth: {type: custom, name: ours}}}
`, "ours", []asyncops.Option{asyncops.Standalone()}},
		{"schedule", alone + `
schedules: [{name: s, cron: "@hourly", job: {kind: db.brew}}]
`, "schedules[0].job", []asyncops.Option{asyncops.Standalone()}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app, err := asyncops.Open(settings(t, test.text), test.opts...)
			if err == nil {
				t.Fatalf("Open: no error, want one about %s; Close: %v", test.want, app.Close())
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open: %v, want it about %s", err, test.want)
			}
		})
	}
}

// With what is registered, a custom authentication is known.
func TestSigners(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(r.Header.Get("X-Ours")))
	}))
	t.Cleanup(upstream.Close)
	p := start(t, alone+`
clients: {crm: {base_url: "`+upstream.URL+`", allow_networks: [127.0.0.0/8], auth: {type: custom, name: ours}}}
`, asyncops.Standalone(), asyncops.WithSigners(map[string]clients.Signer{
		"ours": func(r *http.Request) error { r.Header.Set("X-Ours", "signed"); return nil },
	}))
	p.echo.GET("/", asyncops.Synchronous(operation("http.request", `{"method":"GET","path":"/"}`)))
	if got := p.do(t, "GET", "/", ""); got.status != 200 || got.body != "signed" {
		t.Errorf("GET / = %d %s, want the signature", got.status, got.body)
	}
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	s := asyncops.Submission{Kind: "system.noop", IdempotencyKey: "k"}
	first, err := p.Submit(t.Context(), s)
	if err != nil || first.Replayed {
		t.Fatalf("Submit = %+v, %v", first, err)
	}
	again, err := p.Submit(t.Context(), s)
	if err != nil || !again.Replayed || again.Job.ID != first.Job.ID {
		t.Errorf("Submit again = %+v, %v; want the first job", again, err)
	}
	other, err := p.SubmitAs(t.Context(), "7", s)
	if err != nil || other.Replayed {
		t.Errorf("SubmitAs 7 = %+v, %v; want a job of its own", other, err)
	}
	ended, err := p.Wait(t.Context(), first.Job.ID)
	if err != nil || ended.State != job.Completed {
		t.Errorf("Wait = %+v, %v; want it completed", ended, err)
	}
	if _, err := p.Submit(t.Context(), asyncops.Submission{Kind: "system.brew"}); !errors.Is(err, job.ErrInvalid) {
		t.Errorf("Submit of an unknown kind = %v, want job.ErrInvalid", err)
	}
	if _, err := p.Submit(t.Context(), asyncops.Submission{Kind: "system.noop", Args: make(chan int)}); err == nil {
		t.Error("Submit of args that are no JSON: want an error")
	}
	if _, err := p.Job(t.Context(), job.NewID()); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("Job of no job = %v, want job.ErrNotFound", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	later, err := p.Submit(t.Context(), asyncops.Submission{Kind: "system.noop", Delay: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(ctx, later.Job.ID); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("Wait with an ended context = %v, want its cause", err)
	}
	w := httptest.NewRecorder()
	p.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if line := `asyncops_jobs_submitted_total{kind="system.noop",queue="default"} 3`; !strings.Contains(w.Body.String(), line) {
		t.Errorf("the metrics lack %s", line)
	}
}

// Whatever the order in which an App is started and closed, it ends, and leaves
// nothing behind (TestMain looks for that).
func TestLife(t *testing.T) {
	t.Parallel()
	t.Run("never started", func(t *testing.T) {
		t.Parallel()
		p := open(t, alone, asyncops.Standalone())
		if err := errors.Join(p.Close(), p.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := p.Start(t.Context()); err == nil {
			t.Error("Start after Close: no error")
		}
	})
	t.Run("started twice", func(t *testing.T) {
		t.Parallel()
		p := open(t, alone, asyncops.Standalone())
		if err := errors.Join(p.Start(t.Context()), p.Start(t.Context()), p.Close()); err != nil {
			t.Error(err)
		}
		<-p.Done()
	})
	t.Run("context ended", func(t *testing.T) {
		t.Parallel()
		p := open(t, alone, asyncops.Standalone())
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("enough"))
		if err := p.Start(ctx); err != nil && !strings.Contains(err.Error(), "enough") {
			t.Errorf("Start = %v, want nil or the cause", err)
		}
	})
	t.Run("not running", func(t *testing.T) {
		t.Parallel()
		p := open(t, alone, asyncops.Standalone())
		p.echo.Use(asyncops.Middleware(p.App))
		if got := p.do(t, "GET", "/", ""); got.status != 503 || !strings.Contains(p.log.String(), "does not run") {
			t.Errorf("GET / before Start = %d %s, want 503 and a log line", got.status, got.body)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		path := settings(t, withMain)
		for range 5 {
			app, err := asyncops.Open(path, asyncops.Standalone(), asyncops.WithLogger(quiet()))
			if err != nil {
				t.Fatal(err)
			}
			if err := app.Start(t.Context()); err != nil {
				t.Error(err)
			}
			receipt, err := app.Submit(t.Context(), asyncops.Submission{Kind: "system.noop"})
			if err != nil {
				t.Error(err)
			} else if _, err := app.Wait(t.Context(), receipt.Job.ID); err != nil {
				t.Error(err)
			}
			if err := app.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}
