package api_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/api"
)

func TestInvalidateDatabase(t *testing.T) {
	t.Parallel()
	f := start(t)
	const path = "/v1/databases/main/cache/invalidate"
	for _, tt := range []struct {
		name, path, body, key string
		status                int
		code, pointer         string
	}{
		{"a table", path, `{"table":"users"}`, adminKey, 204, "", ""},
		{"a key", path, `{"key":"user-7"}`, adminKey, 204, "", ""},
		{"nothing", path, `{}`, adminKey, 422, "required", ""},
		{"both", path, `{"table":"users","key":"x"}`, adminKey, 422, "required", ""},
		{"null", path, `{"table":null}`, adminKey, 422, "required", ""},
		{"no body", path, ``, adminKey, 400, api.CodeMalformed, ""},
		{"a table that is not listed", path, `{"table":"secrets"}`, adminKey, 422, "unknown_table", "/table"},
		{"an empty key", path, `{"key":""}`, adminKey, 422, "required", "/key"},
		{"a number", path, `{"key":7}`, adminKey, 400, "wrong_type", "/key"},
		{"an unknown field", path, `{"tabel":"users"}`, adminKey, 400, "unknown_field", "/tabel"},
		{"a parameter", path + "?all=true", `{"key":"x"}`, adminKey, 400, api.CodeUnknownParameter, ""},
		{"an unknown database", "/v1/databases/nope/cache/invalidate", `{"key":"x"}`, adminKey, 404, api.CodeNotFound, ""},
		{"without the scope", path, `{"key":"x"}`, submitterKey, 403, api.CodeForbidden, ""},
	} {
		got := f.do(t, "POST", tt.path, tt.body, as(tt.key))
		if got.Status != tt.status {
			t.Errorf("%s = %d %s, want %d", tt.name, got.Status, got.Body, tt.status)
			continue
		}
		if tt.status == 204 {
			continue
		}
		problem := got.problem(t)
		pointer := ""
		if len(problem.Errors) > 0 {
			pointer = problem.Errors[0].Pointer
		}
		if problem.Code != tt.code || pointer != tt.pointer {
			t.Errorf("%s = %s at %q, want %s at %q", tt.name, problem.Code, pointer, tt.code, tt.pointer)
		}
	}
	want := []string{"main[users] []", "main[] [user-7]"}
	if !slices.Equal(f.outside.forgotten, want) {
		t.Errorf("forgotten: %v, want %v", f.outside.forgotten, want)
	}
	f.outside.mu.Lock()
	f.outside.cacheAway = api.ErrCacheAway
	f.outside.mu.Unlock()
	got := f.do(t, "POST", path, `{"table":"users"}`, as(adminKey))
	if got.Status != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.Body, "cache") {
		t.Errorf("with Redis away = %d %s, want 503 with Retry-After", got.Status, got.Body)
	}
}

func TestInvalidateClient(t *testing.T) {
	t.Parallel()
	f := start(t)
	const path = "/v1/clients/crm/cache/invalidate"
	for _, tt := range []struct {
		name, path, body, key string
		status                int
		code, pointer         string
	}{
		{"a key", path, `{"key":"rates"}`, adminKey, 204, "", ""},
		{"a path", path, `{"path_prefix":"/users"}`, adminKey, 204, "", ""},
		{"all", path, `{"all":true}`, adminKey, 204, "", ""},
		{"nothing", path, `{}`, adminKey, 422, "required", ""},
		{"two", path, `{"key":"x","all":true}`, adminKey, 422, "required", ""},
		{"null", path, `{"all":null}`, adminKey, 422, "required", ""},
		{"not all", path, `{"all":false}`, adminKey, 422, "required", "/all"},
		{"an empty key", path, `{"key":""}`, adminKey, 422, "required", "/key"},
		{"an empty path", path, `{"path_prefix":""}`, adminKey, 422, "required", "/path_prefix"},
		{"no path", path, `{"path_prefix":"users"}`, adminKey, 422, "invalid_value", "/path_prefix"},
		{"dot segments", path, `{"path_prefix":"/a/%2e%2e/b"}`, adminKey, 422, "dot_segments", "/path_prefix"},
		{"no body", path, ``, adminKey, 400, api.CodeMalformed, ""},
		{"a number", path, `{"key":7}`, adminKey, 400, "wrong_type", "/key"},
		{"an unknown field", path, `{"path":"/"}`, adminKey, 400, "unknown_field", "/path"},
		{"a parameter", path + "?all=true", `{"key":"x"}`, adminKey, 400, api.CodeUnknownParameter, ""},
		{"an unknown client", "/v1/clients/nope/cache/invalidate", `{"key":"x"}`, adminKey, 404, api.CodeNotFound, ""},
		{"without the scope", path, `{"key":"x"}`, submitterKey, 403, api.CodeForbidden, ""},
	} {
		got := f.do(t, "POST", tt.path, tt.body, as(tt.key))
		if got.Status != tt.status {
			t.Errorf("%s = %d %s, want %d", tt.name, got.Status, got.Body, tt.status)
			continue
		}
		if tt.status == 204 {
			continue
		}
		problem := got.problem(t)
		pointer := ""
		if len(problem.Errors) > 0 {
			pointer = problem.Errors[0].Pointer
		}
		if problem.Code != tt.code || pointer != tt.pointer {
			t.Errorf("%s = %s at %q, want %s at %q", tt.name, problem.Code, pointer, tt.code, tt.pointer)
		}
	}
	want := []string{"crm[] [rates]", "crm[/users] []", "crm[/] []"}
	if !slices.Equal(f.outside.forgotten, want) {
		t.Errorf("forgotten: %v, want %v", f.outside.forgotten, want)
	}
	f.outside.mu.Lock()
	f.outside.cacheAway = api.ErrCacheAway
	f.outside.mu.Unlock()
	got := f.do(t, "POST", path, `{"all":true}`, as(adminKey))
	if got.Status != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.Body, "cache") {
		t.Errorf("with Redis away = %d %s, want 503 with Retry-After", got.Status, got.Body)
	}
}
