package browser_test

import (
	"context"
	_ "embed"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/asyncops/asyncops/internal/testkit"
)

// checks finds what people could not read or reach in the page.
//
//go:embed testdata/checks.js
var checks string

// stage starts a server in which every page has something to show, and returns
// the pages.
func stage(t testing.TB) (*server, map[string]string) {
	t.Helper()
	s := start(t, onRedis(t))
	for i, name := range []string{"Ada", "Grace", "Edsger", "Barbara", "Donald", "Margaret", "Alan", "Katherine"} {
		s.submit(t, object{"kind": "db.insert_one", "tags": []string{"signup", "eu"}, "args": object{"table": "users", "values": object{"id": i + 1, "name": name}}})
		s.submit(t, object{"kind": "http.request", "tags": []string{"crm"}, "args": object{"method": "POST", "path": "/echo", "body": object{"contact": name}}, "queue": "critical"})
	}
	for range 3 {
		s.submit(t, object{"kind": "db.select_many", "args": object{"table": "users", "limit": 5}})
	}
	s.submit(t, object{"kind": "db.update_one", "tags": []string{"billing"}, "args": object{"table": "accounts", "where": object{"id": 7}, "values": object{"balance": object{"$inc": -10}}, "require": true}})
	dead := s.submit(t, object{"kind": "http.request", "tags": []string{"billing"}, "args": object{"method": "GET", "path": "/status/404"}})
	s.submit(t, object{"kind": "http.request", "tags": []string{"crm"}, "args": object{"method": "GET", "path": "/status/410"}})
	s.submit(t, object{"kind": "http.request", "args": object{"method": "GET", "path": "/status/500"}})
	s.submit(t, object{"kind": "system.noop", "queue": "low", "args": object{"sleep": "20m"}, "timeout": "30m", "tags": []string{"nightly"}})
	s.submit(t, object{"kind": "system.noop", "queue": "low", "delay": "2h", "tags": []string{"nightly"}})
	for range 2 {
		s.submit(t, object{"kind": "db.select_many", "queue": "reports", "args": object{"table": "users"}})
	}
	slow := make([]object, 40)
	for i := range slow {
		slow[i] = object{"method": "GET", "path": "/slow", "query": object{"ms": "5000"}}
	}
	batch := s.submit(t, object{"kind": "http.batch", "queue": "critical", "args": object{"max_concurrent": 2, "requests": slow}, "timeout": "10m"})
	for name, cron := range map[string]string{"nightly-report": "30 2 * * mon-fri", "warm-users": "*/5 * * * *", "month-end": "0 6 1 * *"} {
		s.call(t, http.StatusCreated, http.MethodPut, "/v1/schedules/"+name, object{
			"cron": cron, "timezone": "Europe/Berlin", "job": object{"kind": "db.select_many", "args": object{"table": "users", "limit": 100}, "queue": "low"},
		})
	}
	s.call(t, http.StatusAccepted, http.MethodPost, "/v1/schedules/warm-users/run", nil)
	if testkit.Long() {
		s.traffic(t, 3*time.Minute)
	}
	s.awaitState(t, dead, "archived")
	return s, map[string]string{
		"overview": "?window=15m", "jobs": "jobs", "job": "jobs/" + dead, "job-running": "jobs/" + batch, "dead-letters": "jobs?view=errors",
		"queues": "queues", "queue": "queues/default", "queue-unserved": "queues/reports", "schedules": "schedules", "schedule": "schedules/nightly-report", "targets": "targets",
		"workers": "workers", "submit": "submit?kind=db.update_one", "audit": "audit",
	}
}

// traffic has the server work for a while, so that there is something to see
// over time.
func (s *server) traffic(t testing.TB, howLong time.Duration) {
	t.Helper()
	random := testkit.Random(t)
	end := time.Now().Add(howLong)
	for i := 0; time.Now().Before(end); i++ {
		switch i % 5 {
		case 0, 1:
			s.submit(t, object{"kind": "db.insert_one", "tags": []string{"signup", "eu"}, "args": object{"table": "users", "values": object{"name": "Ada"}}})
		case 2, 3:
			s.submit(t, object{"kind": "http.request", "tags": []string{"crm"}, "args": object{"method": "GET", "path": "/slow", "query": object{"ms": strconv.Itoa(random.IntN(400))}}, "queue": "critical"})
		default:
			s.submit(t, object{"kind": "db.select_many", "args": object{"table": "users", "limit": 50}, "queue": "low"})
		}
		if random.IntN(60) == 0 {
			s.submit(t, object{"kind": "http.request", "tags": []string{"billing"}, "args": object{"method": "GET", "path": "/status/404"}})
		}
		pause(t, time.Duration(random.IntN(500))*time.Millisecond)
	}
}

// pause lets time pass, which is what makes the pictures.
func pause(t testing.TB, howLong time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(howLong):
	}
}

// Each page, in both themes and on a phone, can be read, has a label for
// everything that is operated, and does not scroll sideways. Its picture is
// kept.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	s, pages := stage(t)
	pictures := t.ArtifactDir()
	looks := []struct {
		name, theme   string
		width, height int64
	}{
		{"light", "light", 1440, 900}, {"dark", "dark", 1440, 900}, {"phone", "light", 390, 844}, {"phone-dark", "dark", 390, 844},
	}
	tb := open(t, s.pages(), "")
	for name, path := range pages {
		tb.visit(path)
		for _, look := range looks {
			tb.viewport(look.width, look.height)
			tb.theme(look.theme)
			tb.await(`matchMedia("(prefers-color-scheme: ` + look.theme + `)").matches && innerWidth === ` + strconv.FormatInt(look.width, 10))
			eval[bool](tb, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
			for _, problem := range eval[[]string](tb, checks) {
				t.Errorf("%s, %s: %s", name, look.name, problem)
			}
			tb.picture(filepath.Join(pictures, name+"-"+look.name+".png"))
		}
		tb.viewport(1440, 900)
	}
	t.Logf("pictures are in %s", pictures)
}

// picture keeps what the tab shows.
func (tb *tab) picture(path string) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o600); err != nil {
		tb.t.Fatal(err)
	}
}

// The keyboard reaches everything, and says how.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "")
	for _, way := range []struct{ key, path string }{
		{"j", "jobs"}, {"q", "queues"}, {"s", "schedules"}, {"t", "targets"}, {"w", "workers"}, {"n", "submit"}, {"a", "audit"}, {"o", ""},
	} {
		tb.keys("g", way.key)
		tb.await(`location.pathname === "/dashboard/` + way.path + `" && document.activeElement.tagName === "H1"`)
	}
	tb.keys("?")
	tb.sees("Everywhere")
	tb.keys("Escape")
	tb.await(`!document.querySelector("dialog[open]")`)
	for _, theme := range []string{"light", "dark", "undefined"} {
		tb.keys("d")
		tb.await(`String(document.documentElement.dataset.theme) === ` + quote(theme))
	}
	// The first stop of Tab leads past the navigation.
	tb.visit("jobs")
	tb.keys("Tab")
	tb.await(`document.activeElement.className === "skip"`)
}

// Behind a proxy with a prefix of its own, with a base path of one's own.
func TestBehindAPrefix(t *testing.T) {
	t.Parallel()
	s := start(t, "dashboard: {base_path: /ui/ops/}\n")
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/internal/jobs", &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
	}))
	t.Cleanup(proxy.Close)
	s.call(t, http.StatusNotFound, http.MethodGet, "/dashboard/", nil)
	id := s.submit(t, object{"kind": "system.noop"})
	tb := open(t, proxy.URL+"/internal/jobs/ui/ops/", "jobs/"+id)
	tb.sees("completed")
	tb.press("curl")
	tb.keys("g", "q")
	tb.await(`location.pathname === "/internal/jobs/ui/ops/queues" && document.body.innerText.includes("critical")`)
	tb.do(chromedp.Reload())
	tb.sees("critical")
	tb.keys("g", "j")
	tb.live()
	tb.keys("d")
	tb.do(chromedp.Reload())
	tb.await(`document.documentElement.dataset.theme === "light"`)
	tb.settle()
}

// Turned off, there is nothing.
func TestTurnedOff(t *testing.T) {
	t.Parallel()
	s := start(t, "dashboard: {enabled: false}\n")
	for _, path := range []string{"/dashboard/", "/dashboard", "/dashboard/jobs"} {
		s.call(t, http.StatusNotFound, http.MethodGet, path, nil)
	}
}
