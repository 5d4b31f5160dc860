package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// Media types of requests.
const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
)

// readBody reads a request's body, of at most limit bytes before and after
// decompression, that has to be there and to be JSON.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, errNoBody()
	}
	if _, err := bodyType(r, mediaJSON); err != nil {
		return nil, err
	}
	return readAll(r, limit)
}

// readOptionalBody reads a body that may be missing; then it returns nil.
func readOptionalBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	body, err := readAll(r, limit)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	_, err = bodyType(r, mediaJSON)
	return body, err
}

func errNoBody() *refusal {
	return refuse(http.StatusBadRequest, CodeMalformed, "the request has no body; send a JSON document")
}

// bodyType returns the media type of the body, which has to be one of those
// allowed.
func bodyType(r *http.Request, allowed ...string) (string, error) {
	contentType := r.Header.Get("Content-Type")
	if contentType == mediaJSON {
		return mediaJSON, nil
	}
	name, plain := mediaType(contentType)
	for _, a := range allowed {
		if plain && name == a && len(r.Header["Content-Type"]) == 1 {
			return a, nil
		}
	}
	return "", refuse(http.StatusUnsupportedMediaType, CodeUnsupportedMediaType, "the Content-Type is not %s in UTF-8", strings.Join(allowed, " or "))
}

// openBody returns a reader of the decompressed body that answers errTooLarge
// after limit bytes.
func openBody(r *http.Request, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge(limit)
	}
	coding := strings.Join(r.Header["Content-Encoding"], ",")
	switch {
	case coding == "" || strings.EqualFold(coding, "identity"):
		return &boundedReader{from: r.Body, left: limit, limit: limit}, nil
	case strings.EqualFold(coding, "gzip"):
		packed := &boundedReader{from: r.Body, left: limit, limit: limit}
		unpacked, err := gzip.NewReader(packed)
		if err != nil {
			return nil, bodyError(err)
		}
		return &boundedReader{from: unpacked, left: limit, limit: limit}, nil
	}
	return nil, refuse(http.StatusUnsupportedMediaType, CodeUnsupportedMediaType, "the Content-Encoding is neither gzip nor identity")
}

// maxTrusted is up to which Content-Length memory is set aside before the body
// has arrived.
const maxTrusted = 1 << 20

func readAll(r *http.Request, limit int64) ([]byte, error) {
	from, err := openBody(r, limit)
	if err != nil {
		return nil, err
	}
	if 0 < r.ContentLength && r.ContentLength <= maxTrusted && r.Header["Content-Encoding"] == nil {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, bodyError(err)
		}
		return body, nil
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(from); err != nil {
		return nil, bodyError(err)
	}
	return body.Bytes(), nil
}

// boundedReader reads at most limit bytes, and answers errTooLarge when there
// are more.
type boundedReader struct {
	from  io.Reader
	left  int64
	limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if int64(n) > b.left {
		return int(b.left), errTooLarge(b.limit)
	}
	b.left -= int64(n)
	return n, err
}

func errTooLarge(limit int64) *refusal {
	return refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body is larger than %d bytes", limit)
}

// bodyError says why a body could not be read to its end.
func bodyError(err error) error {
	var known *refusal
	var network net.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return refuse(http.StatusRequestTimeout, CodeRequestTimeout, "the body did not arrive in time")
	}
	return refuse(http.StatusBadRequest, CodeMalformed, "the body could not be read to its end; is it cut short, or its encoding broken?")
}
