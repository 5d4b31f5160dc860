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
	// Traceparent is passed on (W3C trace context); "" sends none.
	Traceparent string
}

// Response is what the upstream answered.
type Response struct {
	Status   int
	Headers  map[string]string // names in lower case; several values joined by ", "
	Body     []byte
	Duration time.Duration
	Sends    int // requests put on the wire for this call
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
