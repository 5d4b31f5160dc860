package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// object is a JSON object to be sent.
type object = map[string]any

// caller calls the REST API. Methods without a testing.TB may be used from any
// goroutine.
type caller struct {
	url  string // http://host:port
	key  string // "" for none
	http *http.Client
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func newCaller(t testing.TB, addr, key string) *caller {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{url: "http://" + addr, key: key, http: &http.Client{Transport: transport, Timeout: 40 * time.Second}}
}

// call sends one request; body is marshalled unless it is nil. headers are
// names and values in turn.
func (c *caller) call(ctx context.Context, method, path string, body any, headers ...string) (answer, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, content)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, text}, err
}

// read gets path, which must answer 200, into v.
func (c *caller) read(ctx context.Context, path string, v any) error {
	a, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("GET %s = %s, want 200", path, a)
	}
	return json.Unmarshal(a.body, v)
}

// must is call for those that must answer the status.
func (c *caller) must(t testing.TB, want int, method, path string, body any, headers ...string) answer {
	t.Helper()
	a, err := c.call(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != want {
		t.Fatalf("%s %s = %s, want %d", method, path, a, want)
	}
	return a
}

// readyz reads /readyz.
func (c *caller) readyz(ctx context.Context) (code int, status string, err error) {
	a, err := c.call(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return 0, "", err
	}
	var body struct {
		Status string `json:"status"`
	}
	err = json.Unmarshal(a.body, &body)
	return a.status, body.Status, err
}

// awaitReadyz waits until /readyz answers so.
func (c *caller) awaitReadyz(t testing.TB, timeout time.Duration, wantCode int, wantStatus string) {
	t.Helper()
	testkit.Eventually(t, timeout, 20*time.Millisecond, func() error {
		code, status, err := c.readyz(t.Context())
		if err == nil && (code != wantCode || status != wantStatus) {
			err = fmt.Errorf("GET /readyz of %s = %d %s, want %d %s", c.url, code, status, wantCode, wantStatus)
		}
		return err
	})
}

// metric reads the sum of a metric over its labels.
func (c *caller) metric(t testing.TB, name string) float64 {
	t.Helper()
	a := c.must(t, http.StatusOK, http.MethodGet, "/metrics", nil)
	sum, found := 0.0, false
	for line := range bytes.Lines(a.body) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		fields := bytes.Fields(rest)
		value, err := strconv.ParseFloat(string(fields[len(fields)-1]), 64)
		if err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		t.Fatalf("GET /metrics of %s has no %s", c.url, name)
	}
	return sum
}
