package app //nolint:testpackage // what it tests is nobody else's

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

func TestUnused(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	if got := unused(cfg); len(got) != 0 {
		t.Errorf("unused(defaults) = %v, want none", got)
	}
	cfg.Queues["low"] = config.Queue{Weight: 1, MaxPending: 5}
	want := []string{"queues.low.max_pending"}
	if diff := cmp.Diff(want, unused(cfg)); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	tests := []struct{ asked, got, want string }{
		{"127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080"},
		{"127.0.0.1:0", "127.0.0.1:41234", "127.0.0.1:41234"},
		{"localhost:0", "127.0.0.1:41234", "localhost:41234"},
		{":8080", "[::]:8080", "127.0.0.1:8080"},
	}
	for _, test := range tests {
		if got := hostOf(test.asked, test.got); got != test.want {
			t.Errorf("hostOf(%q, %q) = %q, want %q", test.asked, test.got, got, test.want)
		}
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	one, two := map[string]int{"a": 1}, map[string]int{"a": 1, "b": 2}
	tests := []struct {
		name string
		all  map[string]int
		ask  string
		want int
		ok   bool
	}{
		{"the only one", one, "", 1, true},
		{"by name", two, "b", 2, true},
		{"which of them", two, "", 0, false},
		{"unknown", one, "b", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := named(test.all, test.ask); got != test.want || ok != test.ok {
				t.Errorf("named(%v, %q) = %v, %v; want %v, %v", test.all, test.ask, got, ok, test.want, test.ok)
			}
		})
	}
}

// Every queue that is configured is served, unless the worker names its own.
func TestWorkerQueues(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	s := &system{cfg: cfg}
	if diff := cmp.Diff(map[string]int{"critical": 6, "default": 3, "low": 1}, s.workerQueues()); diff != "" {
		t.Errorf("workerQueues (-want +got):\n%s", diff)
	}
	cfg.Worker.Queues = []string{"low"}
	if diff := cmp.Diff(map[string]int{"low": 1}, s.workerQueues()); diff != "" {
		t.Errorf("workerQueues of a worker of low (-want +got):\n%s", diff)
	}
}

func TestSettingsAreOneProblemALine(t *testing.T) {
	t.Parallel()
	err := settings(config.Problems{{Setting: "a", Message: "is wrong"}, {Message: "b"}})
	if want := "a: is wrong\nb"; err.Error() != want {
		t.Errorf("settings = %q, want %q", err, want)
	}
	if settings(nil) != nil {
		t.Error("settings(nil) is an error")
	}
}

// What is wrong with one part's settings is told together with what is wrong
// with another's, and ends nothing but the start.
func TestOpenTellsOfAllSettings(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Redis.URL = config.RedisURL{Mode: "standalone", Addrs: []string{"localhost:6379"}, TLS: true, CAFile: t.TempDir() + "/none.pem"}
	cfg.Cache.RedisURL = config.RedisURL{Mode: "standalone", Addrs: []string{"localhost:6379"}, TLS: true, CAFile: t.TempDir() + "/none.pem"}
	client := config.NewClient()
	client.BaseURL = "https://api.example.com"
	client.TLS.CA = t.TempDir() + "/none.pem"
	cfg.Clients = map[string]config.Client{"crm": client}
	_, err := open(cfg, slog.New(slog.DiscardHandler), "test", nil)
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 3 || !strings.HasPrefix(problems[1].Message, "cache.redis_url: ") {
		t.Errorf("open = %v, want a problem of redis.url, one of cache.redis_url and one of the client", err)
	}
}
