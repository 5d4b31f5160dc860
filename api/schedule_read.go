package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

// scheduleBody is the body of POST /v1/schedules and of PUT /v1/schedules/{name}.
type scheduleBody struct {
	Name     *string         `json:"name"`
	Cron     string          `json:"cron"`
	Timezone *string         `json:"timezone"`
	Job      json.RawMessage `json:"job"`
	Missed   *job.Missed     `json:"missed"`
	Overlap  *job.Overlap    `json:"overlap"`
	Jitter   *string         `json:"jitter"`
	Start    *time.Time      `json:"start"`
	End      *time.Time      `json:"end"`
	Paused   bool            `json:"paused"`
}

const maxJitter = 24 * time.Hour

var scheduleName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// draftSchedule is a schedule that was read and found right.
type draftSchedule struct {
	job.Schedule

	spec *schedule.Spec
}

// arrange is the schedule as it is to be stored in place of old.
func (d *draftSchedule) arrange(old *job.Schedule, now time.Time) (*job.Schedule, error) {
	s := d.Schedule
	return &s, schedule.Arrange(d.spec, &s, old, now)
}

// readSchedule reads the request's body. name is that of the path, "" for none.
func (s *Server) readSchedule(c *call, name string) (*draftSchedule, error) {
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return nil, err
	}
	var in scheduleBody
	if err := strictjson.Decode(body, &in); err != nil {
		return nil, err
	}
	d := &draftSchedule{Schedule: job.Schedule{
		Source: job.SourceAPI, Owner: c.who.id, Cron: in.Cron, Timezone: value(in.Timezone, "UTC"), Template: in.Job,
		Missed: value(in.Missed, job.MissedSkip), Overlap: value(in.Overlap, job.OverlapSkip), Paused: in.Paused,
	}}
	options := optionReader{now: s.now()}
	d.Name = options.scheduleName(in.Name, name)
	options.scheduleOptions(&in, d)
	faults := options.faults
	d.spec, err = schedule.ParseSpec(d.Cron, d.Timezone)
	for _, err := range []error{err, s.readTemplate(c, in.Job)} {
		var invalid *job.InvalidError
		switch {
		case errors.As(err, &invalid) && !invalid.Malformed:
			faults = append(faults, invalid.Fields...)
		case err != nil:
			return nil, err
		}
	}
	if len(faults) > 0 {
		return nil, &job.InvalidError{Fields: faults}
	}
	return d, nil
}

// readTemplate checks what the schedule submits, and that the caller may.
func (s *Server) readTemplate(c *call, template json.RawMessage) error {
	if len(template) == 0 || string(template) == "null" {
		return job.Invalid("/job", codeRequired, "the job is missing; write what each fire submits")
	}
	j, task, err := s.templates.Read(template)
	if err != nil {
		return beneath("/job", err)
	}
	if err := limited(c.who.queues, "queue", j.Queue); err != nil {
		return err
	}
	if err := limited(c.who.kinds, "kind", j.Kind); err != nil {
		return err
	}
	return c.who.permitTask(task)
}

// beneath puts the pointers of what is wrong beneath another.
func beneath(pointer string, err error) error {
	var invalid *job.InvalidError
	if !errors.As(err, &invalid) {
		return err
	}
	moved := &job.InvalidError{Malformed: invalid.Malformed, Fields: slices.Clone(invalid.Fields)}
	for i := range moved.Fields {
		moved.Fields[i].Pointer = pointer + moved.Fields[i].Pointer
	}
	return moved
}

func value[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

// scheduleName chooses between the name of the body and that of the path.
func (o *optionReader) scheduleName(body *string, path string) string {
	name := value(body, path)
	switch {
	case name == "":
		o.fault("/name", codeRequired, "the name is missing")
	case !scheduleName.MatchString(name):
		o.fault("/name", codeInvalidValue, "%q is no name: want a letter a-z, then up to 63 of a-z, 0-9, _ and -", clip(name))
	case path != "" && path != name:
		o.fault("/name", codeConflict, "the path names another schedule; a schedule cannot be renamed")
	}
	return name
}

func (o *optionReader) scheduleOptions(in *scheduleBody, d *draftSchedule) {
	if !slices.Contains([]job.Missed{job.MissedSkip, job.MissedOnce, job.MissedAll}, d.Missed) {
		o.fault("/missed", codeInvalidValue, "%q is none of skip, once and all", clip(string(d.Missed)))
	}
	if !slices.Contains([]job.Overlap{job.OverlapSkip, job.OverlapQueue, job.OverlapAllow}, d.Overlap) {
		o.fault("/overlap", codeInvalidValue, "%q is none of skip, queue and allow", clip(string(d.Overlap)))
	}
	d.Jitter = o.length(in.Jitter, "/jitter", 0, maxJitter)
	if in.Start != nil {
		d.Start = in.Start.UTC().Truncate(time.Microsecond)
		if d.Start.Year() < 1970 {
			o.fault("/start", codeOutOfRange, "start lies before 1970; leave it out to begin now")
		}
	}
	if in.End != nil {
		d.End = in.End.UTC().Truncate(time.Microsecond)
		switch {
		case !d.End.After(o.now):
			o.fault("/end", codeOutOfRange, "end has passed")
		case !d.End.After(d.Start):
			o.fault("/end", codeOutOfRange, "end is not after start")
		}
	}
}

// etag names what a schedule is; its fires do not change it.
func etag(s *job.Schedule) string { return `"` + strconv.FormatInt(s.Version, 36) + `"` }

// preconditions are what a request says of the thing that it changes.
type preconditions struct {
	match     []string // entity tags, or *; nil: whatever it is
	noneMatch bool     // it must not exist
}

func readPreconditions(h http.Header) (preconditions, error) {
	var p preconditions
	for _, line := range h["If-Match"] {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			quoted := strings.TrimPrefix(tag, "W/")
			if tag != "*" && (len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"') {
				return p, refuse(http.StatusBadRequest, CodeMalformed, `the header If-Match is neither * nor a list of entity tags such as "abc"`)
			}
			p.match = append(p.match, tag)
		}
	}
	switch none := h["If-None-Match"]; {
	case len(none) == 1 && none[0] == "*":
		p.noneMatch = true
	case len(none) > 0:
		return p, refuse(http.StatusBadRequest, CodeMalformed, "the header If-None-Match can only be * here")
	}
	return p, nil
}

// hold answers job.ErrPrecondition unless the schedule, nil for none, is what
// they say.
func (p preconditions) hold(s *job.Schedule) error {
	switch {
	case p.noneMatch && s != nil,
		p.match != nil && (s == nil || !slices.Contains(p.match, "*") && !slices.Contains(p.match, etag(s))):
		return job.ErrPrecondition
	}
	return nil
}
