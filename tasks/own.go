package tasks

import (
	"encoding/json"
	"net/http"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
)

// Kinds of jobs that asyncops makes itself. Nobody can submit them, and they are
// not among the Definitions.
const (
	SystemNotify Kind = "system.notify"
)

// own is the table of those kinds. Nothing changes it.
var own = []entry{
	{kind: SystemNotify, effect: EffectUpstream, parse: read[NotifyArgs]},
}

// OwnKinds lists the kinds of jobs that asyncops makes itself.
func OwnKinds() []Kind {
	kinds := make([]Kind, len(own))
	for i, entry := range own {
		kinds[i] = entry.kind
	}
	return kinds
}

// findStored finds a kind that jobs in the ledger may be of.
func findStored(kind string) (entry, bool) {
	for _, entry := range own {
		if string(entry.kind) == kind {
			return entry, true
		}
	}
	return find(kind)
}

// Known reports whether ParseStored knows the kind.
func Known(kind string) bool {
	_, ok := findStored(kind)
	return ok
}

// ParseStored is Parse for a job that was taken from the ledger: it knows the
// kinds that asyncops makes itself, too.
func ParseStored(kind string, args json.RawMessage, targets Targets) (Task, error) {
	return parse(findStored, kind, args, targets)
}

// NotifyArgs are the args of system.notify.
type NotifyArgs struct {
	Client string          `json:"client"`
	Path   string          `json:"path"`  // begins with "/"; appended to the client's base_url
	Event  json.RawMessage `json:"event"` // what is sent, byte for byte
}

// NotifyResult is the result of system.notify.
type NotifyResult struct {
	Status int `json:"status"` // of the answer
	Sends  int `json:"sends"`
}

// Notify tells a client of an event. Whoever receives it knows a repetition by
// its idempotency key, which is the webhook-id of Standard Webhooks: it may be
// sent again whatever became of it.
type Notify struct {
	Client  string // as configured; never empty
	Request httpop.Request
}

// Kind answers with SystemNotify.
func (t *Notify) Kind() Kind { return SystemNotify }

func (a NotifyArgs) task(c *checker) Task {
	client, ok := c.targets.Client(a.Client)
	if !ok {
		c.unknownTarget("client", CodeUnknownClient, a.Client)
	}
	request := httpop.Request{Method: http.MethodPost, Path: a.Path, Body: a.Event, ContentType: "application/json"}
	c.add(httpop.Check(request, client.Policy))
	return &Notify{Client: client.Name, Request: request}
}

// NotifyJob is a job that tells a client of an event, without id and times.
func NotifyJob(queue, client, path string, event json.RawMessage) (job.Job, error) {
	args, err := json.Marshal(NotifyArgs{client, path, event})
	return job.Job{
		Kind: string(SystemNotify), Queue: queue, Args: args, Delivery: job.AtLeastOnce, MaxAttempts: job.DefaultMaxAttempts,
	}, err
}
