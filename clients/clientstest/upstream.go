// Package clientstest owns the tests of calling an API over real TCP: a
// hostile upstream, and the conformance suite that every way of calling one
// must pass.
package clientstest

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Options say how an Upstream listens and what it honours. The zero value is
// HTTP/1.1 without TLS on a free port of 127.0.0.1.
type Options struct {
	Addr  string // default 127.0.0.1:0
	TLS   bool   // with a certificate for 127.0.0.1 that Upstream.CA signs
	HTTP2 bool   // with TLS: offered; without: spoken beside HTTP/1.1
	// Dedupe is the header whose value is an idempotency key: effects with a
	// key that was seen are not repeated. "" honours none.
	Dedupe string
}

// Record is a request as it arrived, noted before it is answered.
type Record struct {
	Method string
	Target string // path and query, as on the wire
	Header http.Header
	Body   []byte
	Conn   int // number of the connection, from 1
	Nth    int // number of the request on its connection, from 1
	Proto  string
}

// Upstream is an API that misbehaves as told. Its log and its effects can be
// read while it serves; it is safe for concurrent use.
type Upstream struct {
	server *httptest.Server
	dedupe string
	done   chan struct{} // closed by Close; held requests end
	conns  atomic.Int64  // accepted
	wrote  atomic.Int64  // bytes of bodies that the endless Steps wrote
	closed sync.Once

	mu      sync.Mutex
	scripts map[string][]Step // guarded by mu: path → steps left, the last stays
	records []Record          // guarded by mu
	applied map[string]int    // guarded by mu: key → effects
}

// Start returns an Upstream that serves until Close.
func Start(o Options) (*Upstream, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("clientstest: start: %w", err)
	}
	u := &Upstream{dedupe: o.Dedupe, done: make(chan struct{}), scripts: map[string][]Step{}, applied: map[string]int{}}
	u.server = &httptest.Server{Listener: listener, EnableHTTP2: o.TLS && o.HTTP2, Config: &http.Server{
		Handler:     http.HandlerFunc(u.serve),
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: u.number,
	}}
	if o.HTTP2 && !o.TLS {
		u.server.Config.Protocols = new(http.Protocols)
		u.server.Config.Protocols.SetHTTP1(true)
		u.server.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	if o.TLS {
		u.server.StartTLS()
	} else {
		u.server.Start()
	}
	return u, nil
}

// New starts an Upstream that is closed when the test ends.
func New(t testing.TB, o Options) *Upstream {
	t.Helper()
	u, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// Close ends held requests, cuts all connections and stops listening.
func (u *Upstream) Close() {
	u.closed.Do(func() { close(u.done) })
	u.server.CloseClientConnections()
	u.server.Close()
}

// URL is the base URL, without a path.
func (u *Upstream) URL() string { return u.server.URL }

// CA is the PEM text of the certificate that signs this Upstream.
func (u *Upstream) CA() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.server.Certificate().Raw}))
}

// On says what answers a path: each request takes the next Step, and the last
// stays. Paths without any apply their effect and answer 200 {"ok":true}.
func (u *Upstream) On(path string, steps ...Step) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.scripts[path] = steps
}

// Requests returns what arrived so far, in order of arrival.
func (u *Upstream) Requests() []Record {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.records)
}

// Effects returns how often requests were carried out, by idempotency key (""
// for those without).
func (u *Upstream) Effects() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.applied)
}

// Connections returns how many connections were accepted.
func (u *Upstream) Connections() int { return int(u.conns.Load()) }

// Wrote returns how many bytes of endless bodies left for the network.
func (u *Upstream) Wrote() int64 { return u.wrote.Load() }

type connKey struct{}

// connState counts a connection's requests.
type connState struct {
	number   int
	requests atomic.Int64
}

func (u *Upstream) number(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &connState{number: int(u.conns.Add(1))})
}

func (u *Upstream) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	conn := r.Context().Value(connKey{}).(*connState)
	x := &Exchange{W: w, Record: Record{
		Method: r.Method, Target: r.RequestURI, Header: r.Header.Clone(), Body: body,
		Conn: conn.number, Nth: int(conn.requests.Add(1)), Proto: r.Proto,
	}, request: r, upstream: u, gone: r.Context().Done()}
	u.next(r.URL.EscapedPath(), x)(x)
}

// next notes the request and returns what answers it.
func (u *Upstream) next(path string, x *Exchange) Step {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.records = append(u.records, x.Record)
	steps := u.scripts[path]
	if len(steps) == 0 {
		return Apply(Answer(http.StatusOK, `{"ok":true}`))
	}
	if len(steps) > 1 {
		u.scripts[path] = steps[1:]
	}
	return steps[0]
}

// apply carries a request out, unless its key was seen.
func (u *Upstream) apply(r Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := ""
	if u.dedupe != "" {
		key = r.Header.Get(u.dedupe)
	}
	if key == "" || u.applied[key] == 0 {
		u.applied[key]++
	}
}
