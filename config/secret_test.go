package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/asyncops/asyncops/config"
)

// TestSecretsAreNotShown prints everything that holds a secret in every way.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, `
api: {keys: [{name: ops, key: aok_key1_hunter2hunter2hunter2hunter2hunter2, role: admin}]}
ledger: {dsn: "postgres://u:hunter2@localhost/d"}
redis: {url: "redis-sentinel://u:hunter2@h/m/0?sentinel_password=hunter2"}
cache: {redis_url: "redis://:hunter2@h"}
databases: {main: {dsn: "mysql://u:hunter2@h/d"}}
clients:
  a: {base_url: "https://h", auth: {type: bearer, token: hunter2}, proxy: "http://u:hunter2@h"}
  b: {base_url: "https://h", auth: {type: standard_webhooks, secrets: [whsec_hunter2hunter2hunter2hunter2hunt]}}
`, nil)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("x", "cfg", cfg, "dsn", cfg.Ledger.DSN, "redis", cfg.Redis.URL, "token", cfg.Clients["a"].Auth.Token)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "cfg", cfg, "token", cfg.Clients["a"].Auth.Token)
	inJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{"slog": log.String(), "JSON": string(inJSON), "YAML": string(inYAML)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for name, value := range map[string]any{
			"config": *cfg, "DSN": cfg.Ledger.DSN, "Redis": cfg.Redis.URL, "secret": cfg.Clients["a"].Auth.Token,
			"hidden": struct{ s config.Secret }{cfg.Clients["a"].Auth.Token},
		} {
			shown[verb+" of "+name] = fmt.Sprintf(verb, value)
		}
	}
	for how, text := range shown {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows a secret:\n%s", how, text)
		}
	}
	if got := cfg.Clients["a"].Auth.Token.String(); got != "[secret]" {
		t.Errorf("String = %q, want [secret]", got)
	}
	if got := cfg.Clients["b"].Auth.Token.String(); got != "" {
		t.Errorf("String of no secret = %q, want nothing", got)
	}
}

func TestSecretRevealsAndCompares(t *testing.T) {
	t.Parallel()
	a, b := config.NewSecret("a"), config.NewSecret("b")
	if a.Reveal() != "a" || !a.Equal(config.NewSecret("a")) || a.Equal(b) || a.IsZero() {
		t.Error("NewSecret(a) is not a secret that reveals a and equals another a alone")
	}
	var none config.Secret
	if none.Reveal() != "" || !none.IsZero() || !none.Equal(config.NewSecret("")) {
		t.Error("the zero Secret is not empty")
	}
}

// secretFile writes a file of the given name and returns a function that
// replaces its content.
func secretFile(t *testing.T, content string) (path string, replace func(string)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "secret")
	replace = func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(content)
	return path, replace
}

func TestSecretFollowsItsFile(t *testing.T) {
	t.Parallel()
	path, replace := secretFile(t, "first\n")
	content := fmt.Sprintf(`
clients: {crm: {base_url: "https://h", auth: {type: bearer, token: "pre-${file:%s}"}}}
databases: {main: {dsn: "postgres://u:${file:%s}@h/d"}}
cache: {redis_url: "redis-sentinel://:${file:%s}@h/m?sentinel_password=s${file:%s}"}
`, path, path, path, path)
	synctest.Test(t, func(t *testing.T) {
		cfg := mustLoad(t, content, nil)
		reveal := func(want string) {
			t.Helper()
			for name, pair := range map[string][2]string{
				"token":             {cfg.Clients["crm"].Auth.Token.Reveal(), "pre-" + want},
				"password":          {cfg.Databases["main"].DSN.Password.Reveal(), want},
				"redis password":    {cfg.Cache.RedisURL.Password.Reveal(), want},
				"sentinel password": {cfg.Cache.RedisURL.SentinelPassword.Reveal(), "s" + want},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s = %q, want %q", name, pair[0], pair[1])
				}
			}
		}
		reveal("first")
		replace("second")
		time.Sleep(9 * time.Second) // of the bubble's clock
		reveal("first")
		time.Sleep(time.Second)
		reveal("second")

		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		reveal("second")
		replace("third")
		time.Sleep(10 * time.Second)
		reveal("third")
	})
}

func TestSecretKeepsTheLastGoodText(t *testing.T) {
	t.Parallel()
	path, replace := secretFile(t, key1)
	content := fmt.Sprintf("api: {keys: [{name: ops, role: admin, key: '${file:%s}'}]}", path)
	synctest.Test(t, func(t *testing.T) {
		key := mustLoad(t, content, nil).API.Keys[0].Key
		for _, step := range []struct{ content, want string }{
			{"not a key", key1}, {"", key1}, {key2, key2}, {"aok_", key2},
		} {
			replace(step.content)
			time.Sleep(10 * time.Second)
			if got := key.Reveal(); got != step.want {
				t.Errorf("Reveal with %q in the file = %q, want %q", step.content, got, step.want)
			}
		}
	})
}

func TestSecretConcurrently(t *testing.T) {
	t.Parallel()
	path, replace := secretFile(t, "aaaa")
	content := fmt.Sprintf("databases: {main: {dsn: 'postgres://u:${file:%s}@h/d'}}", path)
	synctest.Test(t, func(t *testing.T) {
		password := mustLoad(t, content, nil).Databases["main"].DSN.Password
		replace("bbbb")
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				for range 20 {
					if got := password.Reveal(); got != "aaaa" && got != "bbbb" {
						t.Errorf("Reveal = %q, want aaaa or bbbb", got)
					}
					time.Sleep(time.Second)
				}
			})
		}
		group.Wait()
		if got := password.Reveal(); got != "bbbb" {
			t.Errorf("Reveal = %q, want bbbb", got)
		}
	})
}
