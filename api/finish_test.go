package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/internal/testkit"
)

func (o *fakeOutside) saw(request string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Contains(o.requests, request)
}

func TestRequestsAreObserved(t *testing.T) {
	t.Parallel()
	written := &lockedBuffer{}
	f := start(t, func(_ *api.Config, deps *api.Deps) {
		deps.Log = slog.New(slog.NewJSONHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	f.do(t, "GET", "/v1/queues/default", "", as(viewerKey))
	f.do(t, "GET", "/v1/queues/nope?x=canary", "", as(viewerKey))
	f.do(t, "GET", "/v1/nothing/canary", "")
	f.do(t, "BREW", "/v1/jobs", "")
	f.do(t, "CONNECT", "/v1/jobs", "")
	f.do(t, "POST", "/v1/jobs", `{"kind":"system.noop","tags":["canary"]}`, as(submitterKey))
	for _, want := range []string{
		"/v1/queues/{queue} GET OK", "/v1/queues/{queue} GET Bad Request", " GET Not Found", " OTHER Method Not Allowed", "/v1/jobs POST Accepted",
	} {
		if !f.outside.saw(want) {
			t.Errorf("observed %q, want %q too", f.outside.requests, want)
		}
	}
	logs := written.String()
	if !strings.Contains(logs, `"route":"/v1/queues/{queue}","status":200,"key":"viewer"`) || strings.Contains(logs, "canary") || strings.Contains(logs, secret) {
		t.Errorf("logs = %s\nwant the requests without payload, query and secrets", logs)
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx, leave := context.WithCancel(t.Context())
	f.onAccept = func(ctx context.Context) error {
		leave()
		return blockUntilDone(ctx)
	}
	r, err := http.NewRequestWithContext(ctx, "POST", f.url+"/v1/jobs", strings.NewReader(insert))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+submitterKey)
	transport := &http.Transport{DisableKeepAlives: true}
	if resp, err := transport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("= %d, want the caller to have left", resp.StatusCode)
	}
	testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error {
		if !f.outside.saw("/v1/jobs POST ") { // 499 has no text
			return fmt.Errorf("observed nothing of status 499")
		}
		return nil
	})
	if logs := f.logs.String(); strings.Contains(logs, "request failed") {
		t.Errorf("logs = %s, want no fault", logs)
	}
}
