package observe_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/observe"
)

func fixed(name string, critical bool, status observe.Status, detail string) observe.Check {
	return observe.Check{Name: name, Critical: critical, Func: func(context.Context) (observe.Status, string) { return status, detail }}
}

// running returns a Health that has made its checks once; it must be called in
// a bubble.
func running(t *testing.T, log *buffer, checks ...observe.Check) *observe.Health {
	t.Helper()
	h := observe.NewHealth(observe.HealthConfig{}, observe.Logger(log, "info", "text"), checks...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
	synctest.Wait()
	return h
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	ledgerOK := fixed("ledger", true, observe.OK, "")
	tests := []struct {
		name   string
		checks []observe.Check
		drain  bool
		code   int
		body   string
	}{
		{"nothing to check", nil, false, 200, `{"status":"ok","checks":[]}`},
		{"all well", []observe.Check{ledgerOK}, false, 200,
			`{"status":"ok","checks":[{"name":"ledger","status":"ok","detail":""}]}`},
		{"ledger down", []observe.Check{fixed("ledger", true, observe.Down, "unreachable")}, false, 503,
			`{"status":"down","checks":[{"name":"ledger","status":"down","detail":"unreachable"}]}`},
		{"redis down", []observe.Check{ledgerOK, fixed("redis", false, observe.Down, "unreachable")}, false, 200,
			`{"status":"degraded","checks":[{"name":"ledger","status":"ok","detail":""},{"name":"redis","status":"down","detail":"unreachable"}]}`},
		{"effects missing", []observe.Check{fixed("database main", false, observe.Degraded, "no effects table")}, false, 200,
			`{"status":"degraded","checks":[{"name":"database main","status":"degraded","detail":"no effects table"}]}`},
		{"ledger degraded", []observe.Check{fixed("ledger", true, observe.Degraded, "slow")}, false, 200,
			`{"status":"degraded","checks":[{"name":"ledger","status":"degraded","detail":"slow"}]}`},
		{"draining", []observe.Check{ledgerOK}, true, 503,
			`{"status":"down","checks":[{"name":"process","status":"down","detail":"draining"},{"name":"ledger","status":"ok","detail":""}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := running(t, new(buffer), tt.checks...)
				if tt.drain {
					h.Drain()
				}
				rec := httptest.NewRecorder()
				h.Readyz().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
				if rec.Code != tt.code || strings.TrimSpace(rec.Body.String()) != tt.body {
					t.Errorf("GET /readyz = %d %s, want %d %s", rec.Code, rec.Body, tt.code, tt.body)
				}
				if got := rec.Header().Get("Content-Type"); got != "application/json" {
					t.Errorf("Content-Type = %q, want application/json", got)
				}
			})
		})
	}
}

func TestNotReadyBeforeTheFirstCheck(t *testing.T) {
	t.Parallel()
	h := observe.NewHealth(observe.HealthConfig{}, discard(), fixed("ledger", true, observe.OK, ""))
	status, checks := h.Ready()
	if status != observe.Down || checks[0].Detail != "not checked yet" {
		t.Errorf("Ready() = %s %+v, want down, not checked yet", status, checks)
	}
	if h.Up("ledger") {
		t.Error(`Up("ledger") before the first check`)
	}
}

func TestChecksAreMadeInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		var status atomic.Value
		status.Store(observe.OK)
		var log buffer
		h := running(t, &log, observe.Check{Name: "ledger", Critical: true, Func: func(ctx context.Context) (observe.Status, string) {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) != observe.DefaultCheckTimeout {
				t.Errorf("deadline in %s, want %s", time.Until(deadline), observe.DefaultCheckTimeout)
			}
			calls.Add(1)
			return status.Load().(observe.Status), "told"
		}})
		for range 100 {
			h.Ready()
		}
		if calls.Load() != 1 || !h.Up("ledger") {
			t.Errorf("%d checks after 100 probes, want 1; up %t, want true", calls.Load(), h.Up("ledger"))
		}
		status.Store(observe.Down)
		<-time.After(observe.DefaultCheckInterval)
		synctest.Wait()
		if got, _ := h.Ready(); calls.Load() != 2 || got != observe.Down || h.Up("ledger") {
			t.Errorf("%d checks after an interval, want 2; Ready %s, want down; up %t, want false", calls.Load(), got, h.Up("ledger"))
		}
		status.Store(observe.OK)
		<-time.After(2 * observe.DefaultCheckInterval)
		synctest.Wait()
		if got := strings.Count(log.String(), "\n"); got != 2 || !strings.Contains(log.String(), "check recovered") {
			t.Errorf("log = %q, want one line for each change", log.String())
		}
	})
}

func TestHangingCheckCountsAsDownAndHoldsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, hang := true, make(chan struct{})
		hanging := observe.Check{Name: "redis", Func: func(context.Context) (observe.Status, string) {
			if !first {
				<-hang
			}
			first = false
			return observe.OK, ""
		}}
		h := running(t, new(buffer), hanging, fixed("ledger", true, observe.OK, ""))
		if status, _ := h.Ready(); status != observe.OK {
			t.Fatalf("Ready() = %s, want ok", status)
		}
		<-time.After(4 * (observe.DefaultCheckInterval + observe.DefaultCheckTimeout))
		status, checks := h.Ready()
		if status != observe.Degraded || checks[0].Status != observe.Down || checks[1].Status != observe.OK {
			t.Errorf("Ready() = %s %+v, want degraded by redis alone", status, checks)
		}
		close(hang)
	})
}

func TestStoppingIsNotTakenForIllness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := true
		h := observe.NewHealth(observe.HealthConfig{}, discard(), observe.Check{Name: "ledger", Func: func(ctx context.Context) (observe.Status, string) {
			if first {
				first = false
				return observe.OK, ""
			}
			<-ctx.Done()
			return observe.Down, "canceled"
		}})
		go func() {
			<-time.After(observe.DefaultCheckInterval + time.Second)
			cancel()
		}()
		if err := h.Run(ctx); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if !h.Up("ledger") {
			t.Error("the check that the stop interrupted counts as down")
		}
	})
}

func TestUpOfAnUnknownCheck(t *testing.T) {
	t.Parallel()
	if observe.NewHealth(observe.HealthConfig{}, discard()).Up("nobody") {
		t.Error(`Up("nobody") = true, want false`)
	}
}

// What is wrong may change while something stays degraded: each change is one
// line.
func TestChangesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log buffer
		var detail atomic.Value
		detail.Store("fsync is off")
		running(t, &log, observe.Check{Name: "database main", Func: func(context.Context) (observe.Status, string) {
			return observe.Degraded, detail.Load().(string)
		}})
		for _, next := range []string{"fsync is off", "no effects table", "no effects table"} {
			detail.Store(next)
			<-time.After(2 * observe.DefaultCheckInterval)
			synctest.Wait()
		}
		if got := strings.Count(log.String(), "check failed"); got != 2 {
			t.Errorf("%d lines, want one for each of 2 details:\n%s", got, &log)
		}
	})
}
