package httpop_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/httpop"
)

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestJoin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		base, path string
		query      map[string][]string
		want       string
	}{
		{"https://api.example.com", "/", nil, "https://api.example.com/"},
		{"https://api.example.com/", "/users", nil, "https://api.example.com/users"},
		{"https://api.example.com/v2", "/users/7", nil, "https://api.example.com/v2/users/7"},
		{"https://api.example.com/v2/", "/users/", nil, "https://api.example.com/v2/users/"},
		{"https://api.example.com:8443/a%2Fb", "/c%2fd", nil, "https://api.example.com:8443/a%2Fb/c%2fd"},
		{"http://[::1]:80/v2", "/größe x", nil, "http://[::1]:80/v2/gr%C3%B6%C3%9Fe%20x"},
		{"https://h/v2", "/a%20b%2Fc/ö", nil, "https://h/v2/a%20b%2Fc/%C3%B6"},
		{"https://h", "/@evil.com", nil, "https://h/@evil.com"},
		{"https://h", "/a:b;c=d", map[string][]string{"q": {"a&b=c#d", "ö"}, "a": {""}}, "https://h/a:b;c=d?a=&q=a%26b%3Dc%23d&q=%C3%B6"},
	}
	for _, tt := range tests {
		got, err := httpop.Join(mustURL(t, tt.base), tt.path, tt.query)
		if err != nil || got.String() != tt.want {
			t.Errorf("Join(%q, %q, %v) = %v, %v, want %s", tt.base, tt.path, tt.query, got, err, tt.want)
		}
	}
}

func TestJoinRefuses(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "x", "@evil.com", "//evil", "/../admin", "/%2e%2e/admin", "/%2e%2e%2fadmin", `/\evil`, "/%5cevil", "/a?b", "/a%"} {
		if got, err := httpop.Join(mustURL(t, "https://h/v2"), p, nil); err == nil {
			t.Errorf("Join(%q) = %s, want an error", p, got)
		}
	}
}

func TestJoinChecksItsResult(t *testing.T) {
	t.Parallel()
	base := &url.URL{Scheme: "https", Host: "h/evil"}
	if got, err := httpop.Join(base, "/a", nil); !errors.Is(err, httpop.ErrEscapes) {
		t.Errorf("Join(host %q) = %v, %v, want ErrEscapes", base.Host, got, err)
	}
}

// FuzzJoin: whatever path passes, an upstream that decodes and cleans it as
// eagerly as may be still stays below the base URL.
func FuzzJoin(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/../x", "/%2e%2e%2f", "//h", "/%2F", "/\\", "/%5c..", "@h", "/a%252e", "/..;/", "/%c0%ae", "/é?#", "/%25%32%65%2e"} {
		f.Add(seed, "name", "value")
	}
	f.Fuzz(func(t *testing.T, p, name, value string) {
		for _, baseURL := range []string{"https://api.example.com", "https://api.example.com:8443/v2/x"} {
			base := mustURL(t, baseURL)
			u, err := httpop.Join(base, p, map[string][]string{name: {value}})
			if err != nil {
				continue
			}
			got := mustURL(t, u.String())
			if got.Scheme != base.Scheme || got.Host != base.Host || got.User != nil || got.Fragment != "" {
				t.Fatalf("Join(%q, %q) = %s, which has another origin", base, p, u)
			}
			if q := got.Query(); len(q) != 1 || q.Get(name) != value {
				t.Fatalf("Join(%q, query %q=%q) = %s, whose query is %v", base, name, value, u, q)
			}
			seen := got.EscapedPath()
			for range 3 {
				if clean := path.Clean(strings.ReplaceAll(seen, `\`, "/")); !strings.HasPrefix(clean+"/", base.Path+"/") {
					t.Fatalf("Join(%q, %q) = %s, which an upstream may take for %s", base, p, u, clean)
				}
				next, err := url.PathUnescape(seen)
				if err != nil {
					break
				}
				seen = next
			}
		}
	})
}
