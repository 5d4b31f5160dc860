package compose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const key = "aok_compose_0123456789abcdef0123456789abcdef"

func load(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "../..",
		ConfigFiles: []types.ConfigFile{{Filename: "../../docker-compose.yml"}},
		Environment: env,
	}, func(o *loader.Options) { o.SetProjectName("asyncops", true) })
}

func TestCompose(t *testing.T) {
	t.Parallel()
	project, err := load(t, map[string]string{"OPS_KEY": key})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"api", "migrate", "postgres", "redis", "scheduler", "worker"}
	if got := slices.Sorted(slices.Values(project.ServiceNames())); !slices.Equal(got, want) {
		t.Fatalf("services = %v, want %v", got, want)
	}
	for _, name := range []string{"api", "migrate", "scheduler", "worker"} {
		s := project.Services[name]
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") {
			t.Errorf("%s: read-only root %t, capabilities dropped %v; want neither writes nor capabilities", name, s.ReadOnly, s.CapDrop)
		}
		if got := s.Environment["OPS_KEY"]; got == nil || *got != key {
			t.Errorf("%s: the key does not come from the environment", name)
		}
		if len(s.Configs) != 1 || s.Configs[0].Target != "/etc/asyncops.yaml" {
			t.Errorf("%s: configs = %v, want the configuration at /etc/asyncops.yaml", name, s.Configs)
		}
		if name == "migrate" {
			continue
		}
		if got := s.DependsOn["migrate"].Condition; got != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s waits for migrate with %q, want until it has completed", name, got)
		}
		if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < 50*time.Second {
			t.Errorf("%s: stop_grace_period = %v, want 30s to shut down and 20s to leave", name, s.StopGracePeriod)
		}
	}
	worker := project.Services["worker"]
	if got := worker.GetScale(); got != 2 {
		t.Errorf("%d workers, want 2", got)
	}
	for _, port := range project.Services["api"].Ports {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("port %s is published on %q, want this host only", port.Published, port.HostIP)
		}
	}
	for name, words := range map[string]string{"postgres": "max_connections=300", "redis": "--maxmemory-policy noeviction"} {
		s := project.Services[name]
		if command := strings.Join(s.Command, " "); !strings.Contains(command, words) {
			t.Errorf("%s is started as %q, want %s", name, command, words)
		}
		if s.HealthCheck == nil || len(s.Volumes) == 0 {
			t.Errorf("%s has no health check or no volume", name)
		}
	}
}

func TestComposeNeedsAKey(t *testing.T) {
	t.Parallel()
	if _, err := load(t, nil); err == nil || !strings.Contains(err.Error(), "OPS_KEY") {
		t.Errorf("without OPS_KEY: %v, want an error that names it", err)
	}
}
