package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

// nextFires is how many of a schedule's next fires are shown.
const nextFires = 5

// scheduleItem is a schedule as it is shown.
type scheduleItem struct {
	Name      string          `json:"name"`
	Source    job.Source      `json:"source"`
	Cron      string          `json:"cron"`
	Timezone  string          `json:"timezone"`
	Job       json.RawMessage `json:"job"` // its args are null if the caller may not see them
	Missed    job.Missed      `json:"missed"`
	Overlap   job.Overlap     `json:"overlap"`
	Jitter    string          `json:"jitter"`
	Start     *time.Time      `json:"start"`
	End       *time.Time      `json:"end"`
	Paused    bool            `json:"paused"`
	NextFires []time.Time     `json:"next_fires"`
	LastFire  *time.Time      `json:"last_fire"`
	LastJob   *job.ID         `json:"last_job"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

func (s *Server) scheduleItem(c *call, found *job.Schedule) scheduleItem {
	item := scheduleItem{
		Name: found.Name, Source: found.Source, Cron: found.Cron, Timezone: found.Timezone, Job: found.Template, Missed: found.Missed,
		Overlap: found.Overlap, Jitter: found.Jitter.String(), Start: orNil(found.Start), End: orNil(found.End), Paused: found.Paused,
		NextFires: []time.Time{}, LastFire: orNil(found.LastFire), LastJob: orNil(found.LastJob), CreatedAt: found.CreatedAt, UpdatedAt: found.UpdatedAt,
	}
	if spec, err := schedule.ParseSpec(found.Cron, found.Timezone); err == nil {
		item.NextFires = schedule.NextFires(spec, found, s.now(), nextFires)
	}
	if !c.who.sees(found.Owner).payload {
		item.Job = withoutArgs(found.Template)
	}
	return item
}

// orNil is nil, which is shown as null, for a zero value.
func orNil[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// withoutArgs is the template with null for its args.
func withoutArgs(template json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(template, &fields); err != nil {
		return json.RawMessage("null") // it was an object when it was stored
	}
	fields["args"] = json.RawMessage("null")
	text, err := json.Marshal(fields)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}

// sendSchedule answers with a schedule and its entity tag.
func (s *Server) sendSchedule(c *call, status int, found *job.Schedule) error {
	body, err := json.Marshal(s.scheduleItem(c, found))
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", etag(found))
	return s.send(c, status, body)
}

// permitSchedule answers 403 when the key is limited away from the schedule's jobs.
func (s *Server) permitSchedule(who *principal, found *job.Schedule) error {
	j, err := s.templates.Draft(found)
	if err != nil && j.Kind == "" {
		return err
	}
	return s.permitJob(who, &j)
}

// listSchedules is GET /v1/schedules: those that the key may see, in the order
// of their names.
func (s *Server) listSchedules(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.limit(maxLimit, maxLimit)
	if err != nil {
		return err
	}
	after, err := q.nameCursor()
	if err != nil {
		return err
	}
	found, err := s.deps.Schedules.Schedules(ctx, after, limit+1)
	if err != nil {
		return err
	}
	page := struct {
		Items []scheduleItem `json:"items"`
		Next  *string        `json:"next_cursor"`
	}{Items: []scheduleItem{}}
	if len(found) > limit {
		found = found[:limit]
		next := base64.RawURLEncoding.EncodeToString([]byte(nameCursor + found[limit-1].Name))
		page.Next = &next
	}
	for i := range found {
		if s.permitSchedule(c.who, &found[i]) == nil {
			page.Items = append(page.Items, s.scheduleItem(c, &found[i]))
		}
	}
	return s.sendValue(c, page)
}

// nameCursor begins a cursor that holds a name.
const nameCursor = "n:"

// nameCursor returns the name in the cursor; "" for none.
func (q query) nameCursor() (string, error) {
	text, err := q.one("cursor")
	if err != nil || text == "" {
		return "", err
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	name, ok := strings.CutPrefix(string(plain), nameCursor)
	if err != nil || !ok || !scheduleName.MatchString(name) {
		return "", job.ErrMalformedCursor
	}
	return name, nil
}

// findSchedule reads the schedule in the path, which the caller has to be
// allowed to use.
func (s *Server) findSchedule(ctx context.Context, c *call) (*job.Schedule, error) {
	if err := noQuery(c.Request()); err != nil {
		return nil, err
	}
	found, err := s.deps.Schedules.Schedule(ctx, c.Param("name"))
	if err != nil {
		return nil, err
	}
	return found, s.permitSchedule(c.who, found)
}

// getSchedule is GET /v1/schedules/{name}.
func (s *Server) getSchedule(ctx context.Context, c *call) error {
	found, err := s.findSchedule(ctx, c)
	if err != nil {
		return err
	}
	return s.sendSchedule(c, http.StatusOK, found)
}

// createSchedule is POST /v1/schedules.
func (s *Server) createSchedule(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	d, err := s.readSchedule(c, "")
	if err != nil {
		return err
	}
	if c.act != nil {
		c.act.Target = d.Name
	}
	stored, err := s.deps.Schedules.ChangeSchedule(ctx, d.Name, func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
		if old != nil {
			return nil, job.ErrExists
		}
		return d.arrange(nil, now)
	})
	if err != nil {
		return err
	}
	return s.sendCreated(c, stored)
}

func (s *Server) sendCreated(c *call, stored *job.Schedule) error {
	c.Response().Header().Set("Location", "/v1/schedules/"+stored.Name)
	return s.sendSchedule(c, http.StatusCreated, stored)
}

// putSchedule is PUT /v1/schedules/{name}: it makes the schedule, or replaces it.
func (s *Server) putSchedule(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	d, err := s.readSchedule(c, c.Param("name"))
	if err != nil {
		return err
	}
	created := false
	stored, err := s.changeSchedule(ctx, c, d.Name, func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
		created = old == nil
		return d.arrange(old, now)
	})
	switch {
	case err != nil:
		return err
	case created:
		return s.sendCreated(c, stored)
	}
	return s.sendSchedule(c, http.StatusOK, stored)
}

// changeSchedule changes a schedule that is what the request's preconditions
// say, belongs to nobody else, and that the caller may use.
func (s *Server) changeSchedule(
	ctx context.Context, c *call, name string, change func(old *job.Schedule, now time.Time) (*job.Schedule, error),
) (*job.Schedule, error) {
	when, err := readPreconditions(c.Request().Header)
	if err != nil {
		return nil, err
	}
	return s.deps.Schedules.ChangeSchedule(ctx, name, func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
		if err := when.hold(old); err != nil {
			return nil, err
		}
		if old != nil {
			if err := s.permitSchedule(c.who, old); err != nil {
				return nil, err
			}
			if old.Source == job.SourceConfig {
				return nil, job.ErrReadOnly
			}
		}
		return change(old, now)
	})
}

// deleteSchedule is DELETE /v1/schedules/{name}. The jobs that it made stay.
func (s *Server) deleteSchedule(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	_, err := s.changeSchedule(ctx, c, c.Param("name"), func(old *job.Schedule, _ time.Time) (*job.Schedule, error) {
		if old == nil {
			return nil, job.ErrNotFound
		}
		return nil, nil // nothing in its place
	})
	if err != nil {
		return err
	}
	return noContent(c)
}

// pauseSchedule is POST /v1/schedules/{name}/pause.
func (s *Server) pauseSchedule(ctx context.Context, c *call) error {
	return s.setSchedulePaused(ctx, c, true)
}

// resumeSchedule is POST /v1/schedules/{name}/resume: it fires from now on.
func (s *Server) resumeSchedule(ctx context.Context, c *call) error {
	return s.setSchedulePaused(ctx, c, false)
}

func (s *Server) setSchedulePaused(ctx context.Context, c *call, paused bool) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	stored, err := s.changeSchedule(ctx, c, c.Param("name"), func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
		if old == nil {
			return nil, job.ErrNotFound
		}
		if old.Paused == paused {
			return old, nil
		}
		spec, err := schedule.ParseSpec(old.Cron, old.Timezone)
		if err != nil {
			return nil, err
		}
		changed := *old
		changed.Paused = paused
		return &changed, schedule.Arrange(spec, &changed, old, now)
	})
	if err != nil {
		return err
	}
	return s.sendSchedule(c, http.StatusOK, stored)
}

// runSchedule is POST /v1/schedules/{name}/run: a job now, beside the fires.
func (s *Server) runSchedule(ctx context.Context, c *call) error {
	found, err := s.findSchedule(ctx, c)
	if err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	j, err := s.templates.Draft(found)
	if err != nil {
		return beneath("/job", err)
	}
	if j.IdempotencyKey, err = IdempotencyKey(c.Request().Header); err != nil {
		return err
	}
	if j.IdempotencyKey != "" { // keys are the schedule's owner's: two callers must not meet in one
		j.Fingerprint = sha256.Sum256([]byte("run " + found.Name + " for " + c.who.id))
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	j.ID, j.CreatedAt, j.RunAt, j.State, j.Traceparent = job.NewID(), now, now, job.Pending, Traceparent(c.Request().Header)
	if found.Overlap == job.OverlapQueue {
		j.State = job.Waiting // for those before it, if there are any
	}
	answers, err := s.deps.Ledger.Accept(ctx, []job.Job{j}, false)
	if err != nil {
		return err
	}
	return s.answerSubmit(c, &answers[0])
}
