// Package clients owns the target APIs: named upstreams with their
// credentials, connections, guarded dials, limits and the retries inside one
// attempt of a job.
//
// It refuses to send anything twice by accident. net/http repeats some
// requests by itself when a kept connection breaks; here every repetition is a
// decision of Client.Do, counted in Response.Sends, and follows one table:
//
//	what was seen                            what follows
//	no connection, headers never written     sent again
//	408, 425, 503                            sent again: the upstream says that it did not do it
//	429, 503 with Retry-After                the upstream is left alone by all, then sent again
//	500, 502, 504, other unknown 5xx         as if no answer had come: it may have failed after it did it
//	401, once, with auth oauth2              sent again with another token
//	headers written and no answer            sent again if repeatable, else ambiguous
//	an expected status, its body unreadable  permanent: it was accepted and is not sent again
//	any other status                         permanent
//
// Before each send the Gate of the upstream is asked: its rate limit, its
// circuit breaker, and how long the upstream wants to be left alone. What it does
// not let out soon fails as throttled, and its job waits elsewhere.
//
// Repeatable is a request whose method is idempotent, whose upstream honours
// the idempotency key it carries and has not forgotten it (Idempotency.TTL), or
// whose upstream's configuration says on_ambiguous: retry.
//
// An answer that is kept is given out before the gate is asked (ResponseCache),
// and a call that may have changed something makes stale what is kept of its
// path before it returns.
package clients
