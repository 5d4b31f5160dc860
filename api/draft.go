package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// draft is a submission that was read and found right.
type draft struct {
	job  job.Job
	task tasks.Task
}

// drafter reads submissions of one request.
type drafter struct {
	server *Server
	who    *principal
	from   Submitter
}

func (s *Server) drafter(c *call) *drafter {
	return &drafter{server: s, who: c.who, from: Submitter{
		Owner: c.who.id, Traceparent: Traceparent(c.Request().Header), Now: s.now(),
	}}
}

// read turns a submission's text into a job that can be accepted as it is.
// What is wrong with the text is a *job.InvalidError; what the key may not do
// is a refusal.
func (d *drafter) read(body []byte) (draft, error) {
	return d.server.templates.draft(body, d.from, d.permit)
}

// joinFaults puts what is wrong with the options and with the args together.
// A malformed request is reported as that, without what is merely not allowed.
func joinFaults(options []job.FieldError, err error) error {
	var invalid *job.InvalidError
	switch {
	case err == nil && len(options) == 0:
		return nil
	case err == nil:
		return &job.InvalidError{Fields: options}
	case !errors.As(err, &invalid) || invalid.Malformed || len(options) == 0:
		return err
	}
	return &job.InvalidError{Fields: append(options, invalid.Fields...)}
}

// permit answers 403 unless the key may submit the job.
func (d *drafter) permit(out *draft) error {
	if err := limited(d.who.queues, "queue", out.job.Queue); err != nil {
		return err
	}
	if err := limited(d.who.kinds, "kind", out.job.Kind); err != nil {
		return err
	}
	return d.who.permitTask(out.task)
}

// permitJob answers 403 when the key is limited away from a stored job.
func (s *Server) permitJob(p *principal, j *job.Job) error {
	if err := limited(p.queues, "queue", j.Queue); err != nil {
		return err
	}
	if err := limited(p.kinds, "kind", j.Kind); err != nil {
		return err
	}
	if p.databases == nil && p.clients == nil {
		return nil
	}
	return s.permitTargets(p, j)
}

// Traceparent returns the caller's trace context (W3C Trace Context) in the
// form of version 00, or "" when there is none that is well-formed.
func Traceparent(h http.Header) string {
	values := h["Traceparent"]
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(values) != 1 || len(values[0]) < length {
		return ""
	}
	version, rest := values[0][:2], values[0][length:]
	if !isHex(version) || version == "ff" || version == "00" && rest != "" || rest != "" && rest[0] != '-' {
		return ""
	}
	fields := values[0][2:length]
	trace, parent, flags := fields[1:33], fields[34:50], fields[51:]
	if fields[0] != '-' || fields[33] != '-' || fields[50] != '-' || !isHex(trace) || !isHex(parent) || !isHex(flags) {
		return ""
	}
	if strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	return "00" + fields
}

func isHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }) < 0
}
