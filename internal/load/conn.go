package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

const (
	answerTimeout = 30 * time.Second // of one submission
	maxAnswer     = 1 << 20          // bytes
)

// errNoJob is an answer that accepts a job and does not say which.
var errNoJob = errors.New("202 without the Location of a job")

// Target is the server that is driven.
type Target struct {
	URL       string      // http or https, as for sdk.New
	Key       string      // aok_<id>_<secret>; "" for a server that asks for none
	UserAgent string      // "" sends none
	TLS       *tls.Config // of https; nil trusts what the system trusts
	Keyed     bool        // each submission has an idempotency key of its own
}

// Conn submits the same job again and again over one kept connection. It is
// leaner than a client of net/http, whose CPU a server on the same machine
// would lack. It uses no proxy. For use by one goroutine; Close closes it.
type Conn struct {
	dial    func(context.Context) (net.Conn, error)
	request []byte
	key     []byte   // where request has the idempotency key; empty: nowhere
	conn    net.Conn // nil: not connected
	reader  *bufio.Reader
}

// NewConn returns a connection that Connect makes, or else the first Submit,
// and again the one that follows when it was lost.
func NewConn(target Target, submission sdk.Submission) (*Conn, error) {
	u, err := url.Parse(target.URL)
	if err != nil {
		return nil, fmt.Errorf("load: the server's URL: %w", err)
	}
	body, err := json.Marshal(submission)
	if err != nil {
		return nil, fmt.Errorf("load: write the submission: %w", err)
	}
	header := http.Header{"Accept": {"application/json, application/problem+json"}, "Content-Type": {"application/json"}}
	if target.UserAgent != "" {
		header.Set("User-Agent", target.UserAgent)
	}
	if target.Key != "" {
		header.Set("Authorization", "Bearer "+target.Key)
	}
	var request strings.Builder
	fmt.Fprintf(&request, "POST %s/v1/jobs HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", strings.TrimRight(u.EscapedPath(), "/"), u.Host, len(body))
	_ = header.Write(&request) // a builder takes everything
	keyAt, keyEnd := 0, 0
	if target.Keyed {
		request.WriteString("Idempotency-Key: ")
		keyAt = request.Len()
		request.WriteString(string(job.NewID()))
		keyEnd = request.Len()
		request.WriteString("\r\n")
	}
	request.WriteString("\r\n")
	request.Write(body)
	c := &Conn{dial: dialer(u, target.TLS), request: []byte(request.String())}
	c.key = c.request[keyAt:keyEnd]
	return c, nil
}

func dialer(u *url.URL, settings *tls.Config) func(context.Context) (net.Conn, error) {
	port := u.Port()
	if u.Scheme != "https" {
		if port == "" {
			port = "80"
		}
		return func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		}
	}
	if port == "" {
		port = "443"
	}
	if settings == nil {
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	settings = settings.Clone()
	settings.NextProtos = []string{"http/1.1"}
	return func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: settings}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	}
}

// Submit submits the job and returns its id once it is accepted, which it is
// when it is durable. Another answer is a *sdk.Problem. It is never sent again.
func (c *Conn) Submit(ctx context.Context) (job.ID, error) {
	id, err := c.submit(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // it ended what was being done
	}
	return id, err
}

func (c *Conn) submit(ctx context.Context) (job.ID, error) {
	if err := c.Connect(ctx); err != nil {
		return "", err
	}
	conn := c.conn
	_ = conn.SetDeadline(time.Now().Add(answerTimeout))                              // a closed connection says so when it is written to
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // as above
	id, keep, err := c.exchange()
	if !stop() || !keep {
		_ = c.Close() // what it holds next is not known
	}
	return id, err
}

// Connect connects unless it is connected.
func (c *Conn) Connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

// exchange sends the request and reads the answer, and reports whether the
// connection can be used again.
func (c *Conn) exchange() (id job.ID, keep bool, err error) {
	if len(c.key) > 0 {
		copy(c.key, job.NewID())
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return "", false, err
	}
	res, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", false, err
	case len(body) > maxAnswer:
		return "", false, sdk.ErrResponseTooLarge
	case res.StatusCode != http.StatusAccepted:
		return "", !res.Close, sdk.ProblemOf(res, body)
	}
	if id, err = job.ParseID(path.Base(res.Header.Get("Location"))); err != nil {
		err = errNoJob
	}
	return id, !res.Close, err
}

// Close closes the connection, if there is one. It may be used again.
func (c *Conn) Close() error {
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}
