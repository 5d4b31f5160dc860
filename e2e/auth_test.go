package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startEcho starts an upstream that answers 400 with all that it was told, and
// issues tokens that are secrets themselves; /refuse gives away the secret
// that it refuses.
func startEcho(t *testing.T, token string) *httptest.Server {
	t.Helper()
	u := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/token":
			_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer"}`, token)
		case "/refuse":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"error":"%s","error_description":%q}`, r.Header.Get("Authorization"), body)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "%s %q %q", r.URL, r.Header, body)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

// With any type of authentication, what it is configured with and what it makes
// of that is in no error, attempt, dry run, log or metric, even if the upstream
// gives it all away.
func TestCredentialsAreNowhere(t *testing.T) {
	t.Parallel()
	canary := "canary" + strings.ToLower(rand.Text())
	echo := startEcho(t, canary+"token")
	s := newSystem(t, "sqlite:ledger.db", "none", "sqlite:target.db")
	s.settings["observability"] = object{"log_level": "debug"}
	tokenFile := filepath.Join(s.dir, "token")
	if err := os.WriteFile(tokenFile, []byte(canary+"file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "SECRET="+canary, "WEBHOOK=whsec_"+base64.StdEncoding.EncodeToString([]byte(canary)))
	auths := map[string]object{
		"bearer":   {"type": "bearer", "token": "${SECRET}"},
		"file":     {"type": "bearer", "token": "${file:" + tokenFile + "}"},
		"basic":    {"type": "basic", "username": "ada", "password": "${SECRET}"},
		"header":   {"type": "api_key", "in": "header", "name": "X-Api-Key", "key": "${SECRET}"},
		"query":    {"type": "api_key", "in": "query", "name": "key", "key": "${SECRET}"},
		"oauth2":   {"type": "oauth2", "token_url": echo.URL + "/token", "client_id": "me", "client_secret": "${SECRET}"},
		"refused":  {"type": "oauth2", "token_url": echo.URL + "/refuse", "client_id": "me", "client_secret": "${SECRET}"},
		"hmac":     {"type": "hmac", "secret": "${SECRET}", "header": "X-Signature", "timestamp_header": "X-Time"},
		"webhooks": {"type": "standard_webhooks", "secrets": []string{"${WEBHOOK}"}},
	}
	for name, auth := range auths {
		s.section("clients")[name] = object{"base_url": echo.URL, "allow_networks": []string{"127.0.0.0/8"}, "max_retries": 1, "auth": auth}
	}
	dev := s.start("cmd/asyncops", "dev")
	dev.WaitHealthy(startTimeout, s.url+"/readyz")

	said := map[string]string{}
	for name := range auths {
		submission := object{"kind": "http.request", "max_attempts": 1, "args": object{
			"client": name, "method": "POST", "path": "/echo", "body": object{"a": 1},
		}}
		dry := s.must(t, http.StatusOK, http.MethodPost, "/v1/jobs?dry_run=true", submission).String()
		if !strings.Contains(dry, "[secret]") {
			t.Errorf("the dry run of client %s = %s, want it to show where the secret goes", name, dry)
		}
		id := s.submit(t, submission).ID
		s.awaitState(t, time.Minute, id, "archived")
		seen := s.must(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, nil).String()
		if want := "answered 40"; !strings.Contains(seen, want) {
			t.Errorf("the job of client %s = %s, want an error with %q", name, seen, want)
		}
		said["dry run of "+name], said["job of "+name] = dry, seen
		said["attempts of "+name] = s.must(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id+"/attempts", nil).String()
	}
	for _, path := range []string{"/v1/clients", "/metrics", "/readyz"} {
		said[path] = s.must(t, http.StatusOK, http.MethodGet, path, nil).String()
	}
	dev.Terminate()
	if code := dev.WaitExit(startTimeout); code != 0 {
		t.Errorf("exit code after SIGTERM %d, want 0", code)
	}
	said["output"] = dev.Stdout() + dev.Stderr()
	for where, text := range said {
		requireNoSecret(t, where, text, canary)
	}
}

// A secret in a file is read again while the process runs, and one that no
// longer signs right is not asked for a restart.
func TestSecretFileIsReadAgain(t *testing.T) {
	t.Parallel()
	var s *system
	got := make(chan string, 100)
	u := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	t.Cleanup(u.Close)
	s = newSystem(t, "sqlite:ledger.db", "none", "sqlite:target.db")
	file := filepath.Join(s.dir, "token")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	s.section("clients")["up"] = object{"base_url": u.URL, "allow_networks": []string{"127.0.0.0/8"},
		"auth": object{"type": "bearer", "token": "${file:" + file + "}"}}
	dev := s.start("cmd/asyncops", "dev")
	dev.WaitHealthy(startTimeout, s.url+"/readyz")
	call := func() string {
		t.Helper()
		s.must(t, http.StatusOK, http.MethodPost, "/v1/jobs",
			object{"kind": "http.request", "args": object{"client": "up", "method": "GET", "path": "/"}}, "Prefer", "wait=30")
		return <-got
	}
	if auth := call(); auth != "Bearer first" {
		t.Fatalf("Authorization = %q, want Bearer first", auth)
	}
	write("second")
	for deadline := time.Now().Add(time.Minute); call() != "Bearer second"; pause(t, 500*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a minute after the file has changed its old text is still sent")
		}
	}
	dev.Terminate()
	dev.WaitExit(startTimeout)
}

// A type of authentication that nobody has registered is a problem of the
// settings where jobs run.
func TestUnregisteredAuth(t *testing.T) {
	t.Parallel()
	s := newSystem(t, "sqlite:ledger.db", "none", "sqlite:target.db")
	s.section("clients")["up"] = object{"base_url": "https://api.example.com", "auth": object{"type": "custom", "name": "ours"}}
	dev := s.start("cmd/asyncops", "dev")
	const want = `clients.up.auth.name: "ours" is not registered`
	if code := dev.WaitExit(startTimeout); code != 2 || !strings.Contains(dev.Stderr(), want) {
		t.Errorf("asyncops dev exited with %d and said %s, want 2 and %q", code, dev.Stderr(), want)
	}
}
