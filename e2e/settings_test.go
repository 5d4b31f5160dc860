package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

// Every program tells all that is wrong with its settings, each on one line
// with its place, and exits with 2. None of them starts.
func TestBadSettings(t *testing.T) {
	t.Parallel()
	const settings = `api:
  listen: 127.0.0.1:0
  auth: sometimes
ledger:
  pool_size: many
databases:
  main: {dsn: "postgres://app@127.0.0.1/app", colour: red}
worker:
  concurrency: 0
`
	path := filepath.Join(t.TempDir(), "asyncops.yaml")
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{path + ":3: api.auth: ", path + ":5: ledger.pool_size: ", path + ":7: databases.main.colour: ", path + ":9: worker.concurrency: "}
	tests := []struct {
		name string
		pkg  string
		args []string
	}{
		{"api", "cmd/api", nil},
		{"worker", "cmd/worker", nil},
		{"scheduler", "cmd/scheduler", nil},
		{"dev", "cmd/asyncops", []string{"dev"}},
		{"migrate", "cmd/asyncops", []string{"migrate"}},
		{"config check", "cmd/asyncops", []string{"config", "check"}},
		{"keys create", "cmd/asyncops", []string{"keys", "create", "--name", "ops", "--role", "admin", "--direct"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.StartProcess(t, testkit.ProcessConfig{Package: test.pkg, Args: append(test.args, "--config", path)})
			if code := p.WaitExit(startTimeout); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			lines := strings.Split(strings.TrimSuffix(p.Stderr(), "\n"), "\n")
			if len(lines) != len(want) {
				t.Errorf("%d lines on stderr, want %d:\n%s", len(lines), len(want), p.Stderr())
			}
			for _, prefix := range want {
				if !strings.Contains(p.Stderr(), prefix) {
					t.Errorf("nothing on stderr begins with %q:\n%s", prefix, p.Stderr())
				}
			}
			if p.Stdout() != "" {
				t.Errorf("stdout = %q, want nothing", p.Stdout())
			}
		})
	}
}

func TestBadUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		pkg  string
		args []string
		want string // on stderr
	}{
		{"unknown flag of the API", "cmd/api", []string{"--port", "1"}, "--port"},
		{"unknown flag of the worker", "cmd/worker", []string{"--port", "1"}, "--port"},
		{"unknown flag of the scheduler", "cmd/scheduler", []string{"--port", "1"}, "--port"},
		{"unknown flag of the command", "cmd/asyncops", []string{"dev", "--port", "1"}, "--port"},
		{"unknown command", "cmd/asyncops", []string{"fly"}, "fly"},
		{"no command", "cmd/asyncops", nil, "expected one of"},
		{"argument of a server", "cmd/worker", []string{"now"}, "now"},
		{"no such file", "cmd/worker", []string{"--config", "missing.yaml"}, "missing.yaml"},
		{"listen is no address", "cmd/worker", []string{"--listen", "here"}, "listen"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := testkit.StartProcess(t, testkit.ProcessConfig{Package: test.pkg, Args: test.args})
			if code := p.WaitExit(startTimeout); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if !strings.Contains(p.Stderr(), test.want) || strings.Count(p.Stderr(), "\n") > 2 {
				t.Errorf("stderr = %q, want a line with %q", p.Stderr(), test.want)
			}
		})
	}
}

// Port 0 is any free port; its address is printed, and answers whatever else
// is away.
func TestAnyPort(t *testing.T) {
	t.Parallel()
	for _, pkg := range []string{"cmd/worker", "cmd/scheduler"} {
		for _, listen := range []string{":0", "127.0.0.1:0"} {
			t.Run(fmt.Sprint(pkg, " on ", listen), func(t *testing.T) {
				t.Parallel()
				p := testkit.StartProcess(t, testkit.ProcessConfig{Package: pkg, Args: []string{"--listen", listen}, Env: []string{
					"ASYNCOPS_LEDGER_DSN=postgres://nobody@" + testkit.FreeAddr(t) + "/none", "ASYNCOPS_REDIS_URL=redis://" + testkit.FreeAddr(t),
				}})
				line := p.WaitLine(startTimeout, func(line string) bool { return strings.Contains(line, "http://") })
				_, addr, _ := strings.Cut(line, "http://")
				c := newCaller(t, addr, "")
				c.must(t, http.StatusOK, http.MethodGet, "/healthz", nil)
				c.must(t, http.StatusServiceUnavailable, http.MethodGet, "/readyz", nil)
				c.must(t, http.StatusOK, http.MethodGet, "/metrics", nil)
				p.Terminate()
				if code := p.WaitExit(startTimeout); code != 0 {
					t.Errorf("exit code after SIGTERM %d, want 0", code)
				}
			})
		}
	}
}
