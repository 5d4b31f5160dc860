package api

import (
	"net/http"
	"strings"
)

// accepts reports whether the caller takes the media type.
func accepts(h http.Header, media string) bool {
	accept := h["Accept"]
	switch {
	case len(accept) == 0:
		return true
	case len(accept) == 1 && (accept[0] == "*/*" || accept[0] == media || accept[0] == ""):
		return true
	}
	group, _, _ := strings.Cut(media, "/")
	return quality(accept, media, group+"/*", "*/*")
}

// acceptsGzip reports whether the caller takes the content coding gzip.
func acceptsGzip(h http.Header) bool {
	encodings := h["Accept-Encoding"]
	return len(encodings) > 0 && quality(encodings, "gzip", "*")
}

// quality reports whether a header such as Accept lists one of the names with
// a weight above zero. The names stand in the order in which they rule, the
// most specific first.
func quality(values []string, names ...string) bool {
	for _, name := range names {
		for _, value := range values {
			for item := range strings.SplitSeq(value, ",") {
				listed, params, _ := strings.Cut(item, ";")
				if strings.EqualFold(strings.TrimSpace(listed), name) {
					return !refused(params)
				}
			}
		}
	}
	return false
}

// refused reports whether parameters hold the weight zero.
func refused(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, weight, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(name, "q") {
			return strings.Trim(weight, "0.") == ""
		}
	}
	return false
}

// mediaType returns a Content-Type's type in lower case; false unless its only
// parameter, if any, is charset=utf-8.
func mediaType(contentType string) (string, bool) {
	name, params, _ := strings.Cut(contentType, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	for param := range strings.SplitSeq(params, ";") {
		param = strings.TrimSpace(param)
		if param == "" {
			continue
		}
		key, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(key, "charset") || !strings.EqualFold(strings.Trim(value, `"`), "utf-8") {
			return name, false
		}
	}
	return name, true
}
