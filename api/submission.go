package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/asyncops/asyncops/internal/duration"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// submission is the body of POST /v1/jobs, and one item of a batch.
type submission struct {
	Kind           string          `json:"kind"`
	Args           json.RawMessage `json:"args"`
	Queue          *string         `json:"queue"`
	RunAt          *time.Time      `json:"run_at"`
	Delay          *string         `json:"delay"`
	Timeout        *string         `json:"timeout"`
	Deadline       *time.Time      `json:"deadline"`
	ExpiresAt      *time.Time      `json:"expires_at"`
	MaxAttempts    *int            `json:"max_attempts"`
	Backoff        *backoff        `json:"backoff"`
	Tags           []string        `json:"tags"`
	Retention      *string         `json:"retention"`
	IdempotencyKey *string         `json:"idempotency_key"`
	Unique         json.RawMessage `json:"unique"`
	OrderingKey    json.RawMessage `json:"ordering_key"`
	Callback       json.RawMessage `json:"callback"`
}

type backoff struct {
	Initial    *string  `json:"initial"`
	Max        *string  `json:"max"`
	Multiplier *float64 `json:"multiplier"`
	Jitter     *float64 `json:"jitter"`
}

// Codes of field errors that the submission's own fields have.
const (
	codeOutOfRange   = "out_of_range"
	codeInvalidValue = "invalid_value"
	codeUnknownQueue = "unknown_queue"
	codeConflict     = "conflict"
	codeNotAvailable = "not_available"
	codeTooMany      = "too_many"
	codeRequired     = tasks.CodeRequired
)

// Bounds of a submission, besides those of package job.
const (
	maxRetention  = 10 * 365 * 24 * time.Hour
	maxDelay      = 10 * 365 * 24 * time.Hour
	minLength     = time.Millisecond // of a timeout or a backoff
	maxBackoff    = 30 * 24 * time.Hour
	maxMultiplier = 100
)

// optionReader turns a submission's options into a job's and keeps what is
// wrong with them.
type optionReader struct {
	now    time.Time
	queues []string
	faults []job.FieldError
}

func (o *optionReader) fault(pointer, code, format string, args ...any) {
	o.faults = append(o.faults, job.FieldError{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

// read fills in everything of j that the submission's options rule.
func (o *optionReader) read(in *submission, j *job.Job) {
	j.Queue = job.DefaultQueue
	if in.Queue != nil {
		j.Queue = *in.Queue
	}
	if !slices.Contains(o.queues, j.Queue) {
		o.fault("/queue", codeUnknownQueue, "no queue %q is configured; known are %s", clip(j.Queue), strings.Join(o.queues, ", "))
	}
	o.times(in, j)
	j.MaxAttempts = job.DefaultMaxAttempts
	if in.MaxAttempts != nil {
		j.MaxAttempts = *in.MaxAttempts
		if j.MaxAttempts < 1 || j.MaxAttempts > job.MaxMaxAttempts {
			o.fault("/max_attempts", codeOutOfRange, "max_attempts is %d; want 1 to %d", j.MaxAttempts, job.MaxMaxAttempts)
		}
	}
	j.Options.Timeout = o.length(in.Timeout, "/timeout", minLength, job.MaxTimeout)
	j.Options.Retention = o.length(in.Retention, "/retention", time.Second, maxRetention)
	if in.Backoff != nil {
		j.Options.Backoff = o.backoff(in.Backoff)
	}
	o.tags(in.Tags)
	j.Tags = in.Tags
	o.notAvailable(in.Unique, "unique")
	o.notAvailable(in.OrderingKey, "ordering_key")
	o.notAvailable(in.Callback, "callback")
}

// times reads when the job may start, and until when.
func (o *optionReader) times(in *submission, j *job.Job) {
	j.CreatedAt, j.RunAt, j.State = o.now, o.now, job.Pending
	if in.RunAt != nil && in.Delay != nil {
		o.fault("/delay", codeConflict, "run_at and delay are both given; send one of them")
	}
	if in.Delay != nil {
		j.RunAt = o.now.Add(o.length(in.Delay, "/delay", 0, maxDelay))
	} else if in.RunAt != nil {
		j.RunAt = in.RunAt.UTC().Truncate(time.Microsecond)
	}
	if j.RunAt.After(o.now) {
		j.State = job.Scheduled
	} else {
		j.RunAt = o.now
	}
	j.Deadline = o.bound(in.Deadline, "deadline", j.RunAt)
	j.ExpiresAt = o.bound(in.ExpiresAt, "expires_at", j.RunAt)
}

// bound reads a time that has to lie after the job may start, which is never
// before now.
func (o *optionReader) bound(t *time.Time, name string, runAt time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	at := t.UTC().Truncate(time.Microsecond)
	switch {
	case !at.After(o.now):
		o.fault("/"+name, codeOutOfRange, "%s has passed", name)
	case !at.After(runAt):
		o.fault("/"+name, codeOutOfRange, "%s is not after the time at which the job may start", name)
	}
	return at
}

// length reads a duration between low and high; nil is zero.
func (o *optionReader) length(text *string, pointer string, low, high time.Duration) time.Duration {
	if text == nil {
		return 0
	}
	d, err := duration.Parse(*text)
	switch {
	case err != nil:
		o.fault(pointer, codeInvalidValue, "%q is not a duration such as 250ms, 1h30m or PT5M", clip(*text))
		return 0
	case d < low || d > high:
		o.fault(pointer, codeOutOfRange, "%s is out of range; want %s to %s", d, low, high)
		return 0
	}
	return d
}

func (o *optionReader) backoff(in *backoff) job.Backoff {
	out := job.Backoff{
		Initial: o.length(in.Initial, "/backoff/initial", minLength, maxBackoff),
		Max:     o.length(in.Max, "/backoff/max", minLength, maxBackoff),
	}
	initial := out.Initial
	if initial == 0 {
		initial = job.DefaultBackoff().Initial
	}
	if out.Max != 0 && out.Max < initial {
		o.fault("/backoff/max", codeOutOfRange, "max is shorter than initial, which is %s", initial)
	}
	if in.Multiplier != nil {
		out.Multiplier = *in.Multiplier
		if out.Multiplier < 1 || out.Multiplier > maxMultiplier {
			o.fault("/backoff/multiplier", codeOutOfRange, "multiplier is out of range; want 1 to %d", maxMultiplier)
		}
	}
	if in.Jitter != nil {
		out.Jitter, out.NoJitter = *in.Jitter, *in.Jitter == 0
		if out.Jitter < 0 || out.Jitter > 1 {
			o.fault("/backoff/jitter", codeOutOfRange, "jitter is out of range; want 0 to 1")
		}
	}
	return out
}

func (o *optionReader) tags(tags []string) {
	if len(tags) > job.MaxTags {
		o.fault("/tags", codeTooMany, "%d tags; want at most %d", len(tags), job.MaxTags)
		return
	}
	for i, tag := range tags {
		n := utf8.RuneCountInString(tag)
		if n < 1 || n > job.MaxTagLength || strings.IndexFunc(tag, unprintable) >= 0 {
			o.fault(fmt.Sprintf("/tags/%d", i), codeInvalidValue, "a tag has 1 to %d printable characters", job.MaxTagLength)
		}
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// notAvailable refuses a field of the contract that this release does not
// carry out: what is not done must not be accepted.
func (o *optionReader) notAvailable(value json.RawMessage, name string) {
	if value != nil && string(value) != "null" {
		o.fault("/"+name, codeNotAvailable, "%s is not available in this release; leave it out", name)
	}
}
