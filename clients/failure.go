package clients

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/asyncops/asyncops/job"
)

// errCallTimeout is the cause of a context that the call's own timeout ended.
var errCallTimeout = errors.New("the call ran out of time")

const dialDeniedText = "its address is not public and not in its allow_networks"

// failure returns a Failure about this client. message is for the job's owner:
// it names no address and no secret; err is for the log.
func (c *Client) failure(class job.Class, code job.Code, message string, err error) *job.Failure {
	if err != nil {
		err = fmt.Errorf("clients: call %s: %w", c.cfg.Name, err)
	}
	return &job.Failure{Class: class, Code: code, Message: fmt.Sprintf("client %s: %s", c.cfg.Name, message), Err: err}
}

// interrupted returns the Failure of a call whose context ended while sending
// it again would do no harm. The context's cause decides.
func (c *Client) interrupted(ctx context.Context, err error) *job.Failure {
	cause := context.Cause(ctx)
	switch {
	case err == nil:
		err = cause
	case !errors.Is(err, cause):
		err = fmt.Errorf("%w: %w", cause, err)
	}
	switch {
	case errors.Is(cause, job.ErrCanceled):
		return c.failure(job.ClassPermanent, job.CodeCanceled, "the job was canceled", err)
	case errors.Is(cause, job.ErrDeadline):
		return c.failure(job.ClassPermanent, job.CodeDeadlineExceeded, "the job's deadline passed", err)
	case errors.Is(cause, errCallTimeout), errors.Is(cause, job.ErrTimeout), errors.Is(cause, context.DeadlineExceeded):
		return c.failure(job.ClassRetryable, job.CodeTimeout, "no answer came in time", err)
	case errors.Is(cause, job.ErrLeaseLost):
		return c.failure(job.ClassRetryable, job.CodeWorkerLost, "the worker's lease ended", err)
	}
	return c.failure(job.ClassRetryable, job.CodeHandedBack, "the worker stopped", err)
}

// whyUnreachable says in a job owner's words why no answer came.
func whyUnreachable(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var handshake tls.AlertError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "its name could not be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refused the connection"
	case errors.As(err, &certificate):
		return "its certificate is not valid"
	case errors.As(err, &handshake), errors.As(err, &record):
		return "the TLS handshake failed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no connection came about in time"
	}
	return "the connection failed or was lost"
}
