package httpop_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func TestCheckAcceptsWhatIsAllowed(t *testing.T) {
	t.Parallel()
	policy := httpop.Policy{AllowHeaders: []string{"user-agent"}}
	for _, r := range []httpop.Request{
		{Method: "GET", Path: "/"},
		{Method: "GET", Path: "/users/7/", Query: map[string][]string{"q": {"a b", ""}, "größe[]": {"ö\n"}}},
		{Method: "GET", Path: "/projects/group%2Fproject/files"},
		{Method: "GET", Path: "/sites/https%3A%2F%2Fexample.com%2F/rows"},
		{Method: "GET", Path: "/@scope/pkg;v=1/a..b/...", Timeout: job.MaxTimeout, Expect: []int{100, 404, 599}},
		{Method: "GET", Path: "/größe/100%25"},
		{Method: "DELETE", Path: "/x", Body: []byte("{}")},
		{Method: "OPTIONS", Path: "/x"},
		{Method: "POST", Path: "/x", Body: []byte("a"), ContentType: "text/plain", IdempotencyKey: "0192.0", Headers: map[string]string{
			"accept": "*/*", "Content-Type": "application/json", "Accept-Language": "de", "If-Match": `"a"`,
			"X-Anything": "a\tb", "X-Empty": "", "X-Text": "ö", "User-Agent": "us",
		}},
	} {
		if got := httpop.Check(r, policy); len(got) != 0 {
			t.Errorf("Check(%s %s) = %v, want nothing", r.Method, r.Path, got)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	policy := httpop.Policy{
		AllowHeaders: []string{"Host", "Cookie", "User-Agent"}, ReservedHeaders: []string{"X-Request-Key"}, ReservedQuery: []string{"key"},
	}
	header := func(name, value string) httpop.Request {
		return httpop.Request{Method: "GET", Path: "/", Headers: map[string]string{name: value}}
	}
	path := func(p string) httpop.Request { return httpop.Request{Method: "GET", Path: p} }
	tests := []struct {
		name    string
		request httpop.Request
		pointer string
		code    string
	}{
		{"no method", httpop.Request{Path: "/"}, "/method", "required"},
		{"connect", httpop.Request{Method: "CONNECT", Path: "/"}, "/method", "not_allowed"},
		{"trace", httpop.Request{Method: "TRACE", Path: "/"}, "/method", "not_allowed"},
		{"lower case", httpop.Request{Method: "get", Path: "/"}, "/method", "not_allowed"},
		{"method with CRLF", httpop.Request{Method: "GET / HTTP/1.1\r\nX: y", Path: "/"}, "/method", "not_allowed"},
		{"body on get", httpop.Request{Method: "GET", Path: "/", Body: []byte("x")}, "/body", "not_allowed"},
		{"body on head", httpop.Request{Method: "HEAD", Path: "/", Body: []byte("x")}, "/body", "not_allowed"},
		{"no path", path(""), "/path", "required"},
		{"relative", path("../admin"), "/path", "invalid_value"},
		{"authority by at sign", path("@evil.com"), "/path", "invalid_value"},
		{"absolute", path("http://evil/"), "/path", "invalid_value"},
		{"two slashes", path("//evil"), "/path", "invalid_value"},
		{"two slashes inside", path("/a//b"), "/path", "invalid_value"},
		{"escaped second slash", path("/%2Fevil"), "/path", "invalid_value"},
		{"twice escaped second slash", path("/%252Fevil"), "/path", "invalid_value"},
		{"dot segments", path("/a/../b"), "/path", "dot_segments"},
		{"single dot", path("/a/./b"), "/path", "dot_segments"},
		{"dots at the end", path("/a/.."), "/path", "dot_segments"},
		{"escaped dots", path("/a/%2e%2E/b"), "/path", "dot_segments"},
		{"half escaped dots", path("/a/.%2e"), "/path", "dot_segments"},
		{"escaped dots and slash", path("/%2e%2e%2fadmin"), "/path", "dot_segments"},
		{"twice escaped dots", path("/%252e%252e/admin"), "/path", "dot_segments"},
		{"three times escaped dots", path("/%25252e%25252e/admin"), "/path", "dot_segments"},
		{"dots with a parameter", path("/a/..;x=1/b"), "/path", "dot_segments"},
		{"overlong dots", path("/a/%c0%ae%c0%ae/b"), "/path", "invalid_value"},
		{"backslash", path(`/a\b`), "/path", "invalid_value"},
		{"escaped backslash", path("/a%5cb"), "/path", "invalid_value"},
		{"query in path", path("/a?b=c"), "/path", "invalid_value"},
		{"fragment", path("/a#b"), "/path", "invalid_value"},
		{"control character", path("/a\tb"), "/path", "invalid_value"},
		{"escaped CRLF", path("/a%0d%0aX:%20y"), "/path", "invalid_value"},
		{"escaped NUL", path("/a%00"), "/path", "invalid_value"},
		{"not UTF-8", path("/\xff"), "/path", "invalid_value"},
		{"bad escape", path("/a%zz"), "/path", "invalid_value"},
		{"cut escape", path("/a%4"), "/path", "invalid_value"},
		{"long path", path("/" + strings.Repeat("a", httpop.MaxPathLength)), "/path", "too_long"},
		{"query without name", httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"": {"a"}}}, "/query/", "invalid_value"},
		{"query with NUL", httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"a": {"\x00"}}}, "/query/a", "invalid_value"},
		{"query name not UTF-8", httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"a\xff": {"b"}}}, "/query/a\uFFFD", "invalid_value"},
		{"the client's query parameter", httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"key": {"mine"}}}, "/query/key", "not_allowed"},
		{"long query", httpop.Request{Method: "GET", Path: "/", Query: map[string][]string{"a": {strings.Repeat("x", httpop.MaxQueryLength)}}}, "/query", "too_long"},
		{"host", header("Host", "evil"), "/headers/Host", "not_allowed"},
		{"authorization", header("authorization", "x"), "/headers/authorization", "not_allowed"},
		{"cookie", header("Cookie", "x"), "/headers/Cookie", "not_allowed"},
		{"proxy", header("Proxy-Authorization", "x"), "/headers/Proxy-Authorization", "not_allowed"},
		{"transfer-encoding", header("Transfer-Encoding", "chunked"), "/headers/Transfer-Encoding", "not_allowed"},
		{"content-length", header("Content-Length", "1"), "/headers/Content-Length", "not_allowed"},
		{"connection", header("Connection", "close"), "/headers/Connection", "not_allowed"},
		{"upgrade", header("Upgrade", "h2c"), "/headers/Upgrade", "not_allowed"},
		{"forwarded for", header("X-Forwarded-For", "127.0.0.1"), "/headers/X-Forwarded-For", "not_allowed"},
		{"not in the list", header("Origin", "x"), "/headers/Origin", "not_allowed"},
		{"the client's own", header("x-request-key", "x"), "/headers/x-request-key", "not_allowed"},
		{"CRLF in a value", header("X-A", "a\r\nHost: evil"), "/headers/X-A", "invalid_value"},
		{"NUL in a value", header("X-A", "a\x00"), "/headers/X-A", "invalid_value"},
		{"DEL in a value", header("X-A", "a\x7f"), "/headers/X-A", "invalid_value"},
		{"long value", header("X-A", strings.Repeat("a", httpop.MaxHeaderLength+1)), "/headers/X-A", "too_long"},
		{"space in a name", header("X A", "a"), "/headers/X A", "invalid_value"},
		{"CRLF in a name", header("X-A\r\nHost", "a"), "/headers/X-A\r\nHost", "invalid_value"},
		{"slash in a name", header("X/A~", "a"), "/headers/X~1A~0", "invalid_value"},
		{"negative timeout", httpop.Request{Method: "GET", Path: "/", Timeout: -time.Second}, "/timeout", "out_of_range"},
		{"long timeout", httpop.Request{Method: "GET", Path: "/", Timeout: job.MaxTimeout + 1}, "/timeout", "out_of_range"},
		{"expect 99", httpop.Request{Method: "GET", Path: "/", Expect: []int{200, 99}}, "/expect/1", "out_of_range"},
		{"expect 600", httpop.Request{Method: "GET", Path: "/", Expect: []int{600}}, "/expect/0", "out_of_range"},
		{"content type", httpop.Request{Method: "POST", Path: "/", ContentType: "a\nb"}, "/headers/Content-Type", "invalid_value"},
		{"key", httpop.Request{Method: "POST", Path: "/", IdempotencyKey: "a\nb"}, "", "invalid_value"},
		{"traceparent", httpop.Request{Method: "POST", Path: "/", Traceparent: "ä"}, "", "invalid_value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := httpop.Check(tt.request, policy)
			if len(got) != 1 || got[0].Pointer != tt.pointer || got[0].Code != tt.code || got[0].Message == "" {
				t.Errorf("Check(%+v) = %+v, want one %s at %q", tt.request, got, tt.code, tt.pointer)
			}
		})
	}
}

func TestCheckReportsEverything(t *testing.T) {
	t.Parallel()
	r := httpop.Request{Method: "TRACE", Path: "x", Headers: map[string]string{"Host": "a", "X-A": "\n", "x-a": "b"}, Timeout: -1}
	var got []string
	for _, f := range httpop.Check(r, httpop.Policy{}) {
		got = append(got, f.Pointer)
	}
	want := []string{"/method", "/path", "/headers/Host", "/headers/X-A", "/headers/x-a", "/timeout"}
	if !slices.Equal(got, want) {
		t.Errorf("Check(…) points to %q, want %q", got, want)
	}
}

func TestTooManyHeaders(t *testing.T) {
	t.Parallel()
	headers := maps.Collect(func(yield func(string, string) bool) {
		for i := range httpop.MaxHeaders + 1 {
			if !yield("X-"+strings.Repeat("a", i), "") {
				return
			}
		}
	})
	got := httpop.Check(httpop.Request{Method: "GET", Path: "/", Headers: headers}, httpop.Policy{})
	if len(got) != 1 || got[0].Pointer != "/headers" {
		t.Errorf("Check(%d headers) = %v, want one at /headers", len(headers), got)
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range [][2]string{{"Accept", "*/*"}, {"HOST", "a"}, {"X-A", "a\r\nHost: b"}, {"x-forwarded-for", "1"}, {"cookie ", ""}, {"İf-Match", "a"}, {"X-\u212A", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		r := httpop.Request{Method: "GET", Path: "/", Headers: map[string]string{name: value}}
		if len(httpop.Check(r, httpop.Policy{AllowHeaders: []string{name}})) != 0 {
			return
		}
		if strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, ": \t") {
			t.Errorf("Check(%q: %q) passes, want it refused", name, value)
		}
		switch lower := strings.ToLower(name); {
		case lower == "host", lower == "authorization", lower == "cookie", lower == "content-length", lower == "transfer-encoding",
			lower == "connection", strings.HasPrefix(lower, "proxy-"), strings.HasPrefix(lower, "x-forwarded-"):
			t.Errorf("Check(%q) passes, want it refused whatever the policy", name)
		}
	})
}
