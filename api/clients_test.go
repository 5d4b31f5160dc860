package api_test

import (
	"strings"
	"testing"

	"github.com/asyncops/asyncops/api"
)

func TestResetBreaker(t *testing.T) {
	t.Parallel()
	f := start(t)
	const path = "/v1/clients/crm/breaker/reset"
	if got := f.do(t, "POST", path, "", as(operatorKey)); got.Status != 200 || !strings.Contains(got.Body, `"name":"crm"`) {
		t.Errorf("POST %s = %d %s, want 200 and the client", path, got.Status, got.Body)
	}
	for _, tt := range []struct {
		name, key, method, path, body string
		want                          int
	}{
		{"not allowed to", submitterKey, "POST", path, "", 403},
		{"a client of others", limitedKey, "POST", path, "", 403},
		{"unknown client", operatorKey, "POST", "/v1/clients/nope/breaker/reset", "", 404},
		{"a body", operatorKey, "POST", path, `{"x":1}`, 400},
		{"a parameter", operatorKey, "POST", path + "?now=1", "", 400},
		{"another method", operatorKey, "GET", path, "", 405},
	} {
		if got := f.do(t, tt.method, tt.path, tt.body, as(tt.key)); got.Status != tt.want {
			t.Errorf("%s: %s %s = %d %s, want %d", tt.name, tt.method, tt.path, got.Status, got.Body, tt.want)
		}
	}
	f.outside.mu.Lock()
	if f.outside.resets != 1 {
		t.Errorf("%d resets, want one", f.outside.resets)
	}
	f.outside.redisAway = true
	f.outside.mu.Unlock()
	got := f.do(t, "POST", path, "", as(operatorKey))
	if problem := decode[struct{ Code, Detail string }](t, got); got.Status != 503 || problem.Code != api.CodeUnavailable || !strings.Contains(problem.Detail, "Redis") {
		t.Errorf("POST %s without Redis = %d %s, want 503 that says so", path, got.Status, got.Body)
	}
}
