package tasks

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// Bounds of an http.batch.
const (
	MaxBatch           = 1000 // requests
	MaxBatchConcurrent = 100

	batchConcurrent = 10 // where max_concurrent is left out
)

// HTTPBatchArgs are the args of http.batch.
type HTTPBatchArgs struct {
	Client        string            `json:"client,omitempty"`         // of requests that name none; "" is the only one configured
	Requests      []json.RawMessage `json:"requests"`                 // 1 to MaxBatch, each HTTPRequestArgs
	MaxConcurrent *int              `json:"max_concurrent,omitempty"` // 1 to MaxBatchConcurrent; nil means 10
	OnError       string            `json:"on_error,omitempty"`       // continue (the default) or abort
}

// HTTPBatchResult is the result of http.batch, and what a job of it that has
// not completed has decided so far.
type HTTPBatchResult struct {
	Responses []json.RawMessage `json:"responses"` // in the order of the requests: HTTPResult, BatchError, or null while undecided
	Succeeded int               `json:"succeeded"`
	Failed    int               `json:"failed"`
}

// BatchError stands for a request that failed.
type BatchError struct {
	Error struct {
		Code    job.Code `json:"code"`
		Message string   `json:"message"`
	} `json:"error"`
}

// Batch is calls of APIs that are made side by side.
type Batch struct {
	Requests      []HTTP
	MaxConcurrent int
	Abort         bool // at the first failure; else every request is tried
}

// Kind answers with HTTPBatch.
func (t *Batch) Kind() Kind { return HTTPBatch }

func (a HTTPBatchArgs) task(c *checker) Task {
	task := &Batch{MaxConcurrent: c.number(a.MaxConcurrent, "/args/max_concurrent", 1, MaxBatchConcurrent, batchConcurrent)}
	switch a.OnError {
	case "", "continue":
	case "abort":
		task.Abort = true
	default:
		c.Fail("/args/on_error", dbop.CodeNotAllowed, "want continue or abort")
	}
	if _, ok := c.targets.Client(a.Client); a.Client != "" && !ok {
		c.unknownTarget("client", CodeUnknownClient, a.Client)
		return task
	}
	const pointer = "/args/requests"
	switch n := len(a.Requests); {
	case n == 0:
		c.Fail(pointer, CodeRequired, "there are no requests; want 1 to %d", MaxBatch)
	case n > MaxBatch:
		c.Fail(pointer, dbop.CodeTooMany, "%d requests; want at most %d", n, MaxBatch)
	default:
		task.Requests = c.requests(a.Requests, a.Client, pointer)
	}
	return task
}

// requests reads the requests. What is wrong with one does not keep the others
// from being read.
func (c *checker) requests(texts []json.RawMessage, client, pointer string) []HTTP {
	requests := make([]HTTP, len(texts))
	for i, text := range texts {
		if len(c.Errors()) >= dbop.MaxErrors {
			break
		}
		at := fmt.Sprintf("%s/%d", pointer, i)
		var args HTTPRequestArgs
		if err := strictjson.DecodeAt(at, text, &args); err != nil {
			c.addFaults("", "", faultsOf(err))
			continue
		}
		if args.Client == "" {
			args.Client = client
		}
		one := checker{targets: c.targets}
		request, ok := args.task(&one).(*HTTP)
		c.addFaults("/args", at, one.Errors())
		if ok {
			requests[i] = *request
		}
	}
	return requests
}

// Clients are the clients that the task calls, each once, sorted.
func (t *Batch) Clients() []string {
	names := map[string]bool{}
	for _, r := range t.Requests {
		names[r.Client] = true
	}
	return slices.Sorted(maps.Keys(names))
}
