package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/observe"
)

// serve starts a server on a free port and returns its URL and what it printed.
func serve(t *testing.T, handler http.Handler) (url, printed string) {
	t.Helper()
	var out bytes.Buffer
	s := observe.NewServer("127.0.0.1:0", handler, &out, discard())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	return "http://" + s.Addr(), out.String()
}

func TestServer(t *testing.T) {
	t.Parallel()
	health := observe.NewHealth(observe.HealthConfig{}, discard())
	metrics := observe.New(observe.Build{}, observe.Labels{}).Handler()
	url, printed := serve(t, observe.Handler(health, metrics))
	if want := "health and metrics on " + url + "\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
	tests := []struct {
		method, path string
		code         int
		contentType  string
		body         string // a part of it
	}{
		{http.MethodGet, "/healthz", 200, "application/json", `{"status":"ok"}`},
		{http.MethodHead, "/healthz", 200, "application/json", ""},
		{http.MethodGet, "/readyz", 200, "application/json", `{"status":"ok","checks":[]}`},
		{http.MethodGet, "/metrics", 200, "text/plain", "asyncops_fenced_total 0"},
		{http.MethodPost, "/metrics", 405, "application/problem+json", `"code":"method_not_allowed"`},
		{http.MethodGet, "/", 404, "application/problem+json", `"code":"not_found"`},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.code || !strings.HasPrefix(res.Header.Get("Content-Type"), tt.contentType) || !strings.Contains(string(body), tt.body) {
				t.Errorf("%s %s = %d %s %s, want %d %s …%s…", tt.method, tt.path, res.StatusCode, res.Header.Get("Content-Type"), body, tt.code, tt.contentType, tt.body)
			}
			if tt.code == 405 && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow = %q, want GET, HEAD", res.Header.Get("Allow"))
			}
		})
	}
}

func TestServerThatIsOff(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := observe.NewServer(observe.Off, http.NotFoundHandler(), &out, discard())
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("Start = %v, want nil", err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatalf("Run = %v, want nil at once", err)
	}
	if s.Addr() != "" || out.Len() > 0 {
		t.Errorf("Addr() = %q and printed %q, want nothing", s.Addr(), out.String())
	}
}

func TestServerLetsRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	s := observe.NewServer("127.0.0.1:0", handler, io.Discard, discard())
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	answered := make(chan string, 1)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Get("http://" + s.Addr())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-entered
	cancel()
	close(leave)
	if got := <-answered; got != "done" {
		t.Errorf("the request in flight got %q, want done", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}

func TestServerWhoseAddressIsTaken(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, http.NotFoundHandler())
	s := observe.NewServer(strings.TrimPrefix(url, "http://"), http.NotFoundHandler(), io.Discard, discard())
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "observe: serve health and metrics: ") {
		t.Errorf("Start on a taken address = %v, want an error that says what was being done", err)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, level, format string
		lines               int
		json                bool
	}{
		{"json", "info", "json", 2, true},
		{"text", "info", "text", 2, false},
		{"only warnings", "warn", "json", 1, true},
		{"words that nobody knows", "loud", "yaml", 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := observe.Logger(&out, tt.level, tt.format)
			east := time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
			log.Info("one", "at", east)
			log.Warn("two", "at", east)
			if got := strings.Count(out.String(), "\n"); got != tt.lines {
				t.Errorf("wrote %d lines, want %d: %s", got, tt.lines, out.String())
			}
			if !strings.Contains(out.String(), "2026-11-23T11:00:00") {
				t.Errorf("wrote %q, want the time in UTC", out.String())
			}
			first, _, _ := strings.Cut(out.String(), "\n")
			if got := json.Valid([]byte(first)); got != tt.json {
				t.Errorf("wrote JSON: %t, want %t", got, tt.json)
			}
		})
	}
}
