package dashboard_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/dashboard"
)

// get asks a handler for a path; headers are names and values in turn.
func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func handler(t *testing.T, base string) *dashboard.Handler {
	t.Helper()
	h, err := dashboard.New(base)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBaseIsAFolder(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/", "dashboard/", "/dashboard"} {
		if _, err := dashboard.New(base); err == nil {
			t.Errorf("New(%q) = nil, want an error", base)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path     string
		status   int
		location string // relative, so that proxies may put anything in front
	}{
		{"/dashboard/", http.StatusOK, ""},
		{"/dashboard", http.StatusPermanentRedirect, "dashboard/"},
		{"/dashboard/jobs", http.StatusOK, ""},
		{"/dashboard/jobs/", http.StatusPermanentRedirect, "../jobs"},
		{"/dashboard/jobs/0192", http.StatusOK, ""},
		{"/dashboard/jobs/0192/", http.StatusPermanentRedirect, "../0192"},
		{"/dashboard/queues/low", http.StatusOK, ""},
		{"/dashboard/queues/a%2Fb", http.StatusOK, ""},
		{"/dashboard/targets", http.StatusOK, ""},
		{"/dashboard/targets/x", http.StatusNotFound, ""},
		{"/dashboard/nothing", http.StatusNotFound, ""},
		{"/dashboard/a/b/c", http.StatusNotFound, ""},
		{"/dashboard/a/b/c/d", http.StatusNotFound, ""},
		{"/dashboard/assets/", http.StatusNotFound, ""},
		{"/dashboard/assets/x/index.html", http.StatusNotFound, ""},
		{"/dashboard/assets/x/app.css", http.StatusNotFound, ""},
		{"/dashboard/assets/x/screens/jobs.js", http.StatusNotFound, ""},
		{"/dashboard/assets/x/vendor/preact.LICENSE", http.StatusOK, ""},
		{"/dashboard/assets/x/vendor/README.md", http.StatusNotFound, ""},
		{"/dashboard/assets/x/../../../etc/passwd", http.StatusNotFound, ""},
		{"/elsewhere", http.StatusNotFound, ""},
	}
	h := handler(t, "/dashboard/")
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			r := get(t, h, test.path)
			if r.StatusCode != test.status || r.Header.Get("Location") != test.location {
				t.Errorf("%d to %q, want %d to %q", r.StatusCode, r.Header.Get("Location"), test.status, test.location)
			}
			if r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("no nosniff")
			}
		})
	}
}

// Every link of the document leads to something, from every page, whatever a
// proxy puts in front.
func TestLinksAreRelative(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`(?:href|src)="([^"]+)"`)
	for _, base := range []string{"/dashboard/", "/ops/jobs/ui/"} {
		h := handler(t, base)
		for _, path := range []string{"", "jobs", "jobs/0192", "queues/a%2Fb%2Fc"} {
			page := body(t, get(t, h, base+path))
			at, err := url.Parse("https://host/prefix" + base + path)
			if err != nil {
				t.Fatal(err)
			}
			found := links.FindAllStringSubmatch(page, -1)
			if len(found) != 2 {
				t.Fatalf("%s%s has the links %q, want the script and the icon", base, path, found)
			}
			for _, link := range found {
				to, err := at.Parse(link[1])
				if err != nil {
					t.Fatal(err)
				}
				r := get(t, h, strings.TrimPrefix(to.Path, "/prefix"))
				if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
					t.Errorf("%s%s links to %s, which answers %d, %q", base, path, link[0], r.StatusCode, r.Header.Get("Cache-Control"))
				}
			}
			root, err := at.Parse(regexp.MustCompile(`asyncops-root" content="([^"]+)"`).FindStringSubmatch(page)[1])
			if err != nil || root.String() != "https://host/prefix/" {
				t.Errorf("%s%s takes %s for the server's root (%v), want https://host/prefix/", base, path, root, err)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := handler(t, "/dashboard/")
	script := regexp.MustCompile(`src="\./(assets/[^"]+/app\.js)"`).FindStringSubmatch(body(t, get(t, h, "/dashboard/")))[1]
	plain := get(t, h, "/dashboard/"+script)
	text := body(t, plain)
	if vary := plain.Header.Get("Vary"); vary != "Accept-Encoding" {
		t.Errorf("the script varies by %q, want Accept-Encoding: it is the same for every theme", vary)
	}

	packed := get(t, h, "/dashboard/"+script, "Accept-Encoding", "br;q=1.0, gzip;q=0.8")
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("with gzip: %v", packed.Header)
	}
	unpacked, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(unpacked); err != nil || string(got) != text {
		t.Errorf("what is compressed differs from what is not (%v)", err)
	}
	if r := get(t, h, "/dashboard/"+script, "Accept-Encoding", "gzip;q=0, identity"); r.Header.Get("Content-Encoding") != "" {
		t.Error("gzip goes to a browser that refuses it")
	}
	if r := get(t, h, "/dashboard/"+script, "If-None-Match", `"x", `+plain.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
		t.Errorf("If-None-Match answers %d, want 304", r.StatusCode)
	}
	// A document of another release asks for its own version.
	other := get(t, h, "/dashboard/assets/0123456789ab/app.js")
	if body(t, other) != text || other.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("another version: %d, %q", other.StatusCode, other.Header.Get("Cache-Control"))
	}
}

// The libraries are what their publishers ship, and their licences are there:
// in the sources, and beside the script that contains them, which says so.
func TestVendoredFiles(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("web/vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| (\\S+) \\| .* \\| `([0-9a-f]{64})` \\|$").FindAllStringSubmatch(string(list), -1)
	known := map[string]bool{"README.md": true}
	for _, row := range rows {
		known[row[1]] = true
		text, err := os.ReadFile(filepath.Join("web/vendor", row[1]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != row[2] {
			t.Errorf("%s is not the file that was published", row[1])
		}
	}
	files, err := os.ReadDir("web/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !known[file.Name()] && !strings.HasSuffix(file.Name(), ".LICENSE") {
			t.Errorf("web/vendor/%s is not in its README", file.Name())
		}
	}
	h := handler(t, "/dashboard/")
	notice, _, _ := strings.Cut(body(t, get(t, h, "/dashboard/assets/x/app.js")), "*/")
	for name, holder := range map[string]string{"preact": "Jason Miller", "signals": "Preact Team", "htm": "Apache License", "uplot": "Leon Sorokin"} {
		file := "vendor/" + name + ".LICENSE"
		if text := body(t, get(t, h, "/dashboard/assets/x/"+file)); !strings.Contains(text, holder) {
			t.Errorf("%s is served as %q", file, text)
		}
		if !strings.HasPrefix(notice, "/*!") || !strings.Contains(notice, file) {
			t.Errorf("the script does not begin with where %s is: %q", file, notice)
		}
	}
}

// What makes markup or code of text has no place in the pages, and every file
// stays small enough to be read.
func TestSources(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|\beval\(|new Function|https?://[a-z]`)
	err := filepath.WalkDir("web", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "web/vendor/") || filepath.Ext(path) == ".svg" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := strings.Count(string(text), "\n"); n > 300 {
			t.Errorf("%s has %d lines, more than 300", path, n)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := forbidden.FindString(line); found != "" && !strings.HasPrefix(strings.TrimSpace(line), "//") && !strings.HasPrefix(strings.TrimSpace(line), "/**") {
				t.Errorf("%s:%d has %s", path, i+1, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
