package clients

import (
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxExcerpt  = 256
	excerptWait = time.Second // for the body of an answer that is an error
)

// excerpt returns the beginning of a body for a message: valid UTF-8, no
// control characters, no secret that was sent, at most maxExcerpt bytes. An
// upstream that drips does not hold it up.
func (k *call) excerpt(x *exchange) string {
	stop := time.AfterFunc(excerptWait, x.cancel)
	defer stop.Stop()
	secrets := newRedactor(k.secrets)
	limit := 16*maxExcerpt + 2*secrets.longest
	// What is there is shown, also if it breaks off.
	raw, err := readSome(x.resp, int64(limit))
	text := strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(secrets.apply(string(raw), err != nil || len(raw) == limit), "\uFFFD"))
	if len(text) > maxExcerpt {
		text = text[:maxExcerpt]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return strings.TrimSpace(text)
}
func readSome(resp *http.Response, n int64) ([]byte, error) {
	body, _, err := decode(resp.Header.Get("Content-Encoding"), resp.Body)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it frees memory and cannot fail
	return io.ReadAll(io.LimitReader(body, n))
}
