package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// minGzip is the size in bytes from which answers are compressed.
const minGzip = 1 << 10

// packers holds gzip writers, which are costly to make.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// send writes a JSON answer.
func (s *Server) send(c *call, status int, body []byte) error {
	return s.sendAs(c, status, mediaJSON, body)
}

// sendValue marshals v and writes it as a 200.
func (s *Server) sendValue(c *call, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.send(c, http.StatusOK, body)
}

// sendAs writes an answer, compressed where that is wanted and worth it.
func (s *Server) sendAs(c *call, status int, contentType string, body []byte) error {
	w := c.Response()
	header := w.Header()
	header["Content-Type"] = []string{contentType}
	if s.cfg.Gzip && len(body) >= minGzip {
		header.Set("Vary", "Accept-Encoding")
		if acceptsGzip(c.Request().Header) {
			packed, err := pack(body)
			if err != nil {
				return err
			}
			header.Set("Content-Encoding", "gzip")
			body = packed
		}
	}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller has gone: nobody is left to tell
	return nil
}

func pack(body []byte) ([]byte, error) {
	var out bytes.Buffer
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	z.Reset(&out)
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// items is the body of a list that has one page.
type items[T any] struct {
	Items []T `json:"items"`
}

func listOf[T any](list []T) items[T] {
	if list == nil {
		list = []T{}
	}
	return items[T]{Items: list}
}

// noContent answers 204.
func noContent(c *call) error {
	c.Response().WriteHeader(http.StatusNoContent)
	return nil
}
