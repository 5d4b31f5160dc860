package httpop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/asyncops/asyncops/job"
)

// Bounds of a request.
const (
	MaxPathLength   = 8 << 10 // bytes of Path
	MaxQueryLength  = 32 << 10
	MaxHeaders      = 64
	MaxHeaderLength = 8 << 10 // bytes of one header's value
)

// Codes of the field errors that Check returns.
const (
	CodeRequired     = "required"
	CodeNotAllowed   = "not_allowed"
	CodeInvalidValue = "invalid_value"
	CodeOutOfRange   = "out_of_range"
	CodeTooLong      = "too_long"
	CodeDotSegments  = "dot_segments"
)

// Policy is what one upstream allows beyond the rules that hold for all. Header
// names are compared without regard to case. The zero value allows no more.
type Policy struct {
	AllowHeaders    []string // that requests may set besides the standard ones
	ReservedHeaders []string // that the client sets itself: its credentials, its idempotency key
	ReservedQuery   []string // query parameters that the client sets itself
}

// Methods lists the methods that a request may have.
func Methods() []string {
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
}

// Check returns everything wrong with the form of a request, or nothing. The
// API asks at submission and the client again before it sends. Pointers are
// relative to the request: "/path", "/headers/Host".
//
// A Timeout of zero passes, for it means the upstream's; who reads a timeout
// that a caller spelled out refuses zero itself.
func Check(r Request, p Policy) []job.FieldError {
	var c checker
	c.method(r)
	c.path(r.Path)
	c.query(r.Query, p)
	c.headers(r.Headers, p)
	if r.ContentType != "" && !validValue(r.ContentType) {
		c.add("/headers/Content-Type", CodeInvalidValue, "the content type holds control characters")
	}
	if r.Timeout < 0 || r.Timeout > job.MaxTimeout {
		c.add("/timeout", CodeOutOfRange, "timeout is %s; want more than 0s and at most %s", r.Timeout, job.MaxTimeout)
	}
	if r.Cache != nil && r.Method != "GET" && r.Method != "HEAD" {
		c.add("/cache", CodeNotAllowed, "goes with GET and HEAD")
	}
	for i, status := range r.Expect {
		if status < 100 || status > 599 {
			c.add(fmt.Sprintf("/expect/%d", i), CodeOutOfRange, "%d is not a status; want 100 to 599", status)
		}
	}
	if len(r.IdempotencyKey) > job.MaxKeyLength || !printable(r.IdempotencyKey) {
		c.add("", CodeInvalidValue, "the idempotency key is not up to %d printable ASCII characters", job.MaxKeyLength)
	}
	if !printable(r.Traceparent) {
		c.add("", CodeInvalidValue, "traceparent is not printable ASCII")
	}
	return c.errs
}

type checker struct{ errs []job.FieldError }

func (c *checker) add(pointer, code, format string, args ...any) {
	c.errs = append(c.errs, job.FieldError{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) method(r Request) {
	switch {
	case r.Method == "":
		c.add("/method", CodeRequired, "method is missing; want one of %s", strings.Join(Methods(), ", "))
	case !slices.Contains(Methods(), r.Method):
		c.add("/method", CodeNotAllowed, "method %q is not allowed; want one of %s", clip(r.Method), strings.Join(Methods(), ", "))
	case len(r.Body) > 0 && (r.Method == "GET" || r.Method == "HEAD"):
		c.add("/body", CodeNotAllowed, "%s takes no body", r.Method)
	}
}

func (c *checker) query(query map[string][]string, p Policy) {
	if len(query) == 0 {
		return
	}
	length := 0
	for _, name := range slices.Sorted(maps.Keys(query)) {
		pointer := "/query/" + escapePointer(name)
		switch {
		case name == "":
			c.add(pointer, CodeInvalidValue, "a query parameter has no name")
		case !validText(name):
			c.add(pointer, CodeInvalidValue, "the name of a query parameter is not UTF-8 or holds NUL")
		case slices.Contains(p.ReservedQuery, name):
			c.add(pointer, CodeNotAllowed, "the client sets the query parameter %s itself", clip(name))
		}
		for _, value := range query[name] {
			length += len(name) + len(value) + 2
			if !validText(value) {
				c.add(pointer, CodeInvalidValue, "the query parameter %s is not UTF-8 or holds NUL", clip(name))
			}
		}
	}
	if length > MaxQueryLength {
		c.add("/query", CodeTooLong, "the query has %d bytes; want at most %d", length, MaxQueryLength)
	}
}

func validText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// clip bounds what a message repeats of a request.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}

// escapePointer makes s one reference token of a JSON pointer (RFC 6901).
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(clip(strings.ToValidUTF8(s, "\uFFFD")))
}
