package cli_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/cli"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
)

func TestInit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "asyncops.yaml")
	r := run(t, outside{}, "init", path)
	if want := "wrote " + path + "\n"; r.code != cli.ExitOK || r.stdout != want {
		t.Fatalf("init = exit %d %q, want 0 %q: %s", r.code, r.stdout, want, r.stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != config.Starter() {
		t.Errorf("init wrote %q", text)
	}
	if r := run(t, outside{}, "init", path); r.code != cli.ExitUsage || !strings.Contains(r.stderr, "is there already") {
		t.Errorf("second init = exit %d %q, want 2, is there already", r.code, r.stderr)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, outside{}, "init", "--force", path); r.code != cli.ExitOK {
		t.Errorf("init --force = exit %d %q, want 0", r.code, r.stderr)
	}
	if r := run(t, outside{hooks: refusing(t)}, "config", "check", "--config", path); r.code != cli.ExitOK {
		t.Errorf("check of the starter = exit %d %q, want 0", r.code, r.stderr)
	}
	if r := run(t, outside{}, "init", filepath.Join(path, "below")); r.code != cli.ExitFailed {
		t.Errorf("init below a file = exit %d %q, want 1", r.code, r.stderr)
	}
}

func TestConfigCheckTellsEveryProblem(t *testing.T) {
	t.Parallel()
	path := file(t, "asyncops.yaml", "api: {auth: maybe}\nqueues: {low: {weight: 0}}\nwroker: {}\n")
	r := run(t, outside{hooks: refusing(t)}, "config", "check", "--config", path)
	if r.code != cli.ExitUsage || strings.Count(r.stderr, "\n") != 3 {
		t.Fatalf("exit %d %q, want 2 and three lines", r.code, r.stderr)
	}
	for i, want := range []string{":1: api.auth: ", ":2: queues.low.weight: ", ":3: wroker: "} {
		if line := strings.Split(r.stderr, "\n")[i]; !strings.HasPrefix(line, "asyncops: "+path+want) {
			t.Errorf("line %d = %q, want asyncops: %s%s…", i+1, line, path, want)
		}
	}
}

func TestConfigCheckConnect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		found []cli.Connection
		code  int
		table string
	}{
		{"all well", []cli.Connection{{Name: "ledger", OK: true, Status: "ok", Detail: "PostgreSQL 15"}}, 0, "SERVER  STATUS  DETAIL\nledger  ok      PostgreSQL 15\n"},
		{"one down", []cli.Connection{{Name: "ledger", OK: true, Status: "ok"}, {Name: "redis", Status: "down", Detail: "refused"}}, 1, "SERVER  STATUS  DETAIL\nledger  ok\nredis   down    refused\n"},
		{"one degraded", []cli.Connection{{Name: "database main", Status: "degraded", Detail: "fsync is off"}}, 1, "SERVER         STATUS    DETAIL\ndatabase main  degraded  fsync is off\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hooks := refusing(t)
			hooks.Connect = func(_ context.Context, cfg *config.Config) []cli.Connection {
				if cfg.Worker.Concurrency != 7 {
					t.Errorf("Connect got worker.concurrency %d, want 7", cfg.Worker.Concurrency)
				}
				return tt.found
			}
			path := file(t, "asyncops.yaml", "worker: {concurrency: 7}\n")
			r := run(t, outside{hooks: hooks, env: map[string]string{"ASYNCOPS_CONFIG": path}}, "config", "check", "--connect")
			if r.code != tt.code || r.stdout != tt.table {
				t.Errorf("exit %d\n%s, want %d\n%s", r.code, r.stdout, tt.code, tt.table)
			}
		})
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	settings := "databases: {main: {dsn: \"sqlite:main.db\", tables: {users: {}}}}\n"
	tests := []struct {
		name, args string
		err        error
		code       int
		target     string
		printOnly  bool
		stderr     string
	}{
		{"ledger", "migrate", nil, 0, "", false, ""},
		{"target", "migrate --target main", nil, 0, "main", false, ""},
		{"print", "migrate --print", nil, 0, "", true, ""},
		{"ledger down", "migrate", fmt.Errorf("ledger: migrate: %w", job.ErrUnavailable), 1, "", false, "asyncops: ledger: migrate: the ledger is unavailable\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called := false
			hooks := refusing(t)
			hooks.Migrate = func(_ context.Context, cfg *config.Config, target string, printOnly bool) (string, error) {
				called = true
				if target != tt.target || printOnly != tt.printOnly || len(cfg.Databases) != 1 {
					t.Errorf("Migrate(%d databases, %q, %t), want 1, %q, %t", len(cfg.Databases), target, printOnly, tt.target, tt.printOnly)
				}
				return "done\n", tt.err
			}
			path := file(t, "asyncops.yaml", settings)
			r := run(t, outside{hooks: hooks}, append(strings.Fields(tt.args), "--config", path)...)
			if !called || r.code != tt.code || r.stderr != tt.stderr || (tt.err == nil && r.stdout != "done\n") {
				t.Errorf("called %t, exit %d, %q, %q; want %d and done, %q", called, r.code, r.stdout, r.stderr, tt.code, tt.stderr)
			}
		})
	}
}

func TestDev(t *testing.T) {
	t.Parallel()
	_, _, bad := config.Load(config.LoadArgs{Getenv: func(name string) string {
		return map[string]string{"ASYNCOPS_API_AUTH": "maybe"}[name]
	}})
	tests := []struct {
		name string
		err  error
		code int
	}{
		{"stopped in order", nil, 0},
		{"failed", errors.New("app: listen: address already in use"), 1},
		{"bad settings", fmt.Errorf("app: %w", bad), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hooks := refusing(t)
			hooks.Dev = func(_ context.Context, path string) error {
				if path != "a.yaml" {
					t.Errorf("Dev(%q), want a.yaml", path)
				}
				return tt.err
			}
			if r := run(t, outside{hooks: hooks}, "dev", "--config", "a.yaml"); r.code != tt.code || (tt.err == nil) != (r.stderr == "") {
				t.Errorf("exit %d %q, want %d", r.code, r.stderr, tt.code)
			}
		})
	}
}

func TestKeysCreate(t *testing.T) {
	t.Parallel()
	var recorded []cli.Key
	hooks := refusing(t)
	hooks.CreateKey = func(_ context.Context, _ *config.Config, key cli.Key) error {
		recorded = append(recorded, key)
		return nil
	}
	seen := map[string]bool{}
	for range 3 {
		r := run(t, outside{hooks: hooks}, "keys", "create", "--name", " ops ", "--role", "admin", "--direct", "--output", "json")
		if r.code != cli.ExitOK {
			t.Fatalf("exit %d: %s", r.code, r.stderr)
		}
		var shown struct{ ID, Name, Role, Key string }
		if err := json.Unmarshal([]byte(r.stdout), &shown); err != nil {
			t.Fatal(err)
		}
		id, secret, ok := config.SplitKey(shown.Key)
		if !ok || id != shown.ID || len(secret) != 64 || seen[id] || seen[secret] {
			t.Errorf("key %q: parts %q and %q (%t), want an id and 256 bits that are new", shown.Key, id, secret, ok)
		}
		seen[id], seen[secret] = true, true
		hash := sha256.Sum256([]byte(shown.Key))
		want := cli.Key{ID: id, Name: "ops", Role: "admin", Hash: hex.EncodeToString(hash[:])}
		if got := recorded[len(recorded)-1]; got != want {
			t.Errorf("recorded %+v, want %+v", got, want)
		}
		if strings.Contains(r.stderr, secret) {
			t.Errorf("stderr = %q, which shows the secret", r.stderr)
		}
	}
}

func TestKeysCreateThatFails(t *testing.T) {
	t.Parallel()
	hooks := refusing(t)
	hooks.CreateKey = func(context.Context, *config.Config, cli.Key) error {
		return fmt.Errorf("ledger: create key: key ops: %w", job.ErrExists)
	}
	r := run(t, outside{hooks: hooks}, "keys", "create", "--name", "ops", "--role", "admin", "--direct")
	if r.code != cli.ExitFailed || r.stdout != "" || !strings.Contains(r.stderr, "already exists") {
		t.Errorf("exit %d, %q, %q; want 1, no key, already exists", r.code, r.stdout, r.stderr)
	}
}

func TestMigrateNeedsNoRedis(t *testing.T) {
	t.Parallel()
	hooks := refusing(t)
	hooks.Migrate = func(context.Context, *config.Config, string, bool) (string, error) { return "done", nil }
	r := run(t, outside{hooks: hooks, env: map[string]string{"ASYNCOPS_REDIS_URL": "none"}}, "migrate")
	if r.code != cli.ExitOK {
		t.Errorf("migrate with redis.url none = exit %d %q, want 0", r.code, r.stderr)
	}
}

func TestWarningsOfSettings(t *testing.T) {
	t.Parallel()
	o := outside{hooks: refusing(t), environ: []string{"ASYNCOPS_API_LISTN=:1"}}
	r := run(t, o, "config", "check")
	if r.code != cli.ExitOK || !strings.HasPrefix(r.stderr, "asyncops: warning: ASYNCOPS_API_LISTN: ") {
		t.Errorf("exit %d %q, want 0 and a warning about ASYNCOPS_API_LISTN", r.code, r.stderr)
	}
}
