package api

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// reserve takes the memory that a batch may need, or answers 503: many large
// batches at once are refused, not absorbed. release gives it back.
func (s *Server) reserve(r *http.Request) (release func(), err error) {
	size := s.cfg.BulkBodyLimit
	if 0 <= r.ContentLength && r.ContentLength < size && r.Header["Content-Encoding"] == nil {
		size = r.ContentLength
	}
	release = func() { s.bulk.Add(-size) }
	if s.bulk.Add(size) > bulkShare*s.cfg.BulkBodyLimit {
		release()
		return nil, job.ErrSaturated
	}
	return release, nil
}

// readItems reads the items of a batch and passes on the text of each, lines
// as they arrive. An error is about the batch as a whole: its framing, its size.
func (s *Server) readItems(r *http.Request, each func(item []byte)) error {
	if r.ContentLength == 0 {
		return errNoBody()
	}
	media, err := bodyType(r, mediaJSON, mediaNDJSON)
	if err != nil {
		return err
	}
	count := 0
	counted := func(item []byte) error {
		if count++; count > s.cfg.BulkMaxItems {
			return refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, "the batch holds more than %d jobs", s.cfg.BulkMaxItems)
		}
		each(item)
		return nil
	}
	if media == mediaNDJSON {
		body, err := openBody(r, s.cfg.BulkBodyLimit)
		if err != nil {
			return err
		}
		return readLines(body, counted)
	}
	body, err := readAll(r, s.cfg.BulkBodyLimit)
	if err != nil {
		return err
	}
	return splitArray(body, counted)
}

// readLines reads items that stand on a line each. Empty lines are none.
func readLines(body io.Reader, each func(item []byte) error) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if item := bytes.TrimSpace(line); len(item) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			if err := each(item); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return bodyError(err)
		}
	}
}

// splitArray cuts a JSON array into its elements. It looks at brackets, quotes
// and commas alone: whether an element is JSON is found out when it is read,
// and if all of them are, so is the array.
func splitArray(text []byte, each func(item []byte) error) error {
	text = bytes.TrimLeft(text, whiteSpace)
	if len(text) == 0 || text[0] != '[' {
		return job.Malformed("", strictjson.CodeWrongType, "want an array of submissions, or application/x-ndjson with one on each line")
	}
	depth, from, items := 0, 1, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
			continue
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth > 0 {
				continue
			}
		case ',':
			if depth > 1 {
				continue
			}
		default:
			continue
		}
		item := bytes.Trim(text[from:i], whiteSpace)
		ends := depth == 0
		switch {
		case ends && text[i] != ']', len(item) == 0 && (!ends || items > 0):
			return job.Malformed("", strictjson.CodeNotJSON, "not a JSON array: unexpected %q after %d elements", text[i], items)
		case ends && len(bytes.Trim(text[i+1:], whiteSpace)) > 0:
			return job.Malformed("", strictjson.CodeTrailingData, "something follows the array; send one")
		case len(item) == 0:
			return nil
		}
		if err := each(item); err != nil || ends {
			return err
		}
		from, items = i+1, items+1
	}
	return job.Malformed("", strictjson.CodeNotJSON, "not a JSON array: the text ends after %d elements", items)
}

// whiteSpace is what may stand between the tokens of JSON.
const whiteSpace = " \t\r\n"

// endOfString is the place of the quote that ends the string that begins at i,
// or the end of the text.
func endOfString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}
