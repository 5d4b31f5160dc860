package tasks

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// HTTPRequestArgs are the args of http.request.
type HTTPRequestArgs struct {
	Client string `json:"client,omitempty"` // "" is the only one configured
	Method string `json:"method"`
	Path   string `json:"path"` // begins with "/"; appended to the client's base_url
	// Query parameters are a string, a number or a boolean each, or an array
	// of those, which repeats the parameter.
	Query   map[string]json.RawMessage `json:"query,omitempty"`
	Headers map[string]string          `json:"headers,omitempty"`
	// At most one of Body (any JSON, sent byte for byte), Text and Base64.
	Body    json.RawMessage `json:"body,omitempty"`
	Text    *string         `json:"text,omitempty"`
	Base64  *string         `json:"base64,omitempty"`
	Timeout string          `json:"timeout,omitempty"` // a duration; "" means the client's
	Cache   *CacheArgs      `json:"cache,omitempty"`   // of a GET or HEAD
	Expect  []int           `json:"expect,omitempty"`  // statuses that are success; empty means 200-299
}

func (a HTTPRequestArgs) task(c *checker) Task {
	body, contentType, pointer := a.payload(c)
	request := httpop.Request{
		Method:      a.Method,
		Path:        a.Path,
		Query:       a.query(c),
		Headers:     a.Headers,
		Body:        body,
		ContentType: contentType,
		Timeout:     c.length(a.Timeout, "/args/timeout", time.Millisecond, job.MaxTimeout),
		Expect:      a.Expect,
	}
	if len(a.Expect) > MaxExpect {
		c.Fail("/args/expect", dbop.CodeTooMany, "%d statuses; want at most %d", len(a.Expect), MaxExpect)
		request.Expect = nil
	}
	if cache := c.cache(a.Cache); cache != nil {
		request.Cache = &httpop.Cache{Key: cache.Key, TTL: cache.TTL}
	}
	client, ok := c.targets.Client(a.Client)
	if !ok {
		c.unknownTarget("client", CodeUnknownClient, a.Client)
	}
	for _, fault := range httpop.Check(request, client.Policy) {
		if fault.Pointer == "/body" {
			fault.Pointer = pointer
		}
		c.add([]job.FieldError{fault})
	}
	return &HTTP{Client: client.Name, Request: request}
}

// payload returns the body to send, its content type, and which of the args it
// comes from.
func (a HTTPRequestArgs) payload(c *checker) (body []byte, contentType, pointer string) {
	given := 0
	if a.Body != nil {
		given, body, contentType, pointer = given+1, a.Body, "application/json", "/body"
	}
	if a.Text != nil {
		given, body, contentType, pointer = given+1, []byte(*a.Text), "text/plain; charset=utf-8", "/text"
	}
	if a.Base64 != nil {
		data, err := base64.StdEncoding.Strict().DecodeString(*a.Base64)
		if err != nil || strings.ContainsAny(*a.Base64, "\r\n") {
			c.Fail("/args/base64", strictjson.CodeInvalidValue, "not base64; want the standard alphabet with padding (RFC 4648 §4)")
		}
		given, body, contentType, pointer = given+1, data, "application/octet-stream", "/base64"
	}
	if given > 1 {
		c.Fail("/args"+pointer, dbop.CodeNotAllowed, "want one of body, text and base64, got %d of them", given)
	}
	return body, contentType, pointer
}

func (a HTTPRequestArgs) query(c *checker) map[string][]string {
	if len(a.Query) == 0 {
		return nil
	}
	query := make(map[string][]string, len(a.Query))
	for _, name := range slices.Sorted(maps.Keys(a.Query)) {
		pointer := string(jsontext.Pointer("/args/query").AppendToken(name))
		value := jsontext.Value(a.Query[name])
		if value.Kind() != '[' {
			query[name] = []string{c.parameter(value, pointer)}
			continue
		}
		for i, item := range strictjson.Elements(value) {
			query[name] = append(query[name], c.parameter(item, pointer+"/"+strconv.Itoa(i)))
		}
	}
	return query
}

// parameter reads one value of a query parameter; numbers keep their text.
func (c *checker) parameter(value jsontext.Value, pointer string) string {
	switch value.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, value)
		if err == nil {
			return string(text)
		}
	case '0', 't', 'f':
		return string(value)
	}
	c.Fail(pointer, strictjson.CodeWrongType, "want a string, a number or a boolean, got %s", strictjson.KindName(value.Kind()))
	return ""
}
