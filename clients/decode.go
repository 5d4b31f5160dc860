package clients

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// acceptEncoding are the codings that decode undoes.
const acceptEncoding = "gzip, zstd"

// maxWindow is the memory that the sender of zstd may ask for; RFC 9659 wants
// decoders to hold 8 MiB and senders to ask for no more.
const maxWindow = 8 << 20

// decode returns what a body says under its Content-Encoding; coded is false
// when there is nothing that it undoes. A body of no bytes is empty whatever
// its coding. The caller closes it; r stays open.
func decode(coding string, r io.Reader) (body io.ReadCloser, coded bool, err error) {
	switch coding = strings.ToLower(strings.TrimSpace(coding)); coding {
	case "gzip", "x-gzip", "zstd":
	default:
		return io.NopCloser(r), false, nil
	}
	wire := bufio.NewReader(r)
	if _, err := wire.Peek(1); errors.Is(err, io.EOF) {
		return io.NopCloser(wire), true, nil
	}
	if coding == "zstd" {
		zr, err := zstd.NewReader(wire, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, false, err
		}
		return zr.IOReadCloser(), true, nil
	}
	zr, err := gzip.NewReader(wire)
	if err != nil {
		return nil, false, err
	}
	return zr, true, nil
}
