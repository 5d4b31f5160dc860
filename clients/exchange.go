package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Exchange opens a WebSocket, goes through the steps and closes it. Its errors
// are *job.Failure, with a Summary. Once a message was sent, an exchange that
// does not come to its end is ambiguous, unless the upstream refuses it by its
// close code, honours the idempotency key of the handshake, or its
// configuration says on_ambiguous: retry.
func (c *Client) Exchange(ctx context.Context, e httpop.Exchange) (*httpop.Transcript, error) {
	k, err := c.begin(e.Handshake(), httpop.CheckExchange(e, c.policy))
	if err != nil {
		return nil, err
	}
	sends := slices.ContainsFunc(e.Steps, func(s httpop.Step) bool { return s.Send != nil })
	if f := k.forgotten(http.MethodPost); sends && f != nil {
		return nil, f
	}
	ctx, cancel := k.within(ctx)
	defer cancel()
	conn, err := k.dial(ctx, e.Subprotocols)
	if err != nil {
		return nil, err
	}
	defer conn.abandon()
	t := &httpop.Transcript{Subprotocol: conn.Subprotocol()}
	sent, failure := conn.follow(ctx, e.Steps, t)
	if failure == nil {
		t.CloseCode = conn.Close(ctx)
	}
	t.Duration = time.Since(k.began)
	// The fields cannot fail to marshal.
	t.Summary, _ = json.Marshal(struct {
		Path       string `json:"path"`
		Sent       int    `json:"messages_sent"`
		Received   int    `json:"messages_received"`
		Skipped    int    `json:"messages_skipped,omitempty"`
		CloseCode  int    `json:"close_code,omitempty"`
		DurationMS int64  `json:"duration_ms"`
	}{e.Path, sent, len(t.Received), t.Skipped, t.CloseCode, t.Duration.Milliseconds()})
	if failure != nil {
		if conn.sent.Load() {
			k.inDoubt()
		}
		if sends {
			k.tellDoubt(failure, http.MethodPost)
		}
		failure.Summary = t.Summary
		return nil, failure
	}
	return t, nil
}

// follow goes through the steps.
func (c *Conn) follow(ctx context.Context, steps []httpop.Step, t *httpop.Transcript) (sent int, failure *job.Failure) {
	for _, step := range steps {
		var err error
		if step.Send != nil {
			err = c.Send(ctx, *step.Send)
			sent++
		} else {
			err = c.await(ctx, *step.Receive, t)
		}
		if err != nil {
			f, _ := errors.AsType[*job.Failure](err) // that of Send and Receive
			return sent, f
		}
	}
	return sent, nil
}

// await receives until enough messages counted.
func (c *Conn) await(ctx context.Context, r httpop.Receive, t *httpop.Transcript) error {
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, errStepTimeout)
		defer cancel()
	}
	for left := max(r.Count, 1); left > 0; {
		m, err := c.Receive(ctx)
		switch {
		case err != nil:
			return err
		case r.Match != nil && !r.Match(m):
			t.Skipped++
		default:
			t.Received = append(t.Received, m)
			left--
		}
	}
	return nil
}
