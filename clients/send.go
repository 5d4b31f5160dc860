package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// exchange is one send: a request, its connection, its answer. finish ends it.
//
// net/http's Transport repeats a request on its own when a kept connection
// breaks and the request is idempotent by its method or by a header
// Idempotency-Key and has no body, and HTTP/2 also when the stream was
// refused. There is no setting against it. But each repetition asks for a
// connection, which httptrace tells us before it is used: if the request may
// have reached the upstream by then, its context ends, and the new connection,
// if it is one of HTTP/1, is closed under it. HTTP/2 writes no headers for a
// context that has ended.
type exchange struct {
	client *Client
	cancel context.CancelFunc
	resp   *http.Response

	unsigned bool // the request was not made, let alone sent

	mu      sync.Mutex
	dialled bool         // guarded by mu: a connection was begun for this send, or got
	refused bool         // guarded by mu: net/http was kept from sending it again
	conn    *trackedConn // guarded by mu
	http2   bool         // guarded by mu
	written int64        // guarded by mu: conn's bytes when this send got it
	read    int64        // guarded by mu
	headers bool         // guarded by mu: the headers were handed to conn
}

// send puts the call's request on the wire at most once, under a ctx that cancel
// ends. Whatever the error, the caller must call finish, and close the answer's
// body before that.
func (k *call) send(ctx context.Context, cancel context.CancelFunc) (*exchange, error) {
	c := k.Client
	x := &exchange{client: c, cancel: cancel}
	req := k.build(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { x.refuseResend() },
		DNSStart:     func(httptrace.DNSStartInfo) { x.dials() },
		ConnectStart: func(string, string) { x.dials() },
		GotConn:      func(info httptrace.GotConnInfo) { x.gotConn(info.Conn) },
		WroteHeaders: x.wroteHeaders,
	}), k.request, k.target)
	k.addConditions(req)
	secrets, err := k.signer.sign(req, message{id: k.id, body: k.request.Body, at: k.sent})
	k.secrets = secrets
	if err != nil {
		x.unsigned = true
		return x, err
	}
	x.resp, err = c.transport.RoundTrip(req) //nolint:bodyclose // the caller does
	return x, err
}

func (x *exchange) finish() {
	x.cancel()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.releaseLocked()
}

func (x *exchange) releaseLocked() {
	if x.conn != nil {
		x.conn.release()
	}
	x.conn = nil
}

func (x *exchange) refuseResend() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.reachedLocked() {
		x.refused = true
		x.cancel()
		return true
	}
	return false
}

// ended reports whether ctx, under which the request was sent, has been ended by
// others than this send itself.
func (x *exchange) ended(ctx context.Context) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	own := x.refused && errors.Is(context.Cause(ctx), context.Canceled)
	return ctx.Err() != nil && !own
}

// dials notes that the send has come to the network: it does not wait any more
// for one of the pool's connections.
func (x *exchange) dials() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dialled = true
}

// pooled reports whether the send has only waited for one of the pool's
// connections.
func (x *exchange) pooled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.dialled
}

func (x *exchange) gotConn(conn net.Conn) {
	x.dials()
	http2 := x.client.http2(conn)
	if x.refuseResend() {
		if !http2 {
			_ = conn.Close() // whatever the error, nothing can be written any more
		}
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.releaseLocked()
	x.http2, x.headers = http2, false
	if x.conn = tracked(conn); x.conn != nil {
		x.conn.acquire()
		x.written, x.read = x.conn.written.Load(), x.conn.read.Load()
	}
}

func (x *exchange) wroteHeaders() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.headers = true
}

// reached reports whether the upstream may have got the request. With HTTP/1
// headers that were written into a buffer, and no byte of it to the network,
// do not count.
func (x *exchange) reached() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.reachedLocked()
}

func (x *exchange) reachedLocked() bool {
	return x.resp != nil || x.headers && (x.http2 || x.conn == nil || x.conn.written.Load() > x.written)
}

// headersTooLarge reports whether an answer began and its headers went over
// the bound, for which net/http has no error of its own. With HTTP/2, where
// several calls share a connection, it cannot be told from a lost connection.
func (x *exchange) headersTooLarge() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.resp == nil && !x.http2 && x.conn != nil && x.conn.read.Load()-x.read >= maxHeaderBytes
}

func (c *Client) http2(conn net.Conn) bool {
	if t, ok := conn.(*tls.Conn); ok {
		return t.ConnectionState().NegotiatedProtocol == "h2"
	}
	return c.cfg.Protocol == ProtocolHTTP2
}

// tracked returns our own connection under those of TLS, or nil.
func tracked(conn net.Conn) *trackedConn {
	for {
		switch c := conn.(type) {
		case *trackedConn:
			return c
		case *tls.Conn:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
