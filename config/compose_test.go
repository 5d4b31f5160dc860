package config_test

import (
	"testing"

	"github.com/asyncops/asyncops/config"
)

// The configuration that docker-compose.yml mounts is right.
func TestComposeConfiguration(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"OPS_KEY":           "aok_compose_0123456789abcdef0123456789abcdef",
		"POSTGRES_PASSWORD": "secret",
	}
	cfg, _, err := config.Load(config.LoadArgs{
		Path: "../deploy/compose/asyncops.yaml", Getenv: func(name string) string { return env[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Databases["demo"].DSN.Password.Reveal(); got != "secret" {
		t.Errorf("password of demo = %q, want that of the environment", got)
	}
	if len(cfg.API.Keys) != 1 || cfg.API.Keys[0].Role != config.RoleAdmin {
		t.Errorf("keys = %v, want one of role admin", cfg.API.Keys)
	}
}
