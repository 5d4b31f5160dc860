package httpop

import (
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Exchange is one conversation over a WebSocket, relative to an upstream's base
// URL.
type Exchange struct {
	Path    string // as that of a Request
	Query   map[string][]string
	Headers map[string]string // of the handshake
	// Subprotocols are offered, in this order.
	Subprotocols   []string
	Steps          []Step
	Timeout        time.Duration // of the whole; zero means the upstream's
	IdempotencyKey string        // sent with the handshake
	DoubtSince     time.Time     // as that of a Request
	Traceparent    string
}

// Step sends a message, or waits for some. One of its fields is set.
type Step struct {
	Send    *Message
	Receive *Receive
}

// Message is one message of a WebSocket.
type Message struct {
	Binary bool
	Data   []byte // of a text UTF-8
}

// Receive waits for messages.
type Receive struct {
	Count   int                // how many; 0 means 1
	Match   func(Message) bool // those that count; nil means all, others are passed over
	Timeout time.Duration      // zero means as long as the whole takes
}

// Transcript is what came of an Exchange.
type Transcript struct {
	Received    []Message // that counted, in order
	Skipped     int       // messages that were passed over
	CloseCode   int       // RFC 6455 §7.4: the upstream's if it closed first, else 1000
	Subprotocol string    // that the upstream chose; "" for none
	Duration    time.Duration
	Summary     []byte // as that of a Response
}

// Bounds of an Exchange, besides those of Request.
const (
	MaxSteps        = 100
	MaxSubprotocols = 10
	MaxReceive      = 1000 // messages of one Receive
)

// Handshake is the request that begins the exchange.
func (e Exchange) Handshake() Request {
	return Request{
		Method: "GET", Path: e.Path, Query: e.Query, Headers: e.Headers, Timeout: e.Timeout,
		IdempotencyKey: e.IdempotencyKey, DoubtSince: e.DoubtSince, Traceparent: e.Traceparent,
	}
}

// CheckExchange is Check for an Exchange.
func CheckExchange(e Exchange, p Policy) []job.FieldError {
	c := &checker{errs: Check(e.Handshake(), p)}
	if len(e.Subprotocols) > MaxSubprotocols {
		c.add("/subprotocols", CodeTooLong, "%d subprotocols; want at most %d", len(e.Subprotocols), MaxSubprotocols)
	}
	for i, name := range e.Subprotocols {
		if !token(name) || len(name) > MaxHeaderLength {
			c.add(fmt.Sprintf("/subprotocols/%d", i), CodeInvalidValue, "%q is not the name of a subprotocol", clip(name))
		}
	}
	switch n := len(e.Steps); {
	case n == 0:
		c.add("/steps", CodeRequired, "there are no steps; want 1 to %d", MaxSteps)
	case n > MaxSteps:
		c.add("/steps", CodeTooLong, "%d steps; want at most %d", n, MaxSteps)
	}
	for i, step := range e.Steps[:min(len(e.Steps), MaxSteps)] {
		at := fmt.Sprintf("/steps/%d", i)
		switch {
		case (step.Send == nil) == (step.Receive == nil):
			c.add(at, CodeInvalidValue, "want one of send and receive")
		case step.Receive != nil && (step.Receive.Count < 0 || step.Receive.Count > MaxReceive):
			c.add(at+"/receive/count", CodeOutOfRange, "want 1 to %d", MaxReceive)
		case step.Receive != nil && (step.Receive.Timeout < 0 || step.Receive.Timeout > job.MaxTimeout):
			c.add(at+"/receive/timeout", CodeOutOfRange, "want up to %s", job.MaxTimeout)
		}
	}
	return c.errs
}
