package clients_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/clients/clientstest"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

func TestCalls(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback, Idempotency: clients.Idempotency{Header: "Idempotency-Key"}})
	with := []clients.Option{
		clients.Query("q", "a", "b"), clients.Header("X-Tag", "one"), clients.IdempotencyKey("k"),
		clients.Traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
	}
	for method, call := range map[string]func(context.Context, string, ...clients.Option) (*httpop.Response, error){
		"GET": c.Get, "POST": c.Post, "PUT": c.Put, "PATCH": c.Patch, "DELETE": c.Delete,
	} {
		body, contentType := "", ""
		given := slices.Clone(with)
		switch method {
		case "POST":
			given, body, contentType = append(given, clients.JSON(map[string]int{"n": 1})), `{"n":1}`, "application/json"
		case "PUT":
			given, body, contentType = append(given, clients.Text("hi")), "hi", "text/plain; charset=utf-8"
		}
		if _, err := call(t.Context(), "/x", given...); err != nil {
			t.Fatalf("%s = %v", method, err)
		}
		records := u.Requests()
		got := records[len(records)-1]
		if got.Method != method || got.Target != "/x?q=a&q=b" || got.Header.Get("X-Tag") != "one" || string(got.Body) != body ||
			got.Header.Get("Content-Type") != contentType || got.Header.Get("Idempotency-Key") != "k" || got.Header.Get("Traceparent") == "" {
			t.Errorf("%s sent %+v, want what the options say", method, got)
		}
	}
	_, err := c.Post(t.Context(), "/x", clients.JSON(func() {}))
	wantFailure(t, err, job.ClassPermanent, job.CodeInvalid)
	if _, err := clients.Decode[int](&httpop.Response{Body: []byte("x")}); err == nil {
		t.Error("Decode(x) = nil error, want one")
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u.On("/a", func(x *clientstest.Exchange) {
		clientstest.Answer(200, "{}")(x)
		cancel()
	})
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
	answers := c.Batch(ctx, slices.Repeat([]httpop.Request{{Method: "POST", Path: "/a"}}, 3), 1)
	if len(u.Requests()) != 1 || !errors.Is(answers[1].Err, clients.ErrNotSent) || !errors.Is(answers[2].Err, clients.ErrNotSent) {
		t.Errorf("Batch = %+v with %d requests sent, want the first only", answers, len(u.Requests()))
	}
}

// TestConnIsCounted: a WebSocket is a connection in use until it is closed.
func TestConnIsCounted(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/ws", u.Echo())
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
	conn, err := c.Dial(t.Context(), "/ws")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Stats(); got.InUse != 1 || got.Idle != 0 {
		t.Errorf("Stats = %+v, want one in use", got)
	}
	if code := conn.Close(t.Context()); code != 1000 {
		t.Errorf("Close = %d, want 1000", code)
	}
	conn.Close(t.Context())
	eventually(t, "no connection", func() bool { s := c.Stats(); return s.InUse == 0 && s.Idle == 0 })
	_, err = conn.Receive(t.Context())
	wantFailure(t, err, job.ClassRetryable, job.CodeUpstreamUnreachable)
}

// TestConnSendsWhileItReceives: one goroutine may send while another receives.
func TestConnSendsWhileItReceives(t *testing.T) {
	t.Parallel()
	u := clientstest.New(t, clientstest.Options{})
	u.On("/ws", u.Echo())
	c := open(t, clients.Config{Name: "up", BaseURL: u.URL(), AllowNetworks: loopback})
	conn, err := c.Dial(t.Context(), "/ws")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	received := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Receive(ctx); err != nil {
				received <- err
				return
			}
		}
	}()
	for i := range 1000 {
		if i == 10 {
			cancel(job.ErrCanceled)
		}
		if err := conn.Send(t.Context(), httpop.Message{Data: []byte("a")}); err != nil {
			break // the receiver has ended it
		}
	}
	wantFailure(t, <-received, job.ClassAmbiguous, job.CodeAmbiguous)
	conn.Close(t.Context())
}
