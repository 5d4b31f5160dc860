package httpop

import (
	"maps"
	"slices"
	"strings"
)

// neverHeaders are those that no policy can allow: they say who calls, where
// to, or how the message is framed, which is the client's affair.
var neverHeaders = map[string]bool{
	"host":              true,
	"authorization":     true,
	"cookie":            true,
	"content-length":    true,
	"transfer-encoding": true,
	"connection":        true,
	"keep-alive":        true,
	"te":                true,
	"trailer":           true,
	"upgrade":           true,
	"http2-settings":    true,
	"expect":            true,
	"accept-encoding":   true, // the client decodes what it asked for, within its bounds
	"forwarded":         true,
	"traceparent":       true, // the job's own is passed on
	"tracestate":        true,
}

func never(lower string) bool {
	return neverHeaders[lower] || strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "x-forwarded-") || strings.HasPrefix(lower, "sec-websocket-")
}

func standard(lower string) bool {
	switch lower {
	case "accept", "content-type", "accept-language":
		return true
	}
	return strings.HasPrefix(lower, "if-") || strings.HasPrefix(lower, "x-")
}

func (c *checker) headers(headers map[string]string, p Policy) {
	if len(headers) == 0 {
		return
	}
	if len(headers) > MaxHeaders {
		c.add("/headers", CodeTooLong, "there are %d headers; want at most %d", len(headers), MaxHeaders)
		return
	}
	seen := make(map[string]bool, len(headers))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		pointer, lower := "/headers/"+escapePointer(name), strings.ToLower(name)
		switch {
		case !token(name):
			c.add(pointer, CodeInvalidValue, "%q is not the name of a header", clip(name))
		case seen[lower]:
			c.add(pointer, CodeInvalidValue, "the header %s is there twice", clip(name))
		case never(lower), containsFold(p.ReservedHeaders, name):
			c.add(pointer, CodeNotAllowed, "the header %s cannot be set by a request", clip(name))
		case !standard(lower) && !containsFold(p.AllowHeaders, name):
			c.add(pointer, CodeNotAllowed, "the header %s is not allowed; add it to the client's allow_headers", clip(name))
		}
		seen[lower] = true
		switch value := headers[name]; {
		case len(value) > MaxHeaderLength:
			c.add(pointer, CodeTooLong, "the header %s has %d bytes; want at most %d", clip(name), len(value), MaxHeaderLength)
		case !validValue(value):
			c.add(pointer, CodeInvalidValue, "the header %s holds control characters", clip(name))
		}
	}
}

func containsFold(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// ValidHeaderValue reports whether a header may have the value: no control
// characters but tab.
func ValidHeaderValue(value string) bool { return validValue(value) }

// AllowableHeader reports whether a policy may allow a header of this name at
// all. Host, Authorization, Cookie and those of framing and forwarding are
// never a request's to set.
func AllowableHeader(name string) bool { return token(name) && !never(strings.ToLower(name)) }

// CredentialHeader reports whether credentials may go into a header of this name.
// Authorization is a common place for them; it is no request's to set anyway.
func CredentialHeader(name string) bool {
	return AllowableHeader(name) || strings.EqualFold(name, "Authorization")
}

// HeaderName reports whether a header may have the name at all.
func HeaderName(name string) bool { return token(name) }

// token is RFC 9110 §5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
