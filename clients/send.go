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

// errResend stops net/http from sending a request again by itself.
var errResend = errors.New("the connection was lost before an answer came")

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
	cancel context.CancelCauseFunc
	resp   *http.Response

	unsigned bool // the request was not made, let alone sent

	mu        sync.Mutex
	dialled   bool         // guarded by mu: a connection was begun for this send, or got
	conn      *trackedConn // guarded by mu
	http2     bool         // guarded by mu
	written   int64        // guarded by mu: conn's bytes when this send got it
	read      int64        // guarded by mu
	headers   bool         // guarded by mu: the headers were handed to conn
	firstByte bool         // guarded by mu
}

// send puts the request on the wire at most once. Whatever the error, the
// caller must call finish, and close the answer's body before that.
func (c *Client) send(ctx context.Context, build func(context.Context) (*http.Request, error)) (*exchange, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	x := &exchange{client: c, cancel: cancel}
	req, err := build(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { x.refuseResend() },
		DNSStart:             func(httptrace.DNSStartInfo) { x.dials() },
		ConnectStart:         func(string, string) { x.dials() },
		GotConn:              func(info httptrace.GotConnInfo) { x.gotConn(info.Conn) },
		WroteHeaders:         x.wroteHeaders,
		GotFirstResponseByte: x.gotFirstByte,
	}))
	if err != nil {
		x.unsigned = true
		return x, err
	}
	x.resp, err = c.transport.RoundTrip(req) //nolint:bodyclose // the caller does
	return x, err
}

func (x *exchange) finish() {
	x.cancel(context.Canceled)
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
		x.cancel(errResend)
		return true
	}
	return false
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
	x.http2, x.headers, x.firstByte = http2, false, false
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

func (x *exchange) gotFirstByte() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.firstByte = true
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
	return x.resp == nil && x.firstByte && !x.http2 && x.conn != nil && x.conn.read.Load()-x.read >= maxHeaderBytes
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
