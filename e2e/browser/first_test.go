package browser_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// All of the pages together come compressed, weigh little and take few
// requests; later visits take none for them.
func TestWeight(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	for _, path := range []string{"", "jobs"} {
		tb := open(t, s.pages(), path)
		tb.live()
		tb.mu.Lock()
		var total int64
		for _, n := range tb.bytes {
			total += n
		}
		urls := slices.Clone(tb.requests)
		tb.mu.Unlock()
		const limit = 150 << 10
		if total > limit || total < limit/20 {
			t.Errorf("/%s came in %d bytes, want at most %d", path, total, limit)
		}
		// Slow machines ask again for what may have changed meanwhile.
		different := slices.Compact(slices.Sorted(slices.Values(urls)))
		files := slices.DeleteFunc(slices.Clone(different), func(u string) bool { return !strings.Contains(u, "/dashboard/") })
		if len(files) < 2 || len(files) > 3 {
			t.Errorf("/%s took the files %q, want the document, the script and, if the browser shows it, the icon", path, files)
		}
		const most = 12
		if len(different) > most {
			t.Errorf("/%s took %d requests, want at most %d:\n%s", path, len(different), most, strings.Join(different, "\n"))
		}
		t.Logf("/%s weighs %d KiB in %d requests", path, total>>10, len(urls))
		tb.visit(path)
		if n := eval[float64](tb, `performance.getEntriesByType("resource").filter((r) => r.name.includes("/assets/")).reduce((sum, r) => sum + r.transferSize, 0)`); n != 0 {
			t.Errorf("the second visit of /%s fetched %v bytes of assets, want none", path, n)
		}
	}
}

// timings are what a browser tells of a visit, in milliseconds.
type timings struct {
	Paint  float64 `json:"paint"`  // first paint
	Usable float64 `json:"usable"` // the script has run
	Drawn  float64 `json:"drawn"`  // the page is drawn, with what it shows
}

// timings are those of the visit that the tab is at, right after it.
func (tb *tab) timings() timings {
	tb.t.Helper()
	tb.await(`performance.getEntriesByType("paint").length > 0 && performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd > 0`)
	return eval[timings](tb, `({
		paint: performance.getEntriesByType("paint")[0].startTime,
		usable: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
		drawn: performance.now(),
	})`)
}

// Nothing has to arrive before the first paint but the document, and what is
// painted then stays where it is.
func TestFirstPaint(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><title>empty</title><link rel="icon" href="data:,"><h1>empty</h1>`)
	}))
	t.Cleanup(empty.Close)
	open(t, empty.URL+"/", "") // the browser starts a process for it
	yardstick := open(t, empty.URL+"/", "").timings()
	tb := open(t, s.pages(), "jobs")
	first := tb.timings()
	tb.live()
	if blocking := eval[[]string](tb, `performance.getEntriesByType("resource").filter((r) => r.renderBlockingStatus === "blocking").map((r) => r.name)`); len(blocking) > 0 {
		t.Errorf("the first paint waits for %q", blocking)
	}
	places := eval[[][]float64](tb, `(() => {
		const boot = document.querySelector(".boot");
		if (getComputedStyle(boot).display !== "none") throw new Error("what was painted first is still there");
		boot.style.display = "block";
		const places = [".boot svg", ".side .brand svg"].map((name) => {
			const r = document.querySelector(name).getBoundingClientRect();
			return [r.x, r.y, r.width, r.height];
		});
		boot.style.display = "";
		return places;
	})()`)
	if !slices.Equal(places[0], places[1]) || places[0][2] == 0 {
		t.Errorf("the brand is painted first at %v, and later at %v", places[0], places[1])
	}
	tb.visit("jobs")
	again := tb.timings()
	t.Logf("first visit: painted after %.0f ms, usable after %.0f, drawn after %.0f; second: %.0f, %.0f, %.0f; an empty page: painted after %.0f",
		first.Paint, first.Usable, first.Drawn, again.Paint, again.Usable, again.Drawn, yardstick.Paint)
}

// The colours that somebody has chosen are those in which each later document
// comes, so that nothing flashes.
func TestThemeIsKept(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "jobs")
	tb.theme("light")
	served := `fetch(location.href, {cache: "reload"}).then((r) => r.text()).then((text) => text.match(/<html[^>]*>/)[0])`
	for _, look := range []struct{ chosen, served, scheme string }{
		{"light", `<html lang="en" data-theme="light">`, "light"},
		{"dark", `<html lang="en" data-theme="dark">`, "dark"},
		{"undefined", `<html lang="en">`, "light dark"},
	} {
		tb.keys("d")
		tb.await(`String(document.documentElement.dataset.theme) === ` + quote(look.chosen))
		if got := eval[string](tb, served); got != look.served {
			t.Errorf("after choosing %s the document comes as %s, want %s", look.chosen, got, look.served)
		}
		for _, reload := range []func(){func() { tb.do(chromedp.Reload()) }, func() { tb.visit("queues/default") }, func() { tb.visit("jobs") }} {
			reload()
			tb.settle()
			if got := eval[string](tb, `getComputedStyle(document.documentElement).colorScheme`); got != look.scheme {
				t.Errorf("after choosing %s and loading %s its colours are %s, want %s", look.chosen, tb.location(), got, look.scheme)
			}
		}
	}
}
