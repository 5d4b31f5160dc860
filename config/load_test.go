package config_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

// environment is a set of variables.
type environment map[string]string

func (e environment) Getenv(name string) string { return e[name] }

func (e environment) Environ() []string {
	var entries []string
	for name, value := range e {
		entries = append(entries, name+"="+value)
	}
	return entries
}

// writeFile writes a configuration and returns its path.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asyncops.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, content string, env environment) (*config.Config, []config.Warning, error) {
	t.Helper()
	return config.Load(config.LoadArgs{Path: writeFile(t, content), Getenv: env.Getenv, Environ: env.Environ})
}

func mustLoad(t *testing.T, content string, env environment) *config.Config {
	t.Helper()
	cfg, _, err := load(t, content, env)
	if err != nil {
		t.Fatalf("Load = %v, want no problem\n%s", err, content)
	}
	return cfg
}

// problems returns the lines of an error of Load, without the file's folder.
func problems(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	all, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("Load = %T, want config.Problems", err)
	}
	var lines []string
	for _, p := range all {
		if p.File != "" {
			p.File = filepath.Base(p.File)
		}
		lines = append(lines, p.String())
	}
	return lines
}

func TestLoadNothingIsDefault(t *testing.T) {
	t.Parallel()
	cfg, warnings, err := config.Load(config.LoadArgs{})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load = %v, %v, want neither", warnings, err)
	}
	if diff := cmp.Diff(config.Default(), cfg); diff != "" {
		t.Errorf("Load differs from Default (-want +got):\n%s", diff)
	}
}

// TestDefaults compares the defaults with the contract's, as they are written
// there.
func TestDefaults(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("testdata/defaults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mustLoad(t, string(contract), nil), config.Default()); diff != "" {
		t.Errorf("Default differs from testdata/defaults.yaml (-want +got):\n%s", diff)
	}
}

// TestExamples reads every form of the contract's examples.
func TestExamples(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/examples.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, string(content), environment{
		"OPS_KEY": "aok_ops1_" + strings.Repeat("s", 32), "CRM_TOKEN": "token-of-crm",
	})

	main := cfg.Databases["main"]
	if main.PoolSize != 5 || main.MaxOverflow != 30 || main.Retry.Attempts != 7 || main.Retry.Delay.Std() != 100*time.Millisecond {
		t.Errorf("databases.main = %+v, want what is given, and defaults for the rest", main)
	}
	if got, want := main.Tables["users"].Columns, []string{"id", "name", "email", "status"}; !slices.Equal(got, want) {
		t.Errorf("columns = %v, want %v", got, want)
	}
	if got, want := main.Queries["touch"].Writes, []string{"users"}; !slices.Equal(got, want) {
		t.Errorf("writes = %v, want %v", got, want)
	}
	if got, want := cfg.API.Keys[1].ExpiresAt, time.Date(2030, 1, 31, 10, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("expires_at = %v, want %v", got, want)
	}
	if got, want := cfg.Clients["crm"].Auth.Token.Reveal(), "token-of-crm"; got != want {
		t.Errorf("token = %q, want %q", got, want)
	}
	if got, want := cfg.Clients["signed"].Auth.Algorithm, "sha256"; got != want {
		t.Errorf("hmac algorithm = %q, want %q", got, want)
	}
	if got, want := cfg.Clients["keyed"].Auth.In, "header"; got != want {
		t.Errorf("api_key in = %q, want %q", got, want)
	}
	if got, want := cfg.Clients["crm"].AllowNetworks[1].String(), "10.0.0.1/32"; got != want {
		t.Errorf("allow_networks[1] = %q, want %q", got, want)
	}
	if got, want := string(cfg.Schedules[0].Job.Args), `{"items":[{"args":{"big":12345678901234567890,"flag":true,"none":null,"path":"/users","ratio":0.5},"kind":"http.request"}]}`; got != want {
		t.Errorf("args = %s, want %s", got, want)
	}
	if got, want := slices.Sorted(maps.Keys(cfg.Queues)), []string{"bulk", "default"}; !slices.Equal(got, want) {
		t.Errorf("queues = %v, want %v", got, want)
	}
	if cfg.Queues["bulk"].Weight != 1 || cfg.Queues["default"].Weight != 3 {
		t.Errorf("weights = %+v, want bulk 1 and default 3", cfg.Queues)
	}
	if cfg.Alerts.Rules.Memory == nil || cfg.Alerts.Rules.Memory.Above != 0.9 || cfg.Alerts.Rules.ErrorRate != nil {
		t.Errorf("rules = %+v, want memory alone, with its default", cfg.Alerts.Rules)
	}
	if got := cfg.Alerts.Rules.QueueAge; got == nil || got.Above.Std() != 2*time.Minute || got.For.Std() != time.Minute {
		t.Errorf("queue_age = %+v, want above 2m and the default for", got)
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	preset := func(c *config.Config) {
		c.Worker.Concurrency = 7
		c.Health.Interval = config.Duration(time.Minute)
		c.API.BodyLimit = 2 * config.MiB
		c.Redis.URL = config.RedisURL{Mode: config.RedisNone}
		c.Databases = map[string]config.Database{"demo": {DSN: config.DSN{Driver: config.DriverSQLite, Path: "demo.db"}}}
		c.Queues = nil
	}
	file := "worker: {concurrency: 8}\nhealth: {interval: 2m}\ndatabases: {main: {dsn: 'sqlite:main.db'}}\n"
	env := environment{"ASYNCOPS_WORKER_CONCURRENCY": "9"}
	cfg, _, err := config.Load(config.LoadArgs{
		Path: writeFile(t, file), Getenv: env.Getenv, Environ: env.Environ, Preset: preset, AllowRedisNone: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Worker.Concurrency != 9 || cfg.Health.Interval.Std() != 2*time.Minute || cfg.API.BodyLimit != 2*config.MiB {
		t.Errorf("got concurrency %d, interval %s, body limit %s, want 9 of the environment, 2m of the file, 2MiB of the preset",
			cfg.Worker.Concurrency, cfg.Health.Interval, cfg.API.BodyLimit)
	}
	if _, ok := cfg.Databases["demo"]; ok || len(cfg.Databases) != 1 {
		t.Errorf("databases = %v, want the file's alone", cfg.Databases)
	}
	if got := cfg.Queues["default"].Weight; got != 3 {
		t.Errorf("weight of queue default = %d, want 3", got)
	}
}

func TestPathFromEnvironment(t *testing.T) {
	t.Parallel()
	env := environment{"ASYNCOPS_CONFIG": writeFile(t, "worker: {concurrency: 3}")}
	cfg, warnings, err := config.Load(config.LoadArgs{Getenv: env.Getenv, Environ: env.Environ})
	if err != nil || len(warnings) > 0 || cfg.Worker.Concurrency != 3 {
		t.Errorf("Load = %v, %v, %v, want concurrency 3", cfg, warnings, err)
	}
}

func TestFileProblems(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "no.yaml")
	_, _, err := config.Load(config.LoadArgs{Path: missing})
	want := missing + ": cannot be read: no such file or directory; correct --config or ASYNCOPS_CONFIG"
	if err == nil || err.Error() != want {
		t.Errorf("Load = %v, want %s", err, want)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "api:\ndatabases:\nschedules:\n"} {
		if diff := cmp.Diff(config.Default(), mustLoad(t, empty, nil)); diff != "" {
			t.Errorf("Load(%q) differs from Default:\n%s", empty, diff)
		}
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, `
databases:
  main: &main
    dsn: "sqlite:main.db"
    pool_size: 5
    tables: &tables {users: {write: true}}
  copy: *main
  other:
    <<: *main
    pool_size: 6
    tables: {<<: [*tables, {audit: {}}], users: {write: false}}
`, nil)
	if got := cfg.Databases["copy"].PoolSize; got != 5 {
		t.Errorf("pool_size of copy = %d, want 5", got)
	}
	other := cfg.Databases["other"]
	if other.PoolSize != 6 || other.DSN.Path != "main.db" || other.Tables["users"].Write || len(other.Tables) != 2 {
		t.Errorf("other = %+v, want its own values before the merged ones", other)
	}
}
