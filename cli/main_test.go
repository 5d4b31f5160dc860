package cli_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/asyncops/asyncops/cli"
	"github.com/asyncops/asyncops/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testID  = "0192f7a0-0000-7000-8000-000000000001"
	otherID = "0192f7a0-0000-7000-8000-000000000002"
)

// server answers as an asyncops server does, from a table of routes. Each has
// a list of answers, of which the last one stands.
type server struct {
	mu     sync.Mutex
	routes map[string][]string // guarded by mu; "METHOD /path" to "STATUS body"
	got    []string            // guarded by mu; "METHOD /path?query body"
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + r.URL.RequestURI()
	if prefer := r.Header.Get("Prefer"); prefer != "" {
		line += " " + prefer
	}
	s.got = append(s.got, strings.TrimSpace(line+" "+string(body)))
	route := r.Method + " " + r.URL.Path
	answers := s.routes[route]
	if len(answers) == 0 {
		answers = []string{`404 {"status":404,"code":"not_found","detail":"there is nothing at this path"}`}
	}
	if len(answers) > 1 {
		s.routes[route] = answers[1:]
	}
	var status int
	_, text, _ := strings.Cut(answers[0], " ")
	if _, err := fmt.Sscan(answers[0], &status); err != nil {
		status = http.StatusTeapot
	}
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Request-Id", "r1")
	}
	if strings.HasSuffix(text, " replayed") {
		text = strings.TrimSuffix(text, " replayed")
		w.Header().Set("Idempotency-Replayed", "true")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// outside is what a run of the tests has around it.
type outside struct {
	routes  map[string][]string
	stdin   string
	env     map[string]string
	hooks   cli.Hooks
	tty     bool
	environ []string
}

// result is what a run left behind.
type result struct {
	code           int
	stdout, stderr string
	requests       []string
}

func run(t *testing.T, o outside, args ...string) result {
	t.Helper()
	s := &server{routes: o.routes}
	if s.routes == nil {
		s.routes = map[string][]string{}
	}
	web := httptest.NewServer(s)
	defer web.Close()
	getenv := func(name string) string {
		if value, ok := o.env[name]; ok {
			return value
		}
		if name == "ASYNCOPS_URL" {
			return web.URL
		}
		return ""
	}
	if o.hooks.Build == (cli.Build{}) {
		o.hooks.Build = cli.Build{Version: "v0.1.0", Revision: "abc123"}
	}
	var stdout, stderr bytes.Buffer
	code := cli.Run(t.Context(), args, cli.IO{
		Stdin: strings.NewReader(o.stdin), Stdout: &stdout, Stderr: &stderr, Getenv: getenv, Terminal: o.tty,
		Environ: func() []string { return o.environ },
	}, o.hooks)
	hide := strings.NewReplacer(web.URL, "http://server", strings.TrimPrefix(web.URL, "http://"), "server",
		runtime.Version(), "go1.x", runtime.GOOS+"/"+runtime.GOARCH, "os/arch")
	return result{code, hide.Replace(stdout.String()), hide.Replace(stderr.String()), s.requests()}
}

// golden compares text with testdata/<name>.golden.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// refusing are hooks that must not be called.
func refusing(t *testing.T) cli.Hooks {
	t.Helper()
	return cli.Hooks{
		Dev: func(context.Context, string) error { t.Error("Dev was called"); return nil },
		Migrate: func(context.Context, *config.Config, string, bool) (string, error) {
			t.Error("Migrate was called")
			return "", nil
		},
		CreateKey: func(context.Context, *config.Config, cli.Key) error { t.Error("CreateKey was called"); return nil },
		Connect:   func(context.Context, *config.Config) []cli.Connection { t.Error("Connect was called"); return nil },
	}
}

// file writes a file of the test's own and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
