package dashboard_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Nothing is inline but the style sheet, which the policy names by its hash.
func TestPolicy(t *testing.T) {
	t.Parallel()
	h := handler(t, "/dashboard/")
	for _, path := range []string{"", "jobs", "jobs/0192", "nothing", "a/b/c"} {
		for _, theme := range []string{"", "light", "dark"} {
			r := get(t, h, "/dashboard/"+path, "Cookie", "asyncops_theme="+theme)
			policy, page := r.Header.Get("Content-Security-Policy"), body(t, r)
			for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
				if !slices.Contains(strings.Split(policy, "; "), want) {
					t.Errorf("%s: the policy lacks %s: %s", path, want, policy)
				}
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
				t.Errorf("%s: the policy lets something in: %s", path, policy)
			}
			if !slices.Contains(strings.Split(policy, "; "), "script-src 'self'") {
				t.Errorf("%s: the policy lets scripts run that are no files of this server: %s", path, policy)
			}
			if path == "a/b/c" {
				continue // has no document
			}
			styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
			if len(styles) != 1 {
				t.Fatalf("%s has %d inline styles, want one", path, len(styles))
			}
			sum := sha256.Sum256([]byte(styles[0][1]))
			if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !slices.Contains(strings.Split(policy, "; "), want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, policy)
			}
			markup := strings.Replace(page, styles[0][1], "", 1)
			scripts := regexp.MustCompile(`<script([^>]*)>([^<]*)`).FindAllStringSubmatch(markup, -1)
			if len(scripts) != 1 || !strings.Contains(scripts[0][1], " src=") || scripts[0][2] != "" {
				t.Errorf("%s has the scripts %q, want one file", path, scripts)
			}
			if inline := regexp.MustCompile(`\son\w+=|\sstyle=|javascript:`).FindString(markup); inline != "" {
				t.Errorf("%s has an inline handler or style: %s", path, inline)
			}
		}
	}
}

// The document comes in the colours that its reader has chosen, and caches
// tell them apart.
func TestTheme(t *testing.T) {
	t.Parallel()
	h := handler(t, "/dashboard/")
	tests := []struct{ name, cookies, want string }{
		{"none", "", ""},
		{"light", "asyncops_theme=light", "light"},
		{"dark", "a=b; asyncops_theme=dark; c=d", "dark"},
		{"auto", "asyncops_theme=auto", ""},
		{"empty", "asyncops_theme=", ""},
		{"unknown", `asyncops_theme=dark"><script>`, ""},
		{"other letters", "asyncops_theme=Dark", ""},
		{"unknown and known", "asyncops_theme=blue; asyncops_theme=dark", "dark"},
		{"of another name", "asyncops_themes=dark", ""},
	}
	chosen := regexp.MustCompile(`<html lang="en"(?: data-theme="(light|dark)")?>`)
	etags := map[string]string{}
	for _, path := range []string{"/dashboard/", "/dashboard/jobs/0192"} {
		for _, test := range tests {
			r := get(t, h, path, "Cookie", test.cookies)
			found := chosen.FindStringSubmatch(body(t, r))
			if found == nil || found[1] != test.want {
				t.Errorf("%s, %s: the document begins with %q, want the theme %q", path, test.name, found, test.want)
			}
			if vary := r.Header.Values("Vary"); !slices.Contains(vary, "Cookie") || !slices.Contains(vary, "Accept-Encoding") {
				t.Errorf("%s, %s: Vary is %q", path, test.name, vary)
			}
			etag := r.Header.Get("ETag")
			if known, ok := etags[path+" "+test.want]; ok && known != etag {
				t.Errorf("%s, %s: ETag is %s, want %s as for others with this theme", path, test.name, etag, known)
			}
			etags[path+" "+test.want] = etag
		}
	}
	if different := slices.Compact(slices.Sorted(maps.Values(etags))); len(different) != 6 {
		t.Errorf("ETags are %v, want one for each theme and depth", etags)
	}
	// Whoever has the page in one theme and chose another gets it anew.
	light := etags["/dashboard/ light"]
	if r := get(t, h, "/dashboard/", "Cookie", "asyncops_theme=light", "If-None-Match", light); r.StatusCode != http.StatusNotModified {
		t.Errorf("the page in the same theme answers %d, want 304", r.StatusCode)
	}
	if r := get(t, h, "/dashboard/", "Cookie", "asyncops_theme=dark", "If-None-Match", light); r.StatusCode != http.StatusOK {
		t.Errorf("the page in another theme answers %d, want 200", r.StatusCode)
	}
}
