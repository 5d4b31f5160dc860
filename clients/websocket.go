package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// maxMessages bounds what a Conn receives in its life.
const maxMessages = 10_000

// errStepTimeout is the cause of a context that a step's own timeout ended.
var errStepTimeout = errors.New("no message that was waited for came in time")

// Conn is a WebSocket to an upstream. One goroutine may send while another
// receives. Who dialled it closes it.
type Conn struct {
	client     *Client
	ws         *websocket.Conn
	repeatable bool        // what was sent may be sent again
	sent       atomic.Bool // a message was handed to the network, or part of it
	bytes      int64       // received
	messages   int         // received
	ended      sync.Once
}

// dial is the call of a handshake.
func (k *call) dial(ctx context.Context, subprotocols []string) (*Conn, error) {
	c := k.Client
	k.request.Expect = []int{http.StatusSwitchingProtocols}
	ctx, cancel := context.WithTimeoutCause(ctx, k.timeout(), errCallTimeout)
	defer cancel()
	for {
		ws, v := k.upgrade(ctx, subprotocols)
		switch {
		case v == nil:
			ws.SetReadLimit(c.cfg.MaxResponse)
			c.conns.inUse.Add(1)
			return &Conn{client: c, ws: ws, repeatable: c.Repeatable(http.MethodPost, k.request.IdempotencyKey != "")}, nil
		case !v.moved:
			v.failure.Summary = k.summary()
			return nil, v.failure
		}
	}
}

// upgrade sends the handshake once, if the gate lets it. What is said over the
// connection afterwards passes no gate.
func (k *call) upgrade(ctx context.Context, subprotocols []string) (*websocket.Conn, *verdict) {
	pass, err := k.gate.Enter(ctx)
	if err != nil {
		return nil, k.refused(ctx, err, nil)
	}
	sign := SignNone
	defer func() { pass.Done(sign) }()
	began := time.Now()
	k.sent = began
	req := k.build(ctx, k.request, k.target)
	req.Header.Del("Accept-Encoding")
	secrets, err := k.signer.sign(req, message{id: k.id, at: began})
	if k.secrets = secrets; err != nil {
		v := k.unanswered(ctx, &exchange{}, err)
		k.observe(string(v.failure.Code), began)
		return nil, v
	}
	x := &exchange{client: k.Client, cancel: func() {}}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { x.dials() },
		ConnectStart: func(string, string) { x.dials() },
		GotConn:      func(httptrace.GotConnInfo) { x.dials() },
	})
	ws, resp, err := websocket.Dial(traced, req.URL.String(), &websocket.DialOptions{ //nolint:bodyclose // it is read and closed already
		HTTPClient:   &http.Client{Transport: k.upgrades, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		HTTPHeader:   req.Header,
		Subprotocols: subprotocols,
	})
	if resp != nil {
		k.sends++
		sign = answeredSign(resp.StatusCode)
		k.statuses = append(k.statuses, resp.StatusCode)
		k.observe(strconv.Itoa(resp.StatusCode), began)
	}
	switch {
	case err == nil:
		return ws, nil
	case resp == nil:
		if sent, ok := errors.AsType[*url.Error](err); ok {
			err = sent.Err // its own text has the URL, and that a key
		}
		v := k.unanswered(ctx, x, err)
		sign = k.unansweredSign(ctx, x, err, began)
		k.observe(string(v.failure.Code), began)
		return nil, v
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, final(k.failure(job.ClassPermanent, job.CodeResponseInvalid, "it does not speak WebSocket (RFC 6455) as was asked", err))
	}
	x.resp = resp
	_, v := k.answered(ctx, x)
	return nil, v
}

// Subprotocol is the one that the upstream chose; "" for none.
func (c *Conn) Subprotocol() string { return c.ws.Subprotocol() }

// Send sends a message. After an error the Conn is of no more use.
func (c *Conn) Send(ctx context.Context, m httpop.Message) error {
	c.sent.Store(true)
	if err := c.ws.Write(ctx, messageType(m), m.Data); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

func messageType(m httpop.Message) websocket.MessageType {
	if m.Binary {
		return websocket.MessageBinary
	}
	return websocket.MessageText
}

// Receive waits for the next message. After an error, also that of a ctx that
// has ended, the Conn is of no more use. A message over MaxResponse, and
// messages that are over it altogether, are refused.
func (c *Conn) Receive(ctx context.Context) (httpop.Message, error) {
	kind, data, err := c.ws.Read(ctx)
	c.bytes += int64(len(data))
	c.messages++
	switch {
	case err != nil:
		return httpop.Message{}, c.broken(ctx, err)
	case c.bytes > c.client.cfg.MaxResponse, c.messages > maxMessages:
		return httpop.Message{}, c.broken(ctx, errTooLarge)
	}
	return httpop.Message{Binary: kind == websocket.MessageBinary, Data: data}, nil
}

// Close ends the conversation in order, unless it has ended, and returns the
// close code: the upstream's if it closed first, 1000, or 1006 if it does not
// answer before ctx ends or for a few seconds.
func (c *Conn) Close(ctx context.Context) int {
	stop := context.AfterFunc(ctx, func() { _ = c.ws.CloseNow() })
	defer stop()
	defer c.abandon()
	err := c.ws.Close(websocket.StatusNormalClosure, "")
	if err == nil {
		return int(websocket.StatusNormalClosure)
	}
	if code := websocket.CloseStatus(err); code >= 0 {
		return int(code)
	}
	return int(websocket.StatusAbnormalClosure)
}

// abandon ends the connection, in order or not. It may be called again.
func (c *Conn) abandon() {
	_ = c.ws.CloseNow() // it may be closed
	c.ended.Do(func() { c.client.conns.inUse.Add(-1) })
}

// broken says what an error of the connection comes to.
func (c *Conn) broken(ctx context.Context, err error) *job.Failure {
	k := c.client
	if errors.Is(err, errTooLarge) || errors.Is(err, websocket.ErrMessageTooBig) {
		return k.failure(job.ClassPermanent, job.CodeResponseTooLarge,
			fmt.Sprintf("its messages are over max_response (%d bytes) or more than %d", k.cfg.MaxResponse, maxMessages), err)
	}
	code := websocket.CloseStatus(err)
	if refuses(code) {
		return k.failure(job.ClassPermanent, job.CodeUpstreamStatus, fmt.Sprintf("it closed the connection with code %d", code), err)
	}
	if c.sent.Load() && !c.repeatable {
		return k.failure(job.ClassAmbiguous, job.CodeAmbiguous,
			"messages were sent and the exchange did not come to its end: it may have been carried out"+because(ctx, code), err)
	}
	switch {
	case errors.Is(context.Cause(ctx), errStepTimeout):
		return k.failure(job.ClassRetryable, job.CodeTimeout, errStepTimeout.Error(), err)
	case ctx.Err() != nil:
		return k.interrupted(ctx, err)
	case code >= 0:
		return k.failure(job.ClassRetryable, job.CodeUpstreamUnreachable, fmt.Sprintf("it closed the connection with code %d", code), err)
	}
	return k.failure(job.ClassRetryable, job.CodeUpstreamUnreachable, "the connection was lost", err)
}

func because(ctx context.Context, code websocket.StatusCode) string {
	switch {
	case code >= 0:
		return fmt.Sprintf(" (it closed the connection with code %d)", code)
	case errors.Is(context.Cause(ctx), errStepTimeout):
		return " (" + errStepTimeout.Error() + ")"
	}
	return ""
}

// refuses reports whether a close code says that the same messages would be
// refused again: RFC 6455 §7.4.1, and those of applications.
func refuses(code websocket.StatusCode) bool {
	switch code {
	case websocket.StatusProtocolError, websocket.StatusUnsupportedData, websocket.StatusInvalidFramePayloadData,
		websocket.StatusPolicyViolation, websocket.StatusMessageTooBig, websocket.StatusMandatoryExtension:
		return true
	}
	return code >= 4000 && code <= 4999
}
