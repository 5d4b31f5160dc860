package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	mediaEvents = "text/event-stream"
	// browserStreams is how many streams one session may have open, and one
	// address where no key is asked for.
	browserStreams = 5
	// eventTimeout is how long a caller may take to take an event.
	eventTimeout = 10 * time.Second
	// reconnect is after how long browsers come back, in milliseconds.
	reconnect = 2000
)

// streams counts the open ones. It is safe for concurrent use.
type streams struct {
	heartbeat time.Duration // between signs that the stream lives, for those on the way
	recheck   time.Duration // between looks whether the caller's key has ended

	mu   sync.Mutex
	open map[string]int // by who has them; guarded by mu
}

// enterStream counts a stream of the caller's, or answers 429.
func (s *Server) enterStream(c *call) (leave func(), err error) {
	owner, limit := "key "+c.who.id, s.cfg.MaxStreams
	switch {
	case c.session != nil:
		owner, limit = "session "+c.session.ID, min(limit, browserStreams)
	case c.who.id == "":
		owner, limit = "address "+c.RealIP(), min(limit, browserStreams)
	}
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	if s.streams.open[owner] >= limit {
		r := refuse(http.StatusTooManyRequests, CodeTooManyStreams, "%d event streams are open already; close one", limit)
		r.retryAfter = 1
		return nil, r
	}
	s.streams.open[owner]++
	return func() {
		s.streams.mu.Lock()
		defer s.streams.mu.Unlock()
		if s.streams.open[owner]--; s.streams.open[owner] == 0 {
			delete(s.streams.open, owner)
		}
	}, nil
}

// lastEvent returns the id of the last event that a caller got who comes back.
func lastEvent(h http.Header) (string, error) {
	values := h["Last-Event-Id"]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || len(values[0]) > 128:
		return "", refuse(http.StatusBadRequest, CodeMalformed, "Last-Event-ID is none that this API has given out")
	}
	return values[0], nil
}

// jobEvents is GET /v1/jobs/{id}/events.
func (s *Server) jobEvents(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	last, err := lastEvent(c.Request().Header)
	if err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if j.State.Terminal() && jobEventID(j) == last {
		return noContent(c) // this tells browsers not to come back
	}
	told := last
	return s.stream(c, newFollower(j.ID, c.who, func(*job.Job) bool { return true }), "", func(out *eventWriter, events []event, gone bool) bool {
		for _, e := range events {
			id := jobEventID(e.job)
			switch {
			case id == told:
			case sameState(id, told):
				out.event("progress", id, appendProgressObject(nil, e.job.Progress))
			default:
				out.event("state", id, appendJob(nil, e.job, s.briefly(c.who, e.job)))
			}
			told = id
			if e.job.State.Terminal() {
				return false
			}
		}
		if gone {
			out.event("gone", "", []byte(`{"id":"`+j.ID+`"}`))
		}
		return !gone
	})
}

// fleetEvents is GET /v1/events.
func (s *Server) fleetEvents(_ context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	last, err := lastEvent(c.Request().Header)
	if err != nil {
		return err
	}
	f := newFollower("", c.who, func(j *job.Job) bool { return s.permitJob(c.who, j) == nil })
	return s.stream(c, f, last, func(out *eventWriter, events []event, lost bool) bool {
		if lost {
			out.event("resync", "", []byte("{}"))
		}
		for _, e := range events {
			out.event("state", s.hub.eventID(e), appendJob(nil, e.job, s.briefly(c.who, e.job)))
		}
		return true
	})
}

// briefly is how events show a job.
func (s *Server) briefly(who *principal, j *job.Job) view {
	v := who.sees(j.Owner)
	v.brief = true
	return v
}

// jobEventID names what a follower knows of a job. Every process makes the same.
func jobEventID(j *job.Job) string {
	v := versionOf(j)
	return fmt.Sprintf("%016x-%016x", v.state, v.progress)
}

// sameState reports whether two ids of one job's events differ in progress only.
func sameState(id, before string) bool { return len(before) == len(id) && id[:16] == before[:16] }

// stream sends what f is told, through tell, until tell answers false, the
// caller leaves or may not listen any more, or the server stops.
func (s *Server) stream(c *call, f *follower, last string, tell func(out *eventWriter, events []event, lost bool) bool) error {
	leave, err := s.enterStream(c)
	if err != nil {
		return err
	}
	defer leave()
	s.hub.join(f, last)
	defer s.hub.leave(f)
	out := openEvents(c)
	beat, look := time.NewTicker(s.streams.heartbeat), time.NewTicker(s.streams.recheck)
	defer beat.Stop()
	defer look.Stop()
	if c.Request().Context().Value(headOnly{}) != nil {
		return nil
	}
	for out.err == nil {
		out.flush()
		select {
		case <-c.Request().Context().Done():
			return nil
		case <-s.draining.Done():
			return nil
		case <-f.wake:
			events, lost := f.take()
			if !tell(out, events, lost) {
				out.flush()
				return nil
			}
		case <-beat.C:
			out.comment("")
		case <-look.C:
			if !s.stillMay(c) {
				return nil
			}
		}
	}
	return nil // the caller has gone, or takes nothing
}

// stillMay reports whether the caller may go on to read. A ledger that is away
// is no reason to say no.
func (s *Server) stillMay(c *call) bool {
	ctx, cancel := s.withTimeout(c.Request().Context())
	defer cancel()
	who, err := s.authenticate(ctx, c)
	if err == nil {
		err = who.allow(JobsRead)
	}
	var refused *refusal
	return !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden
}

// eventWriter writes server-sent events. After an error it writes nothing.
type eventWriter struct {
	to      http.ResponseWriter
	control *http.ResponseController
	buffer  []byte
	err     error
}

// openEvents answers 200 and keeps the answer open.
func openEvents(c *call) *eventWriter {
	w := c.Response()
	liftReadDeadline(w)
	h := w.Header()
	h.Set("Content-Type", mediaEvents)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies are to pass it on at once
	w.WriteHeader(http.StatusOK)
	return &eventWriter{to: w, control: http.NewResponseController(w), buffer: []byte("retry: " + strconv.Itoa(reconnect) + "\n\n")}
}

// event adds an event; data has no line break.
func (w *eventWriter) event(name, id string, data []byte) {
	if id != "" {
		w.buffer = append(append(append(w.buffer, "id: "...), id...), '\n')
	}
	w.buffer = append(append(append(w.buffer, "event: "...), name...), "\ndata: "...)
	w.buffer = append(append(w.buffer, data...), "\n\n"...)
}

func (w *eventWriter) comment(text string) { w.buffer = append(w.buffer, ":"+text+"\n\n"...) }

// flush sends what was added. A caller who does not take it in time is left.
func (w *eventWriter) flush() {
	if w.err != nil || len(w.buffer) == 0 {
		return
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(eventTimeout)) // not every writer has one, which is as good
	if _, w.err = w.to.Write(w.buffer); w.err == nil {
		w.err = w.control.Flush()
	}
	w.buffer = w.buffer[:0]
}
