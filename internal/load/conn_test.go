package load_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

const testID = job.ID("0192f7a0-0000-7000-8000-000000000001")

// connection returns one to a server.
func connection(t *testing.T, web *httptest.Server, path string) *load.Conn {
	t.Helper()
	target := load.Target{URL: web.URL + path, Key: testKey}
	if web.Certificate() != nil {
		pool := x509.NewCertPool()
		pool.AddCert(web.Certificate())
		target.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	conn, err := load.NewConn(target, sdk.Submission{Kind: "system.noop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestConnSubmits(t *testing.T) {
	t.Parallel()
	accept := func(w http.ResponseWriter, location string) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusAccepted)
	}
	tests := []struct {
		name  string
		path  string // of the server's URL
		tls   bool
		serve func(w http.ResponseWriter)
		conns int    // that three submissions took
		err   string // a part of it
	}{
		{"accepted", "", false, func(w http.ResponseWriter) { accept(w, "/v1/jobs/"+string(testID)) }, 1, ""},
		{"over TLS", "", true, func(w http.ResponseWriter) { accept(w, "/v1/jobs/"+string(testID)) }, 1, ""},
		{"below a path", "/ops/", false, func(w http.ResponseWriter) { accept(w, "https://example.com/ops/v1/jobs/"+string(testID)) }, 1, ""},
		{"in chunks", "", false, func(w http.ResponseWriter) {
			accept(w, "/v1/jobs/"+string(testID))
			_, _ = io.WriteString(w, strings.Repeat(" ", 10_000))
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "{}")
		}, 1, ""},
		{"and closed", "", false, func(w http.ResponseWriter) {
			w.Header().Set("Connection", "close")
			accept(w, "/v1/jobs/"+string(testID))
		}, 3, ""},
		{"no job", "", false, func(w http.ResponseWriter) { accept(w, "/v1/jobs") }, 1, "202 without the Location of a job"},
		{"another status", "", false, func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, 1, "200 OK"},
		{"moved", "", false, func(w http.ResponseWriter) { w.WriteHeader(http.StatusPermanentRedirect) }, 1, "308 Permanent Redirect"},
		{"too large", "", false, func(w http.ResponseWriter) {
			accept(w, "/v1/jobs/"+string(testID))
			_, _ = io.WriteString(w, strings.Repeat(" ", 2<<20))
		}, 3, sdk.ErrResponseTooLarge.Error()},
		{"cut off", "", false, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			accept(w, "/v1/jobs/"+string(testID))
			panic(http.ErrAbortHandler)
		}, 3, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			conns := map[string]bool{}
			web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				conns[r.RemoteAddr] = true
				mu.Unlock()
				if want := strings.TrimRight(tt.path, "/") + "/v1/jobs"; r.URL.Path != want {
					t.Errorf("path = %s, want %s", r.URL.Path, want)
				}
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != `{"kind":"system.noop","args":{}}` {
					t.Errorf("body = %s, %v", body, err)
				}
				tt.serve(w)
			}))
			web.EnableHTTP2 = true // which it must not be talked into
			if tt.tls {
				web.StartTLS()
			} else {
				web.Start()
			}
			defer web.Close()
			conn := connection(t, web, tt.path)
			for range 3 {
				id, err := conn.Submit(t.Context())
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || err == nil && id != testID {
					t.Errorf("Submit = %s, %v; want %s, …%s…", id, err, testID, tt.err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if len(conns) != tt.conns {
				t.Errorf("used %d connections, want %d", len(conns), tt.conns)
			}
		})
	}
}

func TestConnTellsProblems(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `{"code":"saturated","detail":"no"}`)
	}))
	defer web.Close()
	_, err := connection(t, web, "").Submit(t.Context())
	if !errors.Is(err, job.ErrSaturated) || err.Error() != "503 saturated: no" {
		t.Errorf("Submit = %v, want 503 saturated: no", err)
	}
	var p *sdk.Problem
	if errors.As(err, &p) && p.RetryAfter.Seconds() != 7 {
		t.Errorf("RetryAfter = %s, want 7s", p.RetryAfter)
	}
}

// A submission that is waited for ends with its context.
func TestConnIsCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer web.Close()
	if _, err := connection(t, web, "").Submit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Submit = %v, want canceled", err)
	}
}

func TestConnToNobody(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	conn := connection(t, web, "")
	web.Close()
	if _, err := conn.Submit(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Submit = %v, want connection refused", err)
	}
}

// Each submission of a keyed connection is a job of its own.
func TestConnKeys(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 3)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		w.Header().Set("Location", "/v1/jobs/"+string(testID))
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(web.Close)
	conn, err := load.NewConn(load.Target{URL: web.URL, Keyed: true}, sdk.Submission{Kind: "system.noop"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	seen := map[string]bool{}
	for range cap(keys) {
		if _, err := conn.Submit(t.Context()); err != nil {
			t.Fatal(err)
		}
		key := <-keys
		if _, err := job.ParseID(key); err != nil || seen[key] {
			t.Errorf("key %q: %v, seen before: %t", key, err, seen[key])
		}
		seen[key] = true
	}
}
