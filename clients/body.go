package clients

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxRatio is how many bytes one byte of a compressed answer may become,
	// asked from ratioFloor decoded bytes on.
	maxRatio   = 100
	ratioFloor = 64 << 10

	maxExcerpt  = 256
	excerptWait = time.Second // for the body of an answer that is an error
)

var errTooLarge = errors.New("the answer is over its bound")

// readBody returns the decoded body, at most limit bytes of it, else
// errTooLarge. A gzip coding is undone and taken off the headers; others are
// left to the caller of the API.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	if resp.Body == http.NoBody || resp.Request.Method == http.MethodHead {
		return nil, nil
	}
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	wire := &countingReader{r: resp.Body}
	decoded := io.Reader(wire)
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		zr, err := gzip.NewReader(wire)
		if errors.Is(err, io.EOF) && wire.n == 0 {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		decoded = &boundedRatio{r: zr, wire: wire}
	}
	var body bytes.Buffer
	n, err := io.Copy(&body, io.LimitReader(decoded, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLarge
	}
	return body.Bytes(), nil
}

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

// excerpt returns the beginning of a body for a message: valid UTF-8, no
// control characters, no secret of this client, at most maxExcerpt bytes. An
// upstream that drips does not hold it up.
func (x *exchange) excerpt() string {
	stop := time.AfterFunc(excerptWait, func() { x.cancel(errTooLarge) })
	defer stop.Stop()
	// Its error does not matter: what is there is shown.
	text, _ := readSome(x.resp, 16*maxExcerpt)
	clean := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, x.client.cfg.Auth.redact(strings.ToValidUTF8(string(text), "\uFFFD")))
	if len(clean) > maxExcerpt {
		clean = clean[:maxExcerpt]
		for !utf8.ValidString(clean) {
			clean = clean[:len(clean)-1]
		}
	}
	return strings.TrimSpace(clean)
}

func readSome(resp *http.Response, n int64) ([]byte, error) {
	r := io.Reader(resp.Body)
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		zr, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = zr
	}
	return io.ReadAll(io.LimitReader(r, n))
}
