package tasks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/asyncops/asyncops/httpop"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBodyDepth is how deep an answer's JSON may be nested to stand in a result
// as JSON; deeper ones are text.
const maxBodyDepth = 512

// HTTPResult is the result of http.request. The answer's body is in exactly one
// of Body, Text and Base64.
type HTTPResult struct {
	Status     int               `json:"status"`
	Headers    map[string]string `json:"headers"`        // names in lower case
	Body       json.RawMessage   `json:"body,omitempty"` // of a JSON content type, and JSON indeed
	Text       *string           `json:"text,omitempty"` // of any other text in UTF-8, and for no body
	Base64     *string           `json:"base64,omitempty"`
	DurationMS int64             `json:"duration_ms"`
	Cached     bool              `json:"cached"` // it is what was kept of an earlier answer
	Sends      int               `json:"sends"`  // requests put on the wire
}

// NewHTTPResult makes a result of an answer. It keeps the answer's body and
// headers: they must not change afterwards.
func NewHTTPResult(response httpop.Response) HTTPResult {
	result := HTTPResult{
		Status:     response.Status,
		Headers:    response.Headers,
		DurationMS: response.Duration.Milliseconds(),
		Cached:     response.Cached,
		Sends:      response.Sends,
	}
	if result.Headers == nil {
		result.Headers = map[string]string{}
	}
	switch body := response.Body; {
	case isJSON(response.Headers["content-type"]) && embeddable(body):
		result.Body = bytes.TrimSpace(body)
	case utf8.Valid(body) && bytes.IndexByte(body, 0) < 0:
		text := string(body)
		result.Text = &text
	default:
		text := base64.StdEncoding.EncodeToString(body)
		result.Base64 = &text
	}
	return result
}

// isJSON reports whether a content type is application/json or one that ends
// in +json.
func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"))
}

// embeddable reports whether a body is one JSON value that every reader of the
// result can take. It may have members of one name twice: it is the upstream's.
func embeddable(body []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	for {
		if _, err := dec.ReadToken(); err != nil || dec.StackDepth() > maxBodyDepth {
			return false
		}
		if dec.StackDepth() == 0 {
			break
		}
	}
	return len(bytes.TrimSpace(body[dec.InputOffset():])) == 0
}
