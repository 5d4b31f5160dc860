package tasks

import (
	"encoding/json"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/go-json-experiment/json/jsontext"
)

// NoopArgs are the args of system.noop.
type NoopArgs struct {
	Sleep string `json:"sleep,omitempty"` // a duration up to MaxSleep
	// Fail is a boolean, or a string that is the failure's message: with true
	// or a string every run ends, after the sleep, in a retryable failure with
	// job.CodeFailed. max_attempts 1 makes that the job's end.
	Fail json.RawMessage `json:"fail,omitempty"`
}

// NoopResult is the result of system.noop.
type NoopResult struct{}

func (a NoopArgs) task(c *checker) Task {
	task := &Noop{Sleep: c.length(a.Sleep, "/args/sleep", 0, MaxSleep)}
	switch value := jsontext.Value(a.Fail); value.Kind() {
	case 'n', 'f', jsontext.KindInvalid:
	case 't':
		task.Fail, task.Message = true, "the job was asked to fail"
	case '"':
		text, err := jsontext.AppendUnquote(nil, value)
		switch {
		case err != nil, len(text) == 0:
			c.Fail("/args/fail", strictjson.CodeInvalidValue, "want a message, true or false")
		case len(text) > MaxFailMessage:
			c.Fail("/args/fail", dbop.CodeTooLong, "the message has %d bytes; want at most %d", len(text), MaxFailMessage)
		}
		task.Fail, task.Message = true, string(text)
	default:
		c.Fail("/args/fail", strictjson.CodeWrongType, "want true, false or a string, got %s", strictjson.KindName(value.Kind()))
	}
	return task
}
