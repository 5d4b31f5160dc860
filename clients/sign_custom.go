package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Signer signs a request for an upstream whose auth is of type custom, in a way
// of its own. It is called for every send, may take its time within the
// request's context, and must be safe for concurrent use. What it sets in
// r.Header and r.URL.RawQuery is sent, and taken for secret; anything else that
// it changes is not. Reading r.Body costs nothing.
//
// An error keeps the request from being sent. A *job.Failure says itself what
// follows; any other error is retryable, with the code auth_failed. Its text
// goes into the log: it must hold no secret.
type Signer func(r *http.Request) error

type custom struct {
	name string
	f    Signer
}

// minHidden is how long a value that a Signer sets must be to be hidden in
// texts of the upstream: shorter ones are in every text.
const minHidden = 4

func (c custom) sign(req *http.Request, m message) ([]string, error) {
	signed := req.Clone(req.Context())
	signed.Body = io.NopCloser(bytes.NewReader(m.body))
	if err := c.f(signed); err != nil {
		return nil, c.failed(req, err)
	}
	var secrets []string
	for name, values := range signed.Header {
		for _, value := range values {
			if !httpop.ValidHeaderValue(value) {
				return nil, badSecret("name")
			}
			if len(value) >= minHidden && !slices.Contains(req.Header[name], value) {
				secrets = append(secrets, value)
			}
		}
	}
	before := req.URL.Query()
	for name, values := range signed.URL.Query() {
		for _, value := range values {
			if len(value) >= minHidden && !slices.Contains(before[name], value) {
				secrets = append(secrets, value)
			}
		}
	}
	maps.Copy(req.Header, signed.Header)
	req.URL.RawQuery = signed.URL.RawQuery
	return secrets, nil
}

// preview adds nothing: what the Signer sets is known only when it has run.
func (custom) preview(*http.Request, message) {}

func (c custom) failed(req *http.Request, err error) error {
	if req.Context().Err() != nil {
		return err
	}
	e := &authError{class: job.ClassRetryable, code: job.CodeAuthFailed, message: fmt.Sprintf("its auth %q failed", c.name), err: err}
	if f, ok := errors.AsType[*job.Failure](err); ok {
		e.class, e.code, e.message, e.retryAfter = f.Class, f.Code, f.Message, f.RetryAfter
	}
	return e
}
