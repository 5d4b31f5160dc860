package httpop

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrEscapes is returned, wrapped, by Join when the joined URL would leave its
// base URL.
var ErrEscapes = errors.New("the path leaves the base URL")

// maxDecodings is how often an upstream is assumed to decode a path at most:
// dot segments must not come to light in any of these rounds.
const maxDecodings = 3

func (c *checker) path(path string) {
	if code, message := pathProblem(path); code != "" {
		c.add("/path", code, "%s", message)
	}
}

// pathProblem returns what is wrong with a path, or two empty strings.
func pathProblem(path string) (code, message string) {
	switch {
	case path == "":
		return CodeRequired, `path is missing; want "/" or more`
	case len(path) > MaxPathLength:
		return CodeTooLong, fmt.Sprintf("path has %d bytes; want at most %d", len(path), MaxPathLength)
	case path[0] != '/':
		return CodeInvalidValue, `path must begin with "/"`
	case !utf8.ValidString(path):
		return CodeInvalidValue, "path is not UTF-8"
	case strings.ContainsAny(path, "?#"):
		return CodeInvalidValue, `path holds "?" or "#"; write %3F or %23, or use query`
	case strings.Contains(path, "//"):
		return CodeInvalidValue, `path holds "//"`
	}
	decoded := path
	for range maxDecodings {
		if code, message = decodedProblem(decoded); code != "" {
			return code, message
		}
		next, err := url.PathUnescape(decoded)
		switch {
		case err != nil && decoded == path:
			return CodeInvalidValue, `path holds "%" without two hexadecimal digits; write %25`
		case err != nil, next == decoded:
			return "", ""
		}
		decoded = next
	}
	return decodedProblem(decoded)
}

// overlong are dot, slash and backslash in UTF-8 longer than they may be:
// lenient decoders take them for the characters.
var overlong = []string{"\xc0\xae", "\xc0\xaf", "\xc1\x9c", "\xe0\x80\xae", "\xe0\x80\xaf", "\xe0\x81\x9c"}

// decodedProblem looks at a path as an upstream may see it. "//" is refused at
// its beginning only: inside, it may be a URL that was escaped to be one segment.
func decodedProblem(path string) (code, message string) {
	switch {
	case strings.HasPrefix(path, "//"):
		return CodeInvalidValue, `path begins with "//"`
	case strings.Contains(path, `\`):
		return CodeInvalidValue, `path holds a backslash`
	case strings.ContainsFunc(path, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return CodeInvalidValue, "path holds control characters"
	case slices.ContainsFunc(overlong, func(o string) bool { return strings.Contains(path, o) }):
		return CodeInvalidValue, "path is not UTF-8"
	}
	for segment := range strings.SplitSeq(path, "/") {
		// Some servers cut a segment's parameters off before they resolve dots.
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return CodeDotSegments, `path holds "." or ".." as a segment`
		}
	}
	return "", ""
}

// Join returns the URL of a request at a base URL: the path appended to the
// base's, the query encoded. Scheme, host, port and the base's path are in the
// result as they are in base, whatever the path; one that would change them
// answers ErrEscapes, one that Check refuses an error that says why.
func Join(base *url.URL, path string, query map[string][]string) (*url.URL, error) {
	if code, message := pathProblem(path); code != "" {
		return nil, fmt.Errorf("httpop: join: %s", message)
	}
	prefix := strings.TrimSuffix(base.EscapedPath(), "/")
	raw := prefix + escapePath(path)
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("httpop: join: %w", err)
	}
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: decoded, RawPath: raw, RawQuery: url.Values(query).Encode()}
	back, err := url.Parse(u.String())
	if err != nil {
		return nil, fmt.Errorf("httpop: join: %w", ErrEscapes)
	}
	if back.Scheme != base.Scheme || back.Host != base.Host || back.User != nil || back.Fragment != "" ||
		back.EscapedPath() != raw || !strings.HasPrefix(back.EscapedPath(), prefix+"/") {
		return nil, fmt.Errorf("httpop: join: %w", ErrEscapes)
	}
	return u, nil
}

// escapePath escapes what may not stand in a path as it is and leaves the rest,
// above all the escapes that are there: %2F stays %2F.
func escapePath(path string) string {
	const hex = "0123456789ABCDEF"
	stands := func(c byte) bool { return alphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=:@/%", c) >= 0 }
	first := 0
	for first < len(path) && stands(path[first]) {
		first++
	}
	if first == len(path) {
		return path
	}
	var b strings.Builder
	b.WriteString(path[:first])
	for i := first; i < len(path); i++ {
		if c := path[i]; stands(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
