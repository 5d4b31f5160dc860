package config_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

func TestTwins(t *testing.T) {
	t.Parallel()
	file := `
databases:
  main: {dsn: "sqlite:main.db", tables: {"public.users": {}}}
clients:
  my-crm: {base_url: "https://crm.example.com"}
`
	tests := []struct {
		variable, value string
		got             func(*config.Config) any
		want            any
	}{
		{"ASYNCOPS_LEDGER_DSN", "sqlite:other.db", func(c *config.Config) any { return c.Ledger.DSN.Path }, "other.db"},
		{"ASYNCOPS_API_GZIP", "false", func(c *config.Config) any { return c.API.Gzip }, false},
		{"ASYNCOPS_API_BODY_LIMIT", "64KiB", func(c *config.Config) any { return c.API.BodyLimit }, 64 * config.KiB},
		{"ASYNCOPS_HEALTH_INTERVAL", "PT1M", func(c *config.Config) any { return c.Health.Interval.String() }, "1m"},
		{"ASYNCOPS_DATABASES_MAIN_DSN", "sqlite:two.db", func(c *config.Config) any { return c.Databases["main"].DSN.Path }, "two.db"},
		{"ASYNCOPS_DATABASES_MAIN_RETRY_ATTEMPTS", "9", func(c *config.Config) any { return c.Databases["main"].Retry.Attempts }, 9},
		{"ASYNCOPS_DATABASES_MAIN_TABLES_PUBLIC_USERS_WRITE", "true", func(c *config.Config) any { return c.Databases["main"].Tables["public.users"].Write }, true},
		{"ASYNCOPS_CLIENTS_MY_CRM_TIMEOUT", "5s", func(c *config.Config) any { return c.Clients["my-crm"].Timeout.String() }, "5s"},
		{"ASYNCOPS_QUEUES_LOW_WEIGHT", "2", func(c *config.Config) any { return c.Queues["low"].Weight }, 2},
		{"ASYNCOPS_ALERTS_RULES_MEMORY_ABOVE", "0.5", func(c *config.Config) any { return c.Alerts.Rules.Memory.Above }, 0.5},
		{"ASYNCOPS_WORKER_QUEUES", `["low"]`, func(c *config.Config) any { return c.Worker.Queues }, []string{"low"}},
		{"ASYNCOPS_QUEUES", `{"bulk":{"weight":4}}`, func(c *config.Config) any { return c.Queues }, map[string]config.Queue{"bulk": {Weight: 4}, "default": {Weight: 3}}},
		{"ASYNCOPS_ALERTS_RULES", `{"memory":{}}`, func(c *config.Config) any { return c.Alerts.Rules.ErrorRate == nil && c.Alerts.Rules.Memory != nil }, true},
		{"ASYNCOPS_WORKER_QUEUES", `["lo\u0077"]`, func(c *config.Config) any { return c.Worker.Queues }, []string{"low"}},
		{"ASYNCOPS_OBSERVABILITY_OTLP_ENDPOINT", "http://${HOST}:4318", func(c *config.Config) any { return c.Observability.OTLPEndpoint }, "http://collector:4318"},
		{"ASYNCOPS_WORKER_CONCURRENCY", "", func(c *config.Config) any { return c.Worker.Concurrency }, 100},
	}
	for _, test := range tests {
		t.Run(test.variable, func(t *testing.T) {
			t.Parallel()
			cfg, warnings, err := load(t, file, environment{test.variable: test.value, "HOST": "collector"})
			if err != nil || len(warnings) > 0 {
				t.Fatalf("Load = %v, %v, want neither", warnings, err)
			}
			if diff := cmp.Diff(test.want, test.got(cfg)); diff != "" {
				t.Errorf("%s=%s (-want +got):\n%s", test.variable, test.value, diff)
			}
		})
	}
}

func TestTwinProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		env  environment
		want []string
	}{
		{
			name: "wrong type", env: environment{"ASYNCOPS_WORKER_CONCURRENCY": "many"},
			want: []string{"ASYNCOPS_WORKER_CONCURRENCY: worker.concurrency: is not a whole number; write digits alone, such as 20"},
		},
		{
			name: "out of bounds", file: "worker: {concurrency: 5}", env: environment{"ASYNCOPS_WORKER_CONCURRENCY": "0"},
			want: []string{"ASYNCOPS_WORKER_CONCURRENCY: worker.concurrency: is 0; write a value from 1 to 10000"},
		},
		{
			name: "no JSON", env: environment{"ASYNCOPS_WORKER_QUEUES": "low,default"},
			want: []string{`ASYNCOPS_WORKER_QUEUES: worker.queues: is not JSON; write it like ["first","second"]`},
		},
		{
			name: "JSON and more", env: environment{"ASYNCOPS_QUEUES": "{} {}"},
			want: []string{`ASYNCOPS_QUEUES: queues: is not JSON; write it like {"name":{"key":"value"}}`},
		},
		{
			name: "unclosed JSON", env: environment{"ASYNCOPS_QUEUES": `{"a":{`},
			want: []string{`ASYNCOPS_QUEUES: queues: is not JSON; write it like {"name":{"key":"value"}}`},
		},
		{
			name: "strict JSON", env: environment{"ASYNCOPS_QUEUES": `{"a":{"weight":"2","waight":2},"b":{},"b":{}}`},
			want: []string{
				`ASYNCOPS_QUEUES: queues.a.waight: is an unknown key; did you mean "weight"?`,
				"ASYNCOPS_QUEUES: queues.a.weight: is not a whole number; write digits alone, such as 20",
				"ASYNCOPS_QUEUES: queues.b: is given twice; keep one",
			},
		},
		{
			name: "what the file said of a replaced map is forgotten",
			file: "databases:\n  main:\n    dsn: sqlite:x\n", env: environment{"ASYNCOPS_DATABASES": `{"main":{}}`},
			want: []string{"ASYNCOPS_DATABASES: databases.main.dsn: is missing; write it, such as dsn: postgres://app@localhost/app"},
		},
		{
			name: "unset variable in a value", env: environment{"ASYNCOPS_REDIS_URL": "${NOWHERE}"},
			want: []string{"ASYNCOPS_REDIS_URL: redis.url: ${NOWHERE} is not set; set the variable NOWHERE, or write ${NOWHERE:-default}"},
		},
		{
			name: "two settings with one variable", file: "queues: {a-b: {}, a_b: {}}", env: environment{"ASYNCOPS_QUEUES_A_B_WEIGHT": "2"},
			want: []string{"ASYNCOPS_QUEUES_A_B_WEIGHT: queues.a_b.weight: shares its variable with queues.a-b.weight; rename one of them, or unset the variable"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := load(t, test.file, test.env)
			if diff := cmp.Diff(test.want, problems(t, err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownVariablesWarn(t *testing.T) {
	t.Parallel()
	_, warnings, err := load(t, "", environment{
		"ASYNCOPS_CONFIG": "ignored.yaml", "ASYNCOPS_URL": "http://x", "ASYNCOPS_API_KEY": "k", "ASYNCOPS_REQUIRE_SERVICES": "1",
		"ASYNCOPS_LEDGER_DNS": "x", "ASYNCOPS_DATABASES_MAIN_DSN": "x", "ASYNCOPS_FROBNICATE_EVERYTHING": "x", "ASYNCOPS_EMPTY": "",
		"PATH": "/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ASYNCOPS_DATABASES_MAIN_DSN: is not a setting; a variable can change entries that the file has, so add the entry there, or give all of them as JSON in ASYNCOPS_DATABASES",
		"ASYNCOPS_FROBNICATE_EVERYTHING: is not a setting; unset it, or correct its name",
		"ASYNCOPS_LEDGER_DNS: is not a setting; did you mean ASYNCOPS_LEDGER_DSN?",
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings (-want +got):\n%s", cmp.Diff(want, got))
	}
}
