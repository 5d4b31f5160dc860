package sdk_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/asyncops/asyncops/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey = "aok_abcd_0123456789abcdefghijklmnopqrstuvwxyz"
	testID  = "0192f7a0-0000-7000-8000-000000000001"
)

// pendingJob is a job as the server writes it.
const pendingJob = `{"id":"` + testID + `","kind":"system.noop","queue":"default","state":"pending","args":{},"result":null,` +
	`"error":null,"attempt":0,"max_attempts":10,"crashes":0,"generation":0,"delivery":"at_least_once","tags":[],` +
	`"created_at":"2026-11-23T10:00:00Z","run_at":"2026-11-23T10:00:00Z","started_at":null,"finished_at":null,` +
	`"waiting_on":{"reason":"no_worker","detail":"no live worker serves queue default","until":null},` +
	`"progress":null,"workflow":null,"schedule":null,"links":{"self":"/v1/jobs/` + testID + `"}}`

var completedJob = strings.Replace(pendingJob, `"state":"pending"`, `"state":"completed"`, 1)

// request is what a fake server was sent.
type request struct {
	Line, Body, Type, Key, Prefer string
}

// fake is a server that answers from a list and remembers what it was sent.
type fake struct {
	mu      sync.Mutex
	answers []answer  // guarded by mu; the last one stands
	got     []request // guarded by mu
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.got = append(f.got, request{
		Line: r.Method + " " + r.URL.RequestURI(), Body: string(body), Type: r.Header.Get("Content-Type"),
		Key: r.Header.Get("Authorization"), Prefer: r.Header.Get("Prefer"),
	})
	a := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	f.mu.Unlock()
	contentType := "application/json"
	if a.status >= 300 {
		contentType = "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (f *fake) requests() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.got...)
}

// newClient returns a client of a server that gives these answers.
func newClient(t *testing.T, answers ...answer) (*sdk.Client, *fake) {
	t.Helper()
	f := &fake{answers: answers}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := sdk.New(server.URL, testKey, sdk.Options{MaxRetries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, f
}

// roundTripper answers without a network, so that it can be used in a bubble.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// offline returns a client whose requests go to serve.
func offline(t *testing.T, serve roundTripper, opts sdk.Options) *sdk.Client {
	t.Helper()
	opts.HTTPClient = &http.Client{Transport: serve}
	c, err := sdk.New("http://127.0.0.1:8080", testKey, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func response(status int, body string, header ...string) *http.Response {
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/json")
	if status >= 300 {
		rec.Header().Set("Content-Type", "application/problem+json")
	}
	for i := 0; i < len(header); i += 2 {
		rec.Header().Set(header[i], header[i+1])
	}
	rec.WriteHeader(status)
	_, _ = rec.WriteString(body)
	return rec.Result()
}
