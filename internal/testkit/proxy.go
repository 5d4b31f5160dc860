package testkit

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// ProxyServer is a TCP proxy in front of a server, for the faults that a
// network has between a request's execution and its reply. Its methods are
// safe for concurrent use.
type ProxyServer struct {
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	links  map[*link]struct{} // guarded by mu
	gate   chan struct{}      // guarded by mu; closed while data flows
	paused bool               // guarded by mu
	down   bool               // guarded by mu
	closed bool               // guarded by mu
	lose   *loss              // guarded by mu; nil: no reply is to be lost
}

// loss is a reply that is to be lost: that to a request which asked is true
// for, or one which told is true for. The other is nil.
type loss struct {
	asked func(request []byte) bool
	told  func(request, reply []byte) bool
	done  chan struct{}
}

// link is one client's connection and ours to the target.
type link struct {
	client, server net.Conn

	mu      sync.Mutex
	request []byte // guarded by mu; what the client sent since the last reply
	dropped *loss  // guarded by mu; the next reply is this one
}

// maxRequest bounds what of a request LoseReply's match sees, in bytes.
const maxRequest = 1 << 20

// Proxy starts a proxy on a loopback port that forwards to target, a
// host:port. It is closed when the test ends.
func Proxy(t testing.TB, target string) *ProxyServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &ProxyServer{target: target, listener: listener, links: make(map[*link]struct{}), gate: make(chan struct{})}
	close(p.gate)
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where the proxy listens, 127.0.0.1:port.
func (p *ProxyServer) Addr() string { return p.listener.Addr().String() }

// Pause holds all data back, in both directions, from now on. Connections stay
// open and new ones are accepted.
func (p *ProxyServer) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.paused && !p.closed {
		p.paused, p.gate = true, make(chan struct{})
	}
}

// Resume lets data flow again, what was held back first.
func (p *ProxyServer) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resumeLocked()
}

func (p *ProxyServer) resumeLocked() {
	if p.paused {
		p.paused = false
		close(p.gate)
	}
}

// Cut resets every open connection. New ones are accepted.
func (p *ProxyServer) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

func (p *ProxyServer) cutLocked() {
	for l := range p.links {
		l.reset()
	}
}

// Down resets every open connection and every new one, until Up: the server is
// away.
func (p *ProxyServer) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	p.cutLocked()
}

// Up ends Down.
func (p *ProxyServer) Up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// LoseReply lets the next request through for which match is true, and resets
// its connection when the target begins to answer: the request was carried
// out, and its sender cannot know. The returned channel is closed when that
// has happened. Match gets what the client has sent on one connection since
// the target last answered it; it may be called with a part of a request
// first. A second call before the first has happened replaces it.
func (p *ProxyServer) LoseReply(match func(request []byte) bool) (lost <-chan struct{}) {
	return p.loseNext(&loss{asked: match, done: make(chan struct{})})
}

// LoseAnswer is LoseReply for a reply that matters: match gets the beginning of
// the reply, too, so that one which says "nothing" may pass.
func (p *ProxyServer) LoseAnswer(match func(request, reply []byte) bool) (lost <-chan struct{}) {
	return p.loseNext(&loss{told: match, done: make(chan struct{})})
}

func (p *ProxyServer) loseNext(next *loss) (lost <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = next
	return next.done
}

func (p *ProxyServer) close() {
	p.mu.Lock()
	p.closed = true
	p.resumeLocked()
	p.cutLocked()
	p.mu.Unlock()
	_ = p.listener.Close()
	p.work.Wait()
}

func (p *ProxyServer) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.work.Go(func() { p.serve(client) })
		}
	}
}

// serve connects one client to the target until either side ends.
func (p *ProxyServer) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		(&link{client: client}).reset()
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	refused := p.down || p.closed
	if !refused {
		p.links[l] = struct{}{}
	}
	p.mu.Unlock()
	if refused {
		l.reset()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(l, l.client, l.server, p.sent) })
	both.Go(func() { p.forward(l, l.server, l.client, p.answered) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	_ = l.client.Close()
	_ = l.server.Close()
}

// forward copies from one side to the other; before each piece it asks see
// whether the piece may pass. The end of one side's data is passed on; an
// error, or a piece that may not pass, resets both.
func (p *ProxyServer) forward(l *link, from, to net.Conn, see func(*link, []byte) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.await()
			if !see(l, buffer[:n]) {
				l.reset()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				l.reset()
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			return
		case err != nil:
			l.reset()
			return
		}
	}
}

// await returns when the proxy is not paused.
func (p *ProxyServer) await() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
}

// sent sees a piece of a request.
func (p *ProxyServer) sent(l *link, data []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.request) < maxRequest {
		l.request = append(l.request, data...)
	}
	if p.lose != nil && p.lose.asked != nil && p.lose.asked(bytes.Clone(l.request)) {
		l.dropped, p.lose = p.lose, nil
	}
	return true
}

// answered sees a piece of a reply, and refuses one that is to be lost.
func (p *ProxyServer) answered(l *link, reply []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.lose != nil && p.lose.told != nil && p.lose.told(l.request, reply) {
		l.dropped, p.lose = p.lose, nil
	}
	l.request = nil
	if l.dropped == nil {
		return true
	}
	close(l.dropped.done)
	return false
}

// reset closes both sides so that the client sees a reset and not an orderly
// end.
func (l *link) reset() {
	for _, conn := range []net.Conn{l.client, l.server} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
}
