package app

import (
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
