package clients

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// maxRatio is how many bytes one byte of a compressed answer may become, asked
// from ratioFloor decoded bytes on.
const (
	maxRatio   = 100
	ratioFloor = 64 << 10
)

var errTooLarge = errors.New("the answer is over its bound")

// readBody returns the decoded body, at most limit bytes of it, else
// errTooLarge. A coding that was undone is taken off the headers; others are
// left to the caller of the API.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.Body == http.NoBody || resp.Request.Method == http.MethodHead {
		return nil, nil
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	if length := resp.ContentLength; length >= 0 && length <= grownAhead && resp.Header.Get("Content-Encoding") == "" {
		body := make([]byte, length) // as most answers are
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	wire := &countingReader{r: resp.Body}
	content, coded, err := decode(resp.Header.Get("Content-Encoding"), wire)
	if err != nil {
		return nil, err
	}
	defer content.Close() //nolint:errcheck // it frees memory and cannot fail
	decoded := io.Reader(content)
	var body bytes.Buffer
	if coded {
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		decoded = &boundedRatio{r: content, wire: wire}
	} else if resp.ContentLength > 0 {
		body.Grow(int(min(resp.ContentLength+bytes.MinRead, grownAhead)))
	}
	n, err := io.Copy(&body, io.LimitReader(decoded, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLarge
	}
	return body.Bytes(), nil
}

// grownAhead is how much room an announced length is given before it has come.
const grownAhead = 64 << 10

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

type boundedRatio struct {
	r    io.Reader
	wire *countingReader
	n    int64
}

func (b *boundedRatio) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if b.n > ratioFloor && b.n > maxRatio*b.wire.n {
		return n, errTooLarge
	}
	return n, err
}
