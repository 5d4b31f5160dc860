package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/asyncops/asyncops/internal/testkit"
)

// patience is how long a page may take for anything.
const patience = 45 * time.Second

// tab is one page with cookies of its own.
type tab struct {
	t    testing.TB
	ctx  context.Context //nolint:containedctx // chromedp's handle of a page is a context
	base string          // of the dashboard, with a slash at its end

	mu       sync.Mutex
	console  []string         // what must not be there; guarded by mu
	requests []string         // every URL that was asked for; guarded by mu
	bytes    map[string]int64 // what came, as it was sent, by request; guarded by mu
	expected []*regexp.Regexp // guarded by mu
}

// open opens a page of the dashboard in a tab of its own.
func open(t testing.TB, base, path string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	tb := &tab{t: t, ctx: ctx, base: base, bytes: map[string]int64{}}
	listening, stop := context.WithCancel(ctx)
	var listeners sync.WaitGroup
	t.Cleanup(func() {
		tb.mustBeSilent()
		stop()
		cancel()
		listeners.Wait()
	})
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context that it is made with
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatal(err)
	}
	console := chromedp.Console(listening)
	listeners.Go(func() {
		for message, err := range console {
			if err != nil {
				return
			}
			tb.heard(message)
		}
	})
	tb.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}))
	tb.viewport(1440, 900)
	tb.visit(path)
	return tb
}

// listen notes what the page asks for and gets.
func (tb *tab) listen(event any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		tb.requests = append(tb.requests, event.Request.URL)
	case *network.EventLoadingFinished:
		tb.bytes[string(event.RequestID)] = int64(event.EncodedDataLength)
	}
}

// heard keeps what a page may not say. What the server refuses is told on the
// console, too: only what the test expects.
func (tb *tab) heard(m chromedp.ConsoleMessage) {
	if m.Type != "error" && m.Type != "warning" && !m.IsException() {
		return
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.console = append(tb.console, fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL))
}

// expect lets the console have lines like this.
func (tb *tab) expect(pattern string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.expected = append(tb.expected, regexp.MustCompile(pattern))
}

// mustBeSilent fails the test if the page complained, or asked another host.
func (tb *tab) mustBeSilent() {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
lines:
	for _, line := range tb.console {
		for _, pattern := range tb.expected {
			if pattern.MatchString(line) {
				continue lines
			}
		}
		tb.t.Errorf("the console says: %s", line)
	}
	home, err := url.Parse(tb.base)
	if err != nil {
		tb.t.Fatal(err)
	}
	for _, asked := range tb.requests {
		// The browser's own icons are data: URLs.
		if u, err := url.Parse(asked); err != nil || u.Host != home.Host && u.Scheme != "data" {
			tb.t.Errorf("the page asked for %s, which is not on its own server", asked)
		}
	}
}

// do carries out steps, which must succeed.
func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tb.t.Fatalf("%v\nat %s:\n%s", err, tb.location(), tb.text())
	}
}

// eval is what a JavaScript expression is, awaited if it is a promise.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until a JavaScript expression is true.
func (tb *tab) await(expression string) {
	tb.t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		ctx, cancel := context.WithTimeout(tb.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) || tb.ctx.Err() != nil {
			tb.t.Fatalf("not within %s: %s (%v)\nat %s:\n%s", patience, expression, err, tb.location(), tb.text())
		}
		<-ticker.C
	}
}

// visit loads a page and waits until it is drawn.
func (tb *tab) visit(path string) {
	tb.t.Helper()
	tb.do(chromedp.Navigate(tb.base + path))
	tb.settle()
}

// settle waits until the page has loaded what it shows.
func (tb *tab) settle() {
	tb.t.Helper()
	tb.await(`document.querySelector("h1, .login-box") && !document.querySelector(".waiting")`)
}

// live waits until the page shows what happens as it does.
func (tb *tab) live() {
	tb.t.Helper()
	tb.await(`document.querySelector("button.live").innerText === "Live"`)
}

// location and text are for messages: where the page is, and what it says.
func (tb *tab) location() string { return tb.look("location.href") }
func (tb *tab) text() string     { return tb.look("document.body.innerText.slice(0, 3000)") }

func (tb *tab) look(expression string) string {
	ctx, cancel := context.WithTimeout(tb.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		return err.Error()
	}
	return text
}

// quote makes a JavaScript string.
func quote(text string) string {
	b, _ := json.Marshal(text) // strings marshal
	return string(b)
}

// sees waits until the page shows the text.
func (tb *tab) sees(text string) {
	tb.t.Helper()
	tb.await(`document.body.innerText.includes(` + quote(text) + `)`)
}

// button is an expression for the enabled button, or link that looks like one,
// with the text or label, within the topmost dialog if one is open.
func button(name string) string {
	return `[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button, a.button")].find((b) => !b.disabled && b.offsetParent !== null && (b.innerText.trim() === ` +
		quote(name) + ` || b.getAttribute("aria-label") === ` + quote(name) + `))`
}

// press clicks the button with the name, once it is there.
func (tb *tab) press(name string) {
	tb.t.Helper()
	tb.await(button(name))
	tb.click(button(name))
}

// confirm presses the button of a dialog, once that is open: the button that
// opens it may have the same name.
func (tb *tab) confirm(name string) {
	tb.t.Helper()
	tb.await(`document.querySelector("dialog[open]")`)
	tb.press(name)
}

// click moves the pointer to what an expression is, and presses it there: what
// lies above it, or has no place, is not clicked through.
func (tb *tab) click(expression string) {
	tb.t.Helper()
	tb.await(`(() => {
		const el = ` + expression + `;
		if (!el) return false;
		el.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
		const r = el.getBoundingClientRect();
		const at = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
		return at && (el === at || el.contains(at));
	})()`)
	at := eval[[]float64](tb, `(() => { const r = (`+expression+`).getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	tb.do(chromedp.MouseClickXY(at[0], at[1]))
}

// css is an expression for the first element of a selector.
func css(selector string) string { return `document.querySelector(` + quote(selector) + `)` }

// fill types text into a field in place of what it holds.
func (tb *tab) fill(selector, text string) {
	tb.t.Helper()
	// A field of a dialog that is not shown yet takes no focus.
	tb.await(`(() => { const f = ` + css(selector) + `; f?.focus(); f?.select(); return f && document.activeElement === f; })()`)
	tb.keys("Backspace")
	eval[bool](tb, `document.execCommand("insertText", false, `+quote(text)+`)`)
}

// choose picks an option as a reader would.
func (tb *tab) choose(selector, value string) {
	tb.t.Helper()
	tb.await(`[...(` + css(selector) + `?.options ?? [])].some((o) => o.value === ` + quote(value) + `)`)
	eval[bool](tb, `(() => { const s = `+css(selector)+`; s.value = `+quote(value)+`; s.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`)
}

// namedKeys are the keys that type nothing, or not themselves.
var namedKeys = map[string]struct {
	code int64
	text string
}{"Enter": {13, "\r"}, "Escape": {27, ""}, "Tab": {9, ""}, "Backspace": {8, ""}}

// keys presses keys one after the other, wherever the focus is, as a keyboard
// does: what a page prevents is not typed.
func (tb *tab) keys(keys ...string) {
	tb.t.Helper()
	for _, key := range keys {
		down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key}
		if named, ok := namedKeys[key]; ok {
			down.Text, down.WindowsVirtualKeyCode = named.text, named.code
		}
		if down.Text == "" {
			down.Type = input.DispatchKeyEventTypeRawKeyDown
		}
		up := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key, WindowsVirtualKeyCode: down.WindowsVirtualKeyCode}
		tb.do(dispatch(down), dispatch(up))
	}
}

func dispatch(event input.DispatchKeyEventParams) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, event)
		return err
	})
}

// viewport gives the page another size; narrow ones are those of phones.
func (tb *tab) viewport(width, height int64) {
	tb.t.Helper()
	var options []chromedp.EmulateViewportOption
	if width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	tb.do(chromedp.EmulateViewport(width, height, options...))
}

// theme has the system prefer light or dark colours.
func (tb *tab) theme(name string) {
	tb.t.Helper()
	tb.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

// asked is how often a URL that contains the text was asked for.
func (tb *tab) asked(text string) int {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	n := 0
	for _, u := range tb.requests {
		if strings.Contains(u, text) {
			n++
		}
	}
	return n
}

// awaitState waits until a job of the server's has the state, by the API.
func (s *server) awaitState(t testing.TB, id, state string) {
	t.Helper()
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error {
		j := s.get(t, "/v1/jobs/"+id)
		if j["state"] != state {
			return fmt.Errorf("job %s is %v, want %s", id, j["state"], state)
		}
		return nil
	})
}
