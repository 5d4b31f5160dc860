package clients

import (
	"fmt"
	"time"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// NeedsKey reports whether a request of this method may be sent again, though it
// may have been carried out, because of its idempotency key alone: for as long
// as the upstream remembers that.
func (c *Client) NeedsKey(method string) bool {
	return c.cfg.Idempotency.Header != "" && !httpop.Safe(method) && c.cfg.Idempotency.OnAmbiguous != OnAmbiguousRetry
}

// forgotten is the failure of a call that must not send any more: the request may
// have been carried out, and the upstream may have forgotten its key.
func (k *call) forgotten(method string) *job.Failure {
	ttl := k.cfg.Idempotency.TTL
	if ttl == 0 || k.doubt.IsZero() || !k.NeedsKey(method) || time.Since(k.doubt) < ttl {
		return nil
	}
	return k.failure(job.ClassAmbiguous, job.CodeAmbiguous, fmt.Sprintf(
		"an earlier request may have been carried out, and idempotency.ttl (%s) has passed since: it may have forgotten the key, and is not sent another", ttl), nil)
}

// inDoubt remembers that the send before may have been carried out.
func (k *call) inDoubt() {
	if k.doubt.IsZero() {
		k.doubt = k.sent
	}
}

// tellDoubt notes in a failure what the next call with the key must know.
func (k *call) tellDoubt(f *job.Failure, method string) {
	if !k.doubt.IsZero() && k.NeedsKey(method) {
		f.Doubt = max(time.Since(k.doubt), 1)
	}
}
