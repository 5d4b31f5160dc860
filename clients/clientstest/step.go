package clientstest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Exchange is one request that an Upstream is about to answer.
type Exchange struct {
	W        http.ResponseWriter
	Record   Record
	request  *http.Request
	upstream *Upstream
	gone     <-chan struct{} // closed when the caller's connection or stream ended
}

// Step answers one request, or does not.
type Step func(*Exchange)

// Answer writes a status, a body and headers given as "Name: value".
func Answer(status int, body string, headers ...string) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			x.W.Header().Add(name, value)
		}
		x.W.WriteHeader(status)
		_, _ = io.WriteString(x.W, body) // the caller may be gone
	}
}

// Apply carries the request out, then does as next.
func Apply(next Step) Step {
	return func(x *Exchange) {
		x.upstream.apply(x.Record)
		next(x)
	}
}

// Cut ends the connection (HTTP/2: the stream) after the whole request was
// read, without an answer.
func Cut() Step {
	return func(*Exchange) { panic(http.ErrAbortHandler) }
}

// CutReused does as Cut on a connection that carried a request before, and as
// first on a new one.
func CutReused(first Step) Step {
	return func(x *Exchange) {
		if x.Record.Nth > 1 {
			Cut()(x)
		}
		first(x)
	}
}

// Hold waits until release is closed, then does as next. It ends without an
// answer when the caller goes or the Upstream closes; a nil release holds for ever.
func Hold(release <-chan struct{}, next Step) Step {
	return func(x *Exchange) {
		select {
		case <-release:
			next(x)
		case <-x.gone:
			panic(http.ErrAbortHandler)
		case <-x.upstream.done:
			panic(http.ErrAbortHandler)
		}
	}
}

// Drip answers a status and then one byte every interval, without end.
func Drip(status int, every time.Duration) Step {
	return func(x *Exchange) {
		x.W.WriteHeader(status)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if _, err := x.W.Write([]byte("x")); err != nil {
				return
			}
			if err := http.NewResponseController(x.W).Flush(); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-x.gone:
				panic(http.ErrAbortHandler)
			case <-x.upstream.done:
				panic(http.ErrAbortHandler)
			}
		}
	}
}

// Truncate announces more body than it sends.
func Truncate(status int) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Length", "1000")
		x.W.WriteHeader(status)
		_, _ = io.WriteString(x.W, `{"half":`)
		_ = http.NewResponseController(x.W).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Endless answers 200 with a body of size zeros; announced tells the length ahead.
func Endless(size int64, announced bool) Step {
	return func(x *Exchange) {
		if announced {
			x.W.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		}
		x.W.WriteHeader(http.StatusOK)
		zeros(x, x.W, size)
	}
}

// GzipBomb answers a status with a compressed body that decodes to size zeros.
func GzipBomb(status int, size int64) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Encoding", "gzip")
		x.W.WriteHeader(status)
		zw := gzip.NewWriter(x.W)
		zeros(x, zw, size)
		_ = zw.Close()
	}
}

func zeros(x *Exchange, w io.Writer, size int64) {
	chunk := make([]byte, 64<<10)
	for size > 0 {
		n, err := w.Write(chunk[:min(size, int64(len(chunk)))])
		x.upstream.wrote.Add(int64(n))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		size -= int64(n)
	}
}

// Gzipped answers 200 with the body compressed.
func Gzipped(body string) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(x.W)
		_, _ = io.WriteString(zw, body)
		_ = zw.Close()
	}
}

// Zstd is Gzipped with zstd.
func Zstd(body string) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Encoding", "zstd")
		zw := newZstd(x.W)
		_, _ = io.WriteString(zw, body)
		_ = zw.Close()
	}
}

// ZstdBomb is GzipBomb with zstd.
func ZstdBomb(status int, size int64) Step {
	return func(x *Exchange) {
		x.W.Header().Set("Content-Encoding", "zstd")
		x.W.WriteHeader(status)
		zw := newZstd(x.W)
		zeros(x, zw, size)
		_ = zw.Close()
	}
}

func newZstd(w io.Writer) *zstd.Encoder {
	zw, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are constant
	}
	return zw
}

// HugeHeaders answers 200 with headers of about size bytes.
func HugeHeaders(size int) Step {
	return func(x *Exchange) {
		for i := range size>>10 + 1 {
			x.W.Header().Set(fmt.Sprintf("X-Huge-%d", i), strings.Repeat("h", 1<<10))
		}
		x.W.WriteHeader(http.StatusOK)
	}
}

// Redirect answers a status with a Location.
func Redirect(status int, location string) Step { return Answer(status, "", "Location: "+location) }

// Garbage answers what is not HTTP. With HTTP/2 it cuts the stream.
func Garbage() Step {
	return func(x *Exchange) {
		conn, _, err := http.NewResponseController(x.W).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n\r\n")
		_ = conn.Close()
	}
}
