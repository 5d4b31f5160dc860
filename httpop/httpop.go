// Package httpop owns what a call of an API says: method, path, headers and
// body, as data, checked by form. It does no I/O: tasks reads requests from
// job args, clients sends them.
package httpop

import "time"

// Request is one call of an upstream, relative to its base URL.
type Request struct {
	Method  string              // GET HEAD POST PUT PATCH DELETE OPTIONS
	Path    string              // begins with "/", "%" begins an escape; appended to the base URL's path
	Query   map[string][]string // appended to the path, encoded
	Headers map[string]string   // checked against the upstream's allow-list
	Body    []byte              // nil for none
	// ContentType of Body when Headers names none.
	ContentType string
	Timeout     time.Duration // of the whole call with its retries; zero means the upstream's
	Expect      []int         // statuses that are success; empty means 200-299
	// IdempotencyKey is the same in every send of one logical call; "" sends none.
	IdempotencyKey string
	// DoubtSince is when an earlier call sent the request with this key, and nobody
	// can tell whether it was carried out; zero: there was none.
	DoubtSince time.Time
	// Traceparent is passed on (W3C trace context); "" sends none.
	Traceparent string
	// Cache asks for the answer to a GET or HEAD to be kept, and to be one that
	// was; nil does not ask.
	Cache *Cache
}

// Cache says under which name an answer is kept, and for how long.
type Cache struct {
	// Key is a name under which it can be made stale; "" for none. It does not
	// make two different requests one: each has an answer of its own.
	Key string
	// TTL is how long it may be used; zero means as long as the upstream says, or
	// else as long as the client's configuration does.
	TTL time.Duration
	// Early asks the upstream as soon as what is kept has less than three fifths of
	// its life left, and keeps that while the upstream fails: it is for a caller
	// that wants others to find something.
	Early bool
	// Refresh asks the upstream whatever is kept, so that what is kept is new.
	Refresh bool
}

// Response is what the upstream answered.
type Response struct {
	Status   int
	Headers  map[string]string // names in lower case; several values joined by ", "
	Body     []byte
	Duration time.Duration
	Sends    int  // requests put on the wire for this call
	Cached   bool // it is what was kept of an earlier call; with Sends, the upstream has said that it holds still
	// Summary is what was sent and what came back, as JSON for the list of
	// attempts: method, path without query, statuses, sends, duration_ms.
	Summary []byte
}

// Safe reports whether a request of this method may be sent again after an
// outcome that nobody can tell (RFC 9110 §9.2.2: idempotent methods).
func Safe(method string) bool {
	switch method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS":
		return true
	}
	return false
}
