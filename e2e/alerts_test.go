package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// hook is a place that is told of alerts. It takes what is signed.
type hook struct {
	server *httptest.Server
	secret []byte

	mu     sync.Mutex
	told   map[string]int // "alert.firing target_down database main" to how many ids it came under; guarded by mu
	ids    map[string]bool
	wrong  []string
	refuse int // how many to refuse first
}

func startHook(t testing.TB) *hook {
	t.Helper()
	h := &hook{secret: []byte("a secret of 24 bytes, ok"), told: map[string]int{}, ids: map[string]bool{}, refuse: 2}
	h.server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.server.Close)
	return h
}

func (h *hook) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	mac := hmac.New(sha256.New, h.secret)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); id == "" || r.Header.Get("webhook-signature") != want {
		h.wrong = append(h.wrong, fmt.Sprintf("%s %v: %s", id, r.Header, body))
	}
	if h.refuse > 0 {
		h.refuse--
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	var event struct {
		Type string
		Data struct {
			Rule    string
			About   struct{ Type, Name string }
			Summary string
		}
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Data.Summary == "" {
		h.wrong = append(h.wrong, string(body))
	}
	if !h.ids[id] {
		h.ids[id] = true
		h.told[strings.Join([]string{event.Type, event.Data.Rule, event.Data.About.Type, event.Data.About.Name}, " ")]++
	}
}

// heard returns nil when the hook was told of exactly these, once each.
func (h *hook) heard(want ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := slices.Sorted(maps.Keys(h.told))
	slices.Sort(want)
	for event, n := range h.told {
		if n != 1 {
			return fmt.Errorf("told %d times of %s", n, event)
		}
	}
	if !slices.Equal(got, want) || len(h.wrong) > 0 {
		return fmt.Errorf("told of %q, want %q; wrong were %q", got, want, h.wrong)
	}
	return nil
}

// A database and an upstream go down under three schedulers, of which the one
// that looks is killed: each alert fires once, is listed and counted, and is
// resolved once when they are back.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const hold = 3 * time.Second
	ledger, target, hooks := testkit.PostgresDatabase(t), testkit.StartPostgres(t), startHook(t)
	record := openPostgres(t, ledger)
	address := testkit.FreeAddr(t)
	upstream := serveAt(t, address)
	s := newSystem(t, ledger, testkit.Redis(t).URL(), target.Database(t))
	s.settings["clients"] = object{
		"api": object{
			"base_url": "http://" + address, "allow_networks": []string{"127.0.0.0/8"}, "max_retries": 0,
			"circuit_breaker": object{"threshold": 2, "timeout": "1s"},
		},
		"hooks": object{
			"base_url": hooks.server.URL, "allow_networks": []string{"127.0.0.0/8"}, "max_retries": 0,
			"auth": object{"type": "standard_webhooks", "secrets": []string{"whsec_" + base64.StdEncoding.EncodeToString(hooks.secret)}},
		},
	}
	s.settings["alerts"] = object{
		"notify": []object{{"client": "hooks", "path": "/alerts"}},
		"rules":  object{"target_down": object{"for": hold.String()}, "breaker_open": object{"for": hold.String()}},
	}
	s.migrate()
	schedulers := []*process{s.startScheduler(), s.startScheduler(), s.startScheduler()}
	s.startAPI()
	s.startWorker()

	target.Stop()
	_ = upstream.Close()
	down := time.Now()
	call := s.submit(t, object{"kind": "http.request", "args": object{"client": "api", "method": "GET", "path": "/"}, "max_attempts": 1000,
		"backoff": object{"initial": "100ms", "max": "500ms"}})
	schedulers = killHolder(t, record, schedulers)
	firing := []string{"alert.firing target_down database main", "alert.firing target_down client api", "alert.firing breaker_open client api"}
	testkit.Eventually(t, 2*time.Minute, 50*time.Millisecond, func() error { return hooks.heard(firing...) })
	t.Logf("all alerts had been told of %s after the targets went down, with for: %s", time.Since(down).Round(time.Millisecond), hold)
	list := s.must(t, 200, "GET", "/v1/alerts?state=firing", nil)
	var found struct {
		Items []struct{ Rule, State, Summary, Remedy string }
	}
	if err := json.Unmarshal(list.body, &found); err != nil || len(found.Items) != 3 || found.Items[0].Remedy == "" {
		t.Errorf("GET /v1/alerts = %s, want the three", list.body)
	}
	testkit.Eventually(t, time.Minute, 50*time.Millisecond, func() error {
		if n := schedulers[0].probe.metric(t, `asyncops_alerts_firing{rule="target_down"}`); n != 2 {
			return fmt.Errorf("asyncops_alerts_firing of target_down = %v, want 2", n)
		}
		return nil
	})

	target.Restart()
	serveAt(t, address)
	back := time.Now()
	all := slices.Clone(firing)
	for _, event := range firing {
		all = append(all, strings.Replace(event, "firing", "resolved", 1))
	}
	testkit.Eventually(t, 2*time.Minute, 50*time.Millisecond, func() error { return hooks.heard(all...) })
	t.Logf("all alerts had been told to be over %s after the targets were back", time.Since(back).Round(time.Millisecond))
	s.awaitState(t, time.Minute, call.ID, "completed")
	requireNumber(t, record, 6, "SELECT count(*) FROM asyncops_jobs WHERE kind = 'system.notify'")
	s.must(t, 422, "POST", "/v1/jobs", object{"kind": "system.notify", "args": object{"client": "hooks", "path": "/alerts", "event": object{}}})
}

// killHolder kills the scheduler that looks at the alerts, and returns the
// others.
func killHolder(t *testing.T, record *sql.DB, schedulers []*process) []*process {
	t.Helper()
	var holder string
	if err := record.QueryRowContext(t.Context(), "SELECT holder FROM asyncops_alert_turns").Scan(&holder); err != nil {
		t.Fatal(err)
	}
	for i, p := range schedulers {
		if strings.Contains(holder, fmt.Sprintf("-%d-", p.PID())) {
			p.Kill()
			return slices.Delete(slices.Clone(schedulers), i, i+1)
		}
	}
	t.Fatalf("no scheduler is %q", holder)
	return nil
}

// serveAt is an API at the address that answers everything.
func serveAt(t *testing.T, address string) *http.Server {
	t.Helper()
	var listener net.Listener
	testkit.Eventually(t, time.Minute, 50*time.Millisecond, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return server
}
