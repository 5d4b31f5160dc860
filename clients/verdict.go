package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// unanswered judges a send that brought no answer.
func (k *call) unanswered(ctx context.Context, x *exchange, err error) *verdict {
	reached := x.reached()
	if reached {
		k.inDoubt()
	}
	if unsigned, ok := errors.AsType[*authError](err); ok {
		f := k.failure(unsigned.class, unsigned.code, unsigned.message, err)
		f.RetryAfter = unsigned.retryAfter
		return &verdict{failure: f, again: unsigned.again}
	}
	switch {
	case errors.Is(err, errDialDenied):
		return final(k.failure(job.ClassPermanent, job.CodeDialDenied, dialDeniedText, err))
	case x.headersTooLarge():
		return final(k.failure(job.ClassPermanent, job.CodeResponseTooLarge,
			fmt.Sprintf("the headers of its answer are over %d bytes", maxHeaderBytes), err))
	case reached && !k.repeatable():
		return final(k.failure(job.ClassAmbiguous, job.CodeAmbiguous,
			"the request was sent and no answer came: it may have been carried out", err))
	case x.ended(ctx):
		f := k.interrupted(ctx, err)
		if f.Code == job.CodeTimeout && errors.Is(err, errTokenAwaited) {
			f.Message = fmt.Sprintf("client %s: %v", k.cfg.Name, errTokenAwaited)
		}
		return final(f)
	}
	return &verdict{again: true, failure: k.failure(job.ClassRetryable, job.CodeUpstreamUnreachable, whyUnreachable(err), err)}
}

// answered judges an answer by its status.
func (k *call) answered(ctx context.Context, x *exchange) (*httpop.Response, *verdict) {
	status := x.resp.StatusCode
	if k.expected(status) {
		return k.accepted(ctx, x)
	}
	if k.redirected(x.resp) || k.renew(status) {
		return nil, &verdict{moved: true}
	}
	class := job.ClassPermanent
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		class = job.ClassRetryable
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
	default:
		if status >= 500 {
			class = job.ClassAmbiguous
		}
	}
	if class == job.ClassAmbiguous {
		k.inDoubt()
		if k.repeatable() {
			class = job.ClassRetryable
		}
	}
	f := k.failure(class, job.CodeUpstreamStatus, fmt.Sprintf("it answered %d", status), nil)
	switch class {
	case job.ClassRetryable:
		f.RetryAfter = retryAfter(x.resp.Header, time.Now())
		k.throttled(status, f)
	case job.ClassAmbiguous:
		f.Code = job.CodeAmbiguous
		f.Message += ", which leaves open whether the request was carried out"
	}
	if text := k.excerpt(x); text != "" {
		f.Message += ": " + text
		f.Private = true
	}
	return nil, &verdict{failure: f, again: class == job.ClassRetryable}
}

// accepted reads an answer whose status is a success. Whatever goes wrong, the
// upstream has done what was asked: it is not sent again.
func (k *call) accepted(ctx context.Context, x *exchange) (*httpop.Response, *verdict) {
	status := x.resp.StatusCode
	body, err := readBody(x.resp, k.cfg.MaxResponse)
	switch {
	case err == nil:
		return &httpop.Response{Status: status, Headers: flatten(x.resp.Header), Body: body}, nil
	case errors.Is(err, errTooLarge):
		return nil, final(k.failure(job.ClassPermanent, job.CodeResponseTooLarge,
			fmt.Sprintf("it answered %d with a body over max_response (%d bytes) or over %d times its compressed size", status, k.cfg.MaxResponse, maxRatio), err))
	case ctx.Err() == nil:
		return nil, final(k.failure(job.ClassPermanent, job.CodeResponseInvalid,
			fmt.Sprintf("it answered %d, and the body was cut short or cannot be decoded", status), err))
	}
	f := k.interrupted(ctx, err)
	handBack := f.Code == job.CodeHandedBack || f.Code == job.CodeWorkerLost
	if handBack && httpop.Safe(k.request.Method) {
		return nil, final(f) // reading it again elsewhere does no harm
	}
	if handBack {
		f.Code = job.CodeResponseInvalid
	}
	f.Class = job.ClassPermanent
	f.Message += fmt.Sprintf("; it had answered %d, and the body had not come in whole", status)
	return nil, final(f)
}

// renew reports, once a call, whether a request that the upstream refused for
// its credentials will be sent with others. It was not carried out.
func (k *call) renew(status int) bool {
	signer, ok := k.signer.(renewer)
	if !ok || status != http.StatusUnauthorized || k.renewed {
		return false
	}
	k.renewed = true
	return signer.refused(k.secrets)
}

func final(f *job.Failure) *verdict { return &verdict{failure: f} }

// redirected moves the call to where an answer points, if the configuration
// follows redirects, the method only reads, and the origin stays the same. So
// credentials never leave the upstream they are for.
func (k *call) redirected(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	if m := k.request.Method; m != http.MethodGet && m != http.MethodHead || k.redirects == k.cfg.Redirects {
		return false
	}
	location, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return false
	}
	next := k.target.ResolveReference(location)
	if next.Scheme != k.base.Scheme || hostPort(next) != hostPort(k.base) || next.User != nil {
		return false
	}
	next.Host, next.Fragment, next.RawFragment = k.base.Host, "", ""
	k.target = next
	k.redirects++
	return true
}
