package clientstest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Talk accepts a WebSocket of the subprotocol v1 and speaks over it; when talk
// returns, the connection is cut, unless talk has closed it.
func Talk(talk func(ctx context.Context, c *websocket.Conn)) Step {
	return func(x *Exchange) {
		c, err := websocket.Accept(x.W, x.request, &websocket.AcceptOptions{Subprotocols: []string{"v1"}})
		if err != nil {
			return // it has answered
		}
		defer c.CloseNow()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-x.upstream.done:
				cancel()
			case <-ctx.Done():
			}
		}()
		talk(ctx, c)
	}
}

// Echo sends back what it gets until the other side closes, and carries each
// message out.
func (u *Upstream) Echo() Step {
	return Talk(func(ctx context.Context, c *websocket.Conn) {
		c.SetReadLimit(-1)
		for {
			kind, data, err := c.Read(ctx)
			if err != nil {
				return
			}
			u.apply(Record{})
			if err := c.Write(ctx, kind, data); err != nil {
				return
			}
		}
	})
}

// say is Talk that waits for reads messages, carries each out, sends the texts
// and closes with the code; 0 waits for the other side.
func say(reads int, code websocket.StatusCode, texts ...string) func(*Upstream) Step {
	return func(u *Upstream) Step {
		return Talk(func(ctx context.Context, c *websocket.Conn) {
			for range reads {
				if _, _, err := c.Read(ctx); err != nil {
					return
				}
				u.apply(Record{})
			}
			for _, text := range texts {
				if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
					return
				}
			}
			switch code {
			case 0:
				_, _, _ = c.Read(ctx)
			case websocket.StatusAbnormalClosure: // cut
			default:
				_ = c.Close(code, "")
			}
		})
	}
}

// Talker talks to an API: a *clients.Client, or what is built around one.
type Talker interface {
	Exchange(context.Context, httpop.Exchange) (*httpop.Transcript, error)
}

// talkCase is one behaviour of an upstream and what a Talker must make of it.
type talkCase struct {
	name   string
	config func(*clients.Config)
	keyed  bool // the upstream honours the key of the handshake
	steps  []httpop.Step
	script []func(*Upstream) Step
	tokens []Step
	cancel error // cause that cancels once the upstream has the handshake

	received string // want: the messages, joined by spaces, and
	close    int    // the close code; or a Failure with
	class    job.Class
	code     job.Code
	effects  int
}

func sendText(s string) httpop.Step { return httpop.Step{Send: &httpop.Message{Data: []byte(s)}} }

func receive(n int) httpop.Step { return httpop.Step{Receive: &httpop.Receive{Count: n}} }

func as(s Step) []func(*Upstream) Step {
	return []func(*Upstream) Step{func(*Upstream) Step { return s }}
}

func talkCases() []talkCase {
	const permanent, retryable, ambiguous = job.ClassPermanent, job.ClassRetryable, job.ClassAmbiguous
	ask := []httpop.Step{sendText("a"), receive(1)}
	said := func(reads int, code websocket.StatusCode, texts ...string) []func(*Upstream) Step {
		return []func(*Upstream) Step{say(reads, code, texts...)}
	}
	brief := httpop.Step{Receive: &httpop.Receive{Timeout: 50 * time.Millisecond}}
	echo := []func(*Upstream) Step{(*Upstream).Echo}
	const cut = websocket.StatusAbnormalClosure
	return []talkCase{
		{name: "echo", steps: []httpop.Step{sendText("a"), receive(1), sendText("b"), {Send: &httpop.Message{Binary: true, Data: []byte{1}}}, receive(2)}, script: echo, received: "a b \x01", close: 1000, effects: 3},
		{name: "only what matches", steps: []httpop.Step{{Receive: &httpop.Receive{Count: 2, Match: func(m httpop.Message) bool { return strings.HasPrefix(string(m.Data), "x") }}}},
			script: said(0, 0, "noise", "x1", "noise", "x2"), received: "x1 x2", close: 1000},
		{name: "closed after the last message", steps: ask, script: said(1, 4000, "done"), received: "done", close: 4000, effects: 1},
		{name: "nothing is waited for", steps: []httpop.Step{sendText("a")}, script: said(1, websocket.StatusNormalClosure), close: 1000, effects: 1},

		{name: "refused by its close code", steps: ask, script: said(1, 4001), class: permanent, code: job.CodeUpstreamStatus, effects: 1},
		{name: "policy violation", steps: ask, script: said(0, websocket.StatusPolicyViolation), class: permanent, code: job.CodeUpstreamStatus},
		{name: "gone before anything was sent", steps: []httpop.Step{receive(1)}, script: said(0, websocket.StatusGoingAway), class: retryable, code: job.CodeUpstreamUnreachable},
		{name: "fails after it applied", steps: ask, script: said(1, websocket.StatusInternalError), class: ambiguous, code: job.CodeAmbiguous, effects: 1},
		{name: "fails after it applied, keyed", steps: ask, keyed: true, script: said(1, websocket.StatusInternalError), class: retryable, code: job.CodeUpstreamUnreachable, effects: 1},
		{name: "cut before the answer", steps: ask, script: said(1, cut), class: ambiguous, code: job.CodeAmbiguous, effects: 1},
		{name: "cut before the answer, keyed", steps: ask, keyed: true, script: said(1, cut), class: retryable, code: job.CodeUpstreamUnreachable, effects: 1},
		{name: "cut before anything was sent", steps: []httpop.Step{receive(1)}, script: said(0, cut), class: retryable, code: job.CodeUpstreamUnreachable},
		{name: "silent", steps: []httpop.Step{brief}, script: said(0, 0), class: retryable, code: job.CodeTimeout},
		{name: "silent after a message", steps: []httpop.Step{sendText("a"), brief}, script: said(1, 0), class: ambiguous, code: job.CodeAmbiguous, effects: 1},
		{name: "canceled", steps: []httpop.Step{receive(1)}, script: said(0, 0), cancel: job.ErrCanceled, class: permanent, code: job.CodeCanceled},
		{name: "drain", steps: []httpop.Step{receive(1)}, script: said(0, 0), cancel: job.ErrDraining, class: retryable, code: job.CodeHandedBack},

		{name: "huge message", steps: []httpop.Step{receive(1)}, script: said(0, 0, strings.Repeat("x", 4<<20)), class: permanent, code: job.CodeResponseTooLarge},
		{name: "too much altogether", steps: []httpop.Step{receive(100)}, script: said(0, 0, slices.Repeat([]string{strings.Repeat("x", 100<<10)}, 100)...), class: permanent, code: job.CodeResponseTooLarge},
		{name: "too many messages", steps: []httpop.Step{{Receive: &httpop.Receive{Match: func(httpop.Message) bool { return false }}}}, script: said(0, 0, slices.Repeat([]string{"x"}, 10_001)...), class: permanent, code: job.CodeResponseTooLarge},

		{name: "no WebSocket", steps: ask, script: as(Answer(200, "{}")), class: permanent, code: job.CodeUpstreamStatus},
		{name: "404", steps: ask, script: as(Answer(404, "{}")), class: permanent, code: job.CodeUpstreamStatus},
		{name: "503", steps: ask, script: as(Answer(503, "{}")), class: retryable, code: job.CodeUpstreamStatus},
		{name: "503 for a while", steps: ask, script: as(Answer(503, "{}", "Retry-After: 7")), class: job.ClassThrottled, code: job.CodeUpstreamStatus},
		{name: "cut handshake", steps: ask, script: as(Cut()), class: retryable, code: job.CodeUpstreamUnreachable},
		{name: "held handshake", steps: ask, script: as(Hold(nil, nil)), cancel: job.ErrCanceled, class: permanent, code: job.CodeCanceled},
		{name: "false handshake", steps: ask, script: as(falseUpgrade), class: permanent, code: job.CodeResponseInvalid},
		{name: "redirect to metadata", steps: ask, script: as(Redirect(302, "http://169.254.169.254/")), config: redirects, class: permanent, code: job.CodeUpstreamStatus},
		{name: "loopback", steps: ask, script: echo, config: func(c *clients.Config) { c.AllowNetworks = nil }, class: permanent, code: job.CodeDialDenied},
		{name: "oauth2, another token after 401", steps: ask, config: oauth2, tokens: []Step{Answer(200, `{"access_token":"t"}`)},
			script: []func(*Upstream) Step{func(*Upstream) Step { return Answer(401, "") }, (*Upstream).Echo}, received: "a", close: 1000, effects: 1},
		{name: "no steps", class: permanent, code: job.CodeInvalid},
	}
}

// falseUpgrade switches protocols without the proof of RFC 6455 §4.2.2.
func falseUpgrade(x *Exchange) {
	conn, _, err := http.NewResponseController(x.W).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: no\r\n\r\n")
	_ = conn.Close()
}

// RunTalks runs the conformance suite of WebSockets, as Run.
func RunTalks(t *testing.T, open func(*testing.T, clients.Config) Talker) {
	for _, wire := range wires[:3] { // without TLS there is no offer to speak HTTP/1.1
		t.Run(wire.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range talkCases() {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					u := New(t, wire.options)
					cfg := clients.Config{
						Name: "up", BaseURL: u.URL(), AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxResponse: 1 << 20,
					}
					if wire.options.TLS {
						cfg.TLS.CA = u.CA()
					}
					if c.keyed {
						cfg.Idempotency.Header = "Idempotency-Key"
					}
					if c.config != nil {
						c.config(&cfg)
					}
					runTalk(t, c, u, open(t, cfg))
				})
			}
		})
	}
}

func runTalk(t *testing.T, c talkCase, u *Upstream, talker Talker) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var script []Step
	for _, step := range c.script {
		step := step(u)
		script = append(script, func(x *Exchange) {
			if c.cancel != nil {
				time.AfterFunc(0, func() { cancel(c.cancel) })
			}
			step(x)
		})
	}
	u.On("/ws", script...)
	u.On(tokenPath, c.tokens...)
	e := httpop.Exchange{Path: "/ws", Subprotocols: []string{"v2", "v1"}, Steps: c.steps, IdempotencyKey: "0192.0"}
	got, err := talker.Exchange(ctx, e)
	u.Close() // what was applied is known only when the handler has ended
	effects := 0
	for _, n := range u.Effects() {
		effects += n
	}
	if effects != c.effects {
		t.Errorf("messages were carried out %d times, want %d", effects, c.effects)
	}
	for _, r := range u.Requests() {
		if want := map[bool]string{true: "0192.0"}[c.keyed]; r.Header.Get("Idempotency-Key") != want {
			t.Errorf("the handshake carries the key %q, want %q", r.Header.Get("Idempotency-Key"), want)
		}
	}
	if c.class == "" {
		if err != nil {
			t.Fatalf("Exchange = %v, want a transcript", err)
		}
		var received []string
		for _, m := range got.Received {
			received = append(received, string(m.Data))
		}
		if text := strings.Join(received, " "); text != c.received || got.CloseCode != c.close || got.Subprotocol != "v1" {
			t.Errorf("Exchange = %q, close code %d, subprotocol %q; want %q, %d and v1", text, got.CloseCode, got.Subprotocol, c.received, c.close)
		}
		return
	}
	f, ok := errors.AsType[*job.Failure](err)
	if !ok || f.Class != c.class || f.Code != c.code {
		t.Errorf("Exchange = %+v, %v, want a Failure %s %s", got, err, c.class, c.code)
	}
}
