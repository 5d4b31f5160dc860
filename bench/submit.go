package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The callers of the single submissions, and the jobs of a batch.
const (
	restConnections = 64
	riverCallers    = 32
	batchSize       = 1000
)

// plainRound measures what a row costs: one INSERT and its COMMIT.
func (b *bench) plainRound(ctx context.Context, database string) error {
	if err := b.postgres.exec(ctx, database, "CREATE TABLE plain (id bigserial PRIMARY KEY, payload jsonb NOT NULL)"); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, b.postgres.dsn(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return b.rate(ctx, "submit/plain", nil, func(ctx context.Context) (int, error) {
		return drive(ctx, b.plan.submit, []caller{func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "INSERT INTO plain (payload) VALUES ($1)", payload)
			return err
		}})
	})
}

// submitRound measures single submissions over REST while no worker runs.
func (b *bench) submitRound(ctx context.Context, database string) error {
	in, err := b.install(ctx, database, b.redisURL())
	if err != nil {
		return err
	}
	defer in.close(ctx)
	if err := in.startFrontend(ctx); err != nil {
		return err
	}
	for _, measure := range []struct {
		key         string
		connections int
	}{{"submit/rest one", 1}, {"submit/rest", restConnections}} {
		callers := make([]caller, measure.connections)
		for i := range callers {
			conn, err := dial(ctx, in.api, `{"kind":"system.noop","args":`+payload+`}`)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			callers[i] = conn.submit
		}
		err := b.rate(ctx, measure.key, in.running, func(ctx context.Context) (int, error) {
			return drive(ctx, b.plan.submit, callers)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) redisURL() string { return "redis://" + b.keys.Options().Addr + "/0" }

// caller submits one job and returns once it is durable.
type caller func(ctx context.Context) error

// drive lets every caller submit one job after the other for so long, and
// counts them. The first error ends all.
func drive(ctx context.Context, length time.Duration, callers []caller) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	counts := make([]int, len(callers))
	end := time.Now().Add(length)
	var running sync.WaitGroup
	for i, call := range callers {
		running.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := call(ctx); err != nil {
					cancel(err)
					return
				}
				counts[i]++
			}
		})
	}
	running.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, context.Cause(ctx)
}

// restConn is one kept connection to the REST server that sends the same
// request again and again. It is leaner than a client of net/http, which would
// take CPU from what is measured; for use by one goroutine.
type restConn struct {
	net.Conn
	reader  *bufio.Reader
	request []byte
}

func dial(ctx context.Context, addr, body string) (*restConn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("POST /v1/jobs HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		addr, len(body), body)
	return &restConn{conn, bufio.NewReader(conn), []byte(request)}, nil
}

// submit sends the request and reads the answer, which has to be 202.
func (c *restConn) submit(context.Context) error {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second)) // a closed connection says so when it is written to
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("POST /v1/jobs = %s: %s", response.Status, body)
	}
	return err
}
