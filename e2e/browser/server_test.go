package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// object is a JSON object.
type object = map[string]any

// server is asyncops dev, which has everything in one process.
type server struct {
	url  string // http://host:port
	key  string // for calls of the API; "" where none is asked for
	http *http.Client
}

// start starts asyncops dev with settings in YAML, "" for those that it has.
func start(t testing.TB, settings string) *server {
	t.Helper()
	dir, addr := t.TempDir(), testkit.FreeAddr(t)
	args := []string{"dev"}
	if settings != "" {
		path := filepath.Join(dir, "asyncops.yaml")
		if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	p := testkit.StartProcess(t, testkit.ProcessConfig{
		Package: "cmd/asyncops", Args: args, Env: []string{"ASYNCOPS_API_LISTEN=" + addr}, Dir: dir,
	})
	p.WaitHealthy(time.Minute, "http://"+addr+"/readyz")
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return &server{url: "http://" + addr, http: &http.Client{Transport: transport, Timeout: 40 * time.Second}}
}

// pages is the base of the dashboard.
func (s *server) pages() string { return s.url + "/dashboard/" }

// send sends a request. Strings are sent as they are, other bodies as JSON. It
// may be used from any goroutine.
func (s *server) send(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if text, ok := body.(string); ok {
		content = strings.NewReader(text)
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, content)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.key != "" {
		request.Header.Set("Authorization", "Bearer "+s.key)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// call sends a request, which must answer the status, and returns its JSON.
func (s *server) call(t testing.TB, want int, method, path string, body any) object {
	t.Helper()
	status, text, err := s.send(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if status != want {
		t.Fatalf("%s %s = %d %s, want %d", method, path, status, text, want)
	}
	var answer object
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return answer
}

func (s *server) get(t testing.TB, path string) object {
	t.Helper()
	return s.call(t, http.StatusOK, http.MethodGet, path, nil)
}

// submit submits a job and returns its id.
func (s *server) submit(t testing.TB, body any) string {
	t.Helper()
	return s.call(t, http.StatusAccepted, http.MethodPost, "/v1/jobs", body)["id"].(string)
}
