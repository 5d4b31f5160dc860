package app

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/asyncops/asyncops/tasks"
)

// requestPlan is what a dry run tells of a request.
type requestPlan struct {
	Client  string            `json:"client"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
}

// planRequest is the plan of a job's request of the index.
func (t targets) planRequest(task *tasks.HTTP, index int) (*requestPlan, error) {
	request := task.Request
	request.IdempotencyKey = fmt.Sprintf("[job id].%d", index)
	preview, err := t.upstreams[task.Client].DryRun(request)
	if err != nil {
		return nil, err
	}
	return &requestPlan{task.Client, preview.Method, preview.URL, preview.Headers, string(preview.Body)}, nil
}

func (t targets) planBatch(task *tasks.Batch) (json.RawMessage, error) {
	requests := make([]*requestPlan, len(task.Requests))
	for i := range task.Requests {
		plan, err := t.planRequest(&task.Requests[i], i)
		if err != nil {
			return nil, err
		}
		requests[i] = plan
	}
	return json.Marshal(struct {
		MaxConcurrent int            `json:"max_concurrent"`
		Abort         bool           `json:"abort"`
		Requests      []*requestPlan `json:"requests"`
	}{task.MaxConcurrent, task.Abort, requests})
}

// planExchange tells of the handshake and of what would be sent.
func (t targets) planExchange(task *tasks.Exchange) (json.RawMessage, error) {
	handshake, err := t.planRequest(&tasks.HTTP{Client: task.Client, Request: task.Exchange.Handshake()}, 0)
	if err != nil {
		return nil, err
	}
	delete(handshake.Headers, "accept-encoding") // a handshake has none
	type step struct {
		Send    *string `json:"send,omitempty"` // a binary message in base64
		Receive int     `json:"receive,omitempty"`
	}
	steps := make([]step, len(task.Exchange.Steps))
	for i, s := range task.Exchange.Steps {
		switch {
		case s.Receive != nil:
			steps[i].Receive = s.Receive.Count
		case s.Send.Binary:
			text := base64.StdEncoding.EncodeToString(s.Send.Data)
			steps[i].Send = &text
		default:
			text := string(s.Send.Data)
			steps[i].Send = &text
		}
	}
	return json.Marshal(struct {
		*requestPlan
		Subprotocols []string `json:"subprotocols,omitempty"`
		Steps        []step   `json:"steps"`
	}{handshake, task.Exchange.Subprotocols, steps})
}
