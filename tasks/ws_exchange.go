package tasks

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// WSExchangeArgs are the args of ws.exchange.
type WSExchangeArgs struct {
	Client       string            `json:"client,omitempty"` // "" is the only one configured
	Path         string            `json:"path"`             // begins with "/"; appended to the client's base_url
	Headers      map[string]string `json:"headers,omitempty"`
	Subprotocols []string          `json:"subprotocols,omitempty"`
	Steps        []json.RawMessage `json:"steps"`             // 1 to httpop.MaxSteps, each WSStepArgs
	Timeout      string            `json:"timeout,omitempty"` // of the whole; "" means the client's
}

// WSStepArgs is a step of an exchange: one of its members.
type WSStepArgs struct {
	// Send is a text, {"$base64": …} for a binary message, or any other JSON,
	// which is sent as text.
	Send    json.RawMessage `json:"send,omitempty"`
	Receive *WSReceiveArgs  `json:"receive,omitempty"`
}

// WSReceiveArgs says what to wait for.
type WSReceiveArgs struct {
	Count *int `json:"count,omitempty"` // messages; nil means 1
	// Match is a text that a message must hold, or JSON that it must be: members
	// that Match does not name may be anything.
	Match   json.RawMessage `json:"match,omitempty"`
	Timeout string          `json:"timeout,omitempty"` // a duration; "" means that of the whole
}

// WSExchangeResult is the result of ws.exchange.
type WSExchangeResult struct {
	// Received are the messages that were waited for, in order: a JSON object or
	// array as it came, any other text as a string, a binary one as {"$base64": …}.
	Received    []json.RawMessage `json:"received"`
	Skipped     int               `json:"skipped"` // messages between them that did not match
	CloseCode   int               `json:"close_code"`
	Subprotocol string            `json:"subprotocol,omitempty"`
	DurationMS  int64             `json:"duration_ms"`
}

// Exchange is a conversation over a WebSocket.
type Exchange struct {
	Client   string // as configured; never empty
	Exchange httpop.Exchange
}

// Kind answers with WSExchange.
func (t *Exchange) Kind() Kind { return WSExchange }

// Sends reports whether a step sends anything.
func (t *Exchange) Sends() bool {
	for _, step := range t.Exchange.Steps {
		if step.Send != nil {
			return true
		}
	}
	return false
}

func (a WSExchangeArgs) task(c *checker) Task {
	e := httpop.Exchange{
		Path: a.Path, Headers: a.Headers, Subprotocols: a.Subprotocols,
		Timeout: c.length(a.Timeout, "/args/timeout", time.Millisecond, job.MaxTimeout),
		Steps:   make([]httpop.Step, len(a.Steps)),
	}
	for i, text := range a.Steps[:min(len(a.Steps), httpop.MaxSteps)] {
		e.Steps[i] = c.wsStep(text, fmt.Sprintf("/args/steps/%d", i))
	}
	client, ok := c.targets.Client(a.Client)
	if !ok {
		c.unknownTarget("client", CodeUnknownClient, a.Client)
	}
	c.add(httpop.CheckExchange(e, client.Policy))
	return &Exchange{Client: client.Name, Exchange: e}
}

// wsStep reads a step. One that is wrong is told of here, and stands as one
// that is not.
func (c *checker) wsStep(text json.RawMessage, at string) httpop.Step {
	var args WSStepArgs
	harmless := httpop.Step{Receive: &httpop.Receive{}}
	if err := strictjson.DecodeAt(at, text, &args); err != nil {
		c.addFaults("", "", faultsOf(err))
		return harmless
	}
	if (args.Send == nil) == (args.Receive == nil) {
		c.Fail(at, strictjson.CodeInvalidValue, "want one of send and receive")
		return harmless
	}
	if args.Send != nil {
		return httpop.Step{Send: c.wsMessage(args.Send, at+"/send")}
	}
	return httpop.Step{Receive: &httpop.Receive{
		Count:   c.number(args.Receive.Count, at+"/receive/count", 1, httpop.MaxReceive, 1),
		Match:   c.wsMatch(args.Receive.Match, at+"/receive/match"),
		Timeout: c.length(args.Receive.Timeout, at+"/receive/timeout", time.Millisecond, job.MaxTimeout),
	}}
}

func (c *checker) wsMessage(text json.RawMessage, at string) *httpop.Message {
	switch jsontext.Value(text).Kind() {
	case '"':
		unquoted, _ := jsontext.AppendUnquote(nil, text) // it has passed strictjson.Check
		return &httpop.Message{Data: unquoted}
	case '{':
		if encoded, ok := base64Member(text); ok {
			data, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if err != nil || strings.ContainsAny(encoded, "\r\n") {
				c.Fail(at+"/$base64", strictjson.CodeInvalidValue, "not base64; want the standard alphabet with padding (RFC 4648 §4)")
			}
			return &httpop.Message{Binary: true, Data: data}
		}
	}
	return &httpop.Message{Data: text}
}

// base64Member is the text of an object that has $base64 and nothing else.
func base64Member(object json.RawMessage) (text string, ok bool) {
	var binary map[string]json.RawMessage
	if err := json.Unmarshal(object, &binary); err != nil || len(binary) != 1 {
		return "", false
	}
	err := json.Unmarshal(binary["$base64"], &text)
	return text, err == nil
}

func (c *checker) wsMatch(text json.RawMessage, at string) func(httpop.Message) bool {
	switch jsontext.Value(text).Kind() {
	case 0:
		return nil
	case '"':
		unquoted, _ := jsontext.AppendUnquote(nil, text) // it has passed strictjson.Check
		return func(m httpop.Message) bool { return !m.Binary && strings.Contains(string(m.Data), string(unquoted)) }
	case '{', '[':
		want, ok := decodeExact(text)
		if !ok {
			c.Fail(at, strictjson.CodeInvalidValue, "the match cannot be read")
		}
		return func(m httpop.Message) bool {
			got, ok := decodeExact(m.Data)
			return !m.Binary && ok && within(want, got)
		}
	}
	c.Fail(at, dbop.CodeNotAllowed, "want a text that the message holds, or an object or array that it is")
	return nil
}

// decodeExact reads JSON with its numbers as they are written.
func decodeExact(text []byte) (value any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	return value, dec.Decode(&value) == nil && !dec.More()
}

// within reports whether got is what want asks for: members of objects that
// want does not name may be anything.
func within(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for name, value := range want {
			member, there := object[name]
			ok = ok && there && within(value, member)
		}
		return ok
	case []any:
		array, ok := got.([]any)
		ok = ok && len(array) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = within(want[i], array[i])
		}
		return ok
	}
	return want == got
}

// NewWSExchangeResult makes a result of a transcript.
func NewWSExchangeResult(t httpop.Transcript) WSExchangeResult {
	r := WSExchangeResult{
		Received: make([]json.RawMessage, len(t.Received)), Skipped: t.Skipped, CloseCode: t.CloseCode,
		Subprotocol: t.Subprotocol, DurationMS: t.Duration.Milliseconds(),
	}
	for i, m := range t.Received {
		r.Received[i] = received(m)
	}
	return r
}

func received(m httpop.Message) json.RawMessage {
	var text []byte
	switch trimmed := strings.TrimSpace(string(m.Data)); {
	case m.Binary:
		text, _ = json.Marshal(map[string]string{"$base64": base64.StdEncoding.EncodeToString(m.Data)}) // a string cannot fail
	case strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "["):
		if embeddable(m.Data) && utf8.Valid(m.Data) {
			return json.RawMessage(trimmed)
		}
		fallthrough
	default:
		text, _ = json.Marshal(strings.ToValidUTF8(string(m.Data), "\uFFFD"))
	}
	return text
}
