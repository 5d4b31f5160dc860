package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxInlineResult is the size in bytes from which a result has a link of its
// own instead of a place in the job.
const maxInlineResult = 256 << 10

// genericMessage stands for text that the caller may not see.
const genericMessage = "the details are shown to the key that submitted the job and to those with the scope jobs:payload"

// view is what of a job is written.
type view struct {
	payload bool // args, result, private text; if not, they are null
	brief   bool // args and result are left out altogether
}

// sees says what the caller may see of jobs with the owner.
func (p *principal) sees(owner string) view {
	return view{payload: p.scopes.has(JobsPayload) || owner == p.id}
}

// appendJob writes a job. It is done by hand because every submission is
// answered with one.
func appendJob(b []byte, j *job.Job, v view) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, j.ID...)
	b = append(b, `","kind":`...)
	b = appendString(b, j.Kind)
	b = append(b, `,"queue":`...)
	b = appendString(b, j.Queue)
	b = append(b, `,"state":"`...)
	b = append(b, j.State...)
	b = append(b, '"')
	large := len(j.Result) > maxInlineResult
	if !v.brief {
		b = append(b, `,"args":`...)
		b = appendRaw(b, j.Args, v.payload)
		b = append(b, `,"result":`...)
		b = appendRaw(b, j.Result, v.payload && !large)
	}
	b = append(b, `,"error":`...)
	b = appendError(b, j.Error, v.payload)
	b = appendInt(b, `,"attempt":`, j.Attempt)
	b = appendInt(b, `,"max_attempts":`, j.MaxAttempts)
	b = appendInt(b, `,"crashes":`, j.Crashes)
	b = appendInt(b, `,"generation":`, j.Generation)
	b = append(b, `,"delivery":"`...)
	b = append(b, j.Delivery...)
	b = append(b, `","tags":[`...)
	for i, tag := range j.Tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, tag)
	}
	b = append(b, ']')
	b = appendTime(b, `,"created_at":`, j.CreatedAt)
	b = appendTime(b, `,"run_at":`, j.RunAt)
	b = appendTime(b, `,"started_at":`, j.StartedAt)
	b = appendTime(b, `,"finished_at":`, j.FinishedAt)
	b = appendWaitingOn(b, j.WaitingOn)
	b = appendProgress(b, j.Progress)
	b = append(b, `,"workflow":null,"schedule":`...)
	if j.Schedule == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, j.Schedule)
	}
	b = append(b, `,"links":`...)
	b = appendLinks(b, j, large && v.payload)
	return append(b, '}')
}

func appendProgress(b []byte, p *job.Progress) []byte {
	return appendProgressObject(append(b, `,"progress":`...), p)
}

func appendProgressObject(b []byte, p *job.Progress) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"done":`...)
	b = strconv.AppendInt(b, p.Done, 10)
	b = append(b, `,"total":`...)
	if p.Total > 0 {
		b = strconv.AppendInt(b, p.Total, 10)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"message":`...)
	b = appendString(b, p.Message)
	return append(b, '}')
}

func appendLinks(b []byte, j *job.Job, result bool) []byte {
	link := func(b []byte, name, rest string) []byte {
		b = append(b, name...)
		b = append(b, `:"/v1/jobs/`...)
		b = append(b, j.ID...)
		b = append(b, rest...)
		return append(b, '"')
	}
	b = link(b, `{"self"`, "")
	b = link(b, `,"attempts"`, "/attempts")
	if !j.State.Terminal() {
		b = link(b, `,"cancel"`, "/cancel")
	} else if job.Legal(j.State, job.Pending) {
		b = link(b, `,"retry"`, "/retry")
	}
	if result {
		b = link(b, `,"result"`, "/result")
	}
	return append(b, '}')
}

func appendError(b []byte, e *job.Error, payload bool) []byte {
	if e == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"code":"`...)
	b = append(b, e.Code...)
	b = append(b, `","message":`...)
	b = appendString(b, visibleError(e, payload).Message)
	return append(b, '}')
}

// visibleError is the error as a caller may see it.
func visibleError(e *job.Error, payload bool) *job.Error {
	if e == nil || payload || !e.Private {
		return e
	}
	return &job.Error{Code: e.Code, Message: genericMessage}
}

func appendWaitingOn(b []byte, w *job.WaitingOn) []byte {
	b = append(b, `,"waiting_on":`...)
	if w == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"reason":"`...)
	b = append(b, w.Reason...)
	b = append(b, `","detail":`...)
	b = appendString(b, w.Detail)
	var until time.Time
	if w.Until != nil {
		until = *w.Until
	}
	b = appendTime(b, `,"until":`, until)
	return append(b, '}')
}

func appendRaw(b []byte, raw json.RawMessage, visible bool) []byte {
	if !visible || len(raw) == 0 {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

func appendInt(b []byte, name string, n int) []byte {
	return strconv.AppendInt(append(b, name...), int64(n), 10)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	b = append(b, name...)
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // strings always marshal
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
