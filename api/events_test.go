package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// sse is one server-sent event; a comment is one without a name.
type sse struct {
	id, name, data string
	comment        bool
}

// stream is an open stream of events.
type stream struct {
	t      testing.TB
	events chan sse // closed at its end
	close  func()
}

// follow opens a stream that is closed by the end of the test.
func (f *fixture) follow(t testing.TB, path string, lines ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("GET %s = %d %v, want an open stream", path, resp.StatusCode, resp.Header)
	}
	s := &stream{t: t, events: make(chan sse, 1000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(s.events)
		defer func() { _ = resp.Body.Close() }()
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.name = value
			case name == "data":
				e.data = value
			case strings.HasPrefix(lines.Text(), ":"):
				e.comment = true
			case lines.Text() == "" && (e.name != "" || e.comment):
				select {
				case s.events <- e:
				case <-ctx.Done(): // nobody reads on
				}
				e = sse{}
			}
		}
	})
	s.close = sync.OnceFunc(func() { cancel(); reading.Wait() })
	t.Cleanup(s.close)
	return s
}

// next returns the next event; a closed stream is a failure.
func (s *stream) next() sse {
	s.t.Helper()
	for late := time.After(time.Minute); ; {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.t.Fatal("the stream has ended, want an event")
			}
			if e.comment {
				continue
			}
			return e
		case <-late:
			s.t.Fatal("no event came")
		}
	}
}

// state returns the next event's job, which has to be of the name state.
func (s *stream) state() jobBody {
	s.t.Helper()
	e := s.next()
	var j jobBody
	if err := json.Unmarshal([]byte(e.data), &j); err != nil || e.name != "state" {
		s.t.Fatalf("event %q %q, want a job", e.name, e.data)
	}
	return j
}

// until reads events until one holds a job as wanted.
func (s *stream) until(id job.ID, state job.State) sse {
	s.t.Helper()
	for {
		e := s.next()
		var j jobBody
		if e.name == "state" && json.Unmarshal([]byte(e.data), &j) == nil && j.ID == id && j.State == state {
			return e
		}
	}
}

// named reads events until one has the name.
func (s *stream) named(name string) {
	s.t.Helper()
	for s.next().name != name {
	}
}

// ended fails the test unless the stream ends.
func (s *stream) ended() {
	s.t.Helper()
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return
			}
			s.t.Logf("event before the end: %+v", e)
		case <-time.After(30 * time.Second):
			s.t.Fatal("the stream does not end")
		}
	}
}

// eventually fails the test unless ok becomes true.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	again, late := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("what was waited for did not come")
		}
	}
}

func TestFollowJob(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.add(stored(job.Pending))
	path := "/v1/jobs/" + string(id) + "/events"
	s := f.follow(t, path, as(viewerKey))
	first := s.next()
	if first.name != "state" || !strings.Contains(first.data, `"state":"pending"`) || first.id == "" || strings.Contains(first.data, `"args"`) {
		t.Errorf("first event = %+v, want the job as it is, without args", first)
	}
	f.edit(id, func(j *job.Job) { j.State, j.Attempt, j.Epoch = job.Active, 1, 1 })
	if j := s.state(); j.State != job.Active {
		t.Errorf("second event has the state %s, want active", j.State)
	}
	f.edit(id, func(j *job.Job) { j.Progress = &job.Progress{Done: 3, Message: "half \"way\"\n"} })
	if e := s.next(); e.name != "progress" || e.data != `{"done":3,"total":null,"message":"half \"way\"\n"}` {
		t.Errorf("third event = %+v, want the progress", e)
	}
	again := f.follow(t, path, as(adminKey), "Last-Event-ID: "+first.id)
	if j := again.state(); j.State != job.Active {
		t.Errorf("who comes back is told %s, want active", j.State)
	}
	f.finish(id, job.Completed, `{"secret":1}`)
	f.move(id)
	last := s.until(id, job.Completed)
	if strings.Contains(last.data, "secret") {
		t.Errorf("last event = %s, want no result in it", last.data)
	}
	s.ended()
	again.ended()
	if got := f.do(t, "GET", path, "", as(viewerKey), "Accept: text/event-stream", "Last-Event-ID: "+last.id); got.Status != 204 {
		t.Errorf("who comes back after the end = %d, want 204", got.Status)
	}
	if got := f.do(t, "GET", path, "", as(viewerKey), "Accept: text/event-stream", "Last-Event-ID: "+first.id); got.Status != 200 || !strings.Contains(got.Body, `"state":"completed"`) {
		t.Errorf("who has missed the end = %d %s, want it", got.Status, got.Body)
	}
}

func TestFollowWithoutHints(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.add(stored(job.Pending))
	s := f.follow(t, "/v1/jobs/"+string(id)+"/events", as(viewerKey))
	s.until(id, job.Pending)
	f.finish(id, job.Archived, "null") // nobody says so
	s.until(id, job.Archived)
	s.ended()

	id = f.add(stored(job.Active))
	s = f.follow(t, "/v1/jobs/"+string(id)+"/events", as(viewerKey))
	s.until(id, job.Active)
	f.mu.Lock()
	delete(f.jobs, id)
	f.mu.Unlock()
	if e := s.next(); e.name != "gone" || !strings.Contains(e.data, string(id)) {
		t.Errorf("event = %+v, want that the job is gone", e)
	}
	s.ended()
}

func TestFollowFleet(t *testing.T) {
	t.Parallel()
	f := start(t)
	mine := stored(job.Pending)
	id := f.add(mine)
	hidden := stored(job.Pending)
	hidden.Queue = "critical"
	hiddenID := f.add(hidden)
	all := f.follow(t, "/v1/events", as(viewerKey))
	limited := f.follow(t, "/v1/events", as(limitedKey))
	f.edit(id, func(j *job.Job) { j.State = job.Scheduled }) // what was before they came was told to others
	all.until(id, job.Scheduled)
	limited.until(id, job.Scheduled)
	f.edit(hiddenID, func(j *job.Job) { j.State = job.Parked })
	seen := all.until(hiddenID, job.Parked)
	f.edit(id, func(j *job.Job) { j.State, j.Epoch = job.Active, 1 })
	all.until(id, job.Active)
	for e := limited.next(); ; e = limited.next() {
		if strings.Contains(e.data, string(hiddenID)) {
			t.Errorf("a key that is limited away from the queue is told %s", e.data)
		}
		if strings.Contains(e.data, `"state":"active"`) {
			break
		}
	}
	f.edit(id, func(j *job.Job) { j.Progress = &job.Progress{Done: 1} })
	f.edit(id, func(j *job.Job) { j.State, j.Epoch = job.Retry, 1 })
	if e := all.next(); e.name != "state" || !strings.Contains(e.data, `"state":"retry"`) {
		t.Errorf("event = %+v, want the state, and no progress", e)
	}
	again := f.follow(t, "/v1/events", as(viewerKey), "Last-Event-ID: "+seen.id)
	again.until(id, job.Retry)
	for _, unknown := range []string{"nobody-7", "x", "nobody-99999999999999999999999"} {
		f.follow(t, "/v1/events", as(viewerKey), "Last-Event-ID: "+unknown).named("resync")
	}
}

func TestFollowersAreToldWhatTheyMiss(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.follow(t, "/v1/events", as(viewerKey))
	id := f.add(stored(job.Pending))
	s.until(id, job.Pending)
	f.setDown(job.ErrUnavailable)
	f.mu.Lock()
	before := f.glances
	f.mu.Unlock()
	eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.glances > before })
	f.setDown(nil)
	s.named("resync")
	if waiting, lost := api.Flood(256); waiting != 256 || lost {
		t.Errorf("256 changes: %d wait, lost %t; want all of them", waiting, lost)
	}
	if waiting, lost := api.Flood(300); waiting != 44 || !lost {
		t.Errorf("300 changes: %d wait, lost %t; want 44, and to be told of the loss", waiting, lost)
	}
	deaf := start(t)
	deaf.deaf = true
	deaf.follow(t, "/v1/events", as(viewerKey)).named("resync")
}

func TestFollowMany(t *testing.T) {
	t.Parallel()
	f := start(t)
	s := f.follow(t, "/v1/events", as(viewerKey))
	var ids []job.ID
	for range 1200 { // more than one look sees
		ids = append(ids, f.add(stored(job.Pending)))
	}
	f.move(ids...)
	s.named("resync")
	eventually(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.moves) == 0 })
	f.edit(ids[0], func(j *job.Job) { j.State = job.Parked })
	s.until(ids[0], job.Parked)
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) { cfg.MaxStreams = 7 })
	session, _ := f.login(t, viewerKey)
	other, _ := f.login(t, viewerKey)
	refused := func(who string) {
		t.Helper()
		got := f.do(t, "GET", "/v1/events", "", who, "Accept: text/event-stream")
		if got.Status != 429 || got.problem(t).Code != "too_many_streams" || got.Header.Get("Retry-After") == "" {
			t.Errorf("one stream too many = %d %s, want 429 too_many_streams", got.Status, got.Body)
		}
	}
	var streams []*stream
	for range 5 {
		streams = append(streams, f.follow(t, "/v1/events", session))
	}
	refused(session)
	f.follow(t, "/v1/events", other)
	for range 7 {
		f.follow(t, "/v1/events", as(operatorKey))
	}
	refused(as(operatorKey))
	streams[0].close()
	eventually(t, func() bool {
		got := f.do(t, "GET", "/v1/events?x=1", "", session, "Accept: text/event-stream")
		return got.Status == 400
	})
	nobody := start(t, open)
	for range 5 {
		nobody.follow(t, "/v1/events")
	}
	if got := nobody.do(t, "GET", "/v1/events", "", "Accept: text/event-stream"); got.Status != 429 {
		t.Errorf("the sixth stream of an address without a key = %d, want 429", got.Status)
	}
}

func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	keys := configuredKeys()
	f := start(t, func(_ *api.Config, deps *api.Deps) {
		deps.Now = time.Now
		deps.ConfiguredKeys = func() []api.Key { mu.Lock(); defer mu.Unlock(); return keys }
	})
	f.server.Hurry(20*time.Millisecond, 50*time.Millisecond)
	id := f.add(stored(job.Active))
	viewer, job := f.follow(t, "/v1/events", as(viewerKey)), f.follow(t, "/v1/jobs/"+string(id)+"/events", as(operatorKey))
	for e := range viewer.events {
		if e.comment {
			break // it lives
		}
	}
	mu.Lock()
	keys = slices.DeleteFunc(slices.Clone(keys), func(k api.Key) bool { return k.ID == "viewer" })
	mu.Unlock()
	viewer.ended()
	job.next()
	f.setDown(fmt.Errorf("away: %w", context.DeadlineExceeded))
	f.stop()
	job.ended()
}

func TestBadStreams(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := string(f.add(stored(job.Pending)))
	for _, tt := range []struct {
		path   string
		lines  []string
		status int
	}{
		{"/v1/jobs/x/events", nil, 400},
		{"/v1/jobs/0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77/events", nil, 404},
		{"/v1/jobs/" + id + "/events?wait=1s", nil, 400},
		{"/v1/jobs/" + id + "/events", []string{"Accept: application/json"}, 406},
		{"/v1/events?queue=default", nil, 400},
		{"/v1/events", []string{"Last-Event-ID: " + strings.Repeat("x", 129)}, 400},
		{"/v1/events", []string{"Last-Event-ID: a", "Last-Event-ID: b"}, 400},
	} {
		got := f.do(t, "GET", tt.path, "", append(tt.lines, as(viewerKey))...)
		if got.problem(t); got.Status != tt.status {
			t.Errorf("GET %s %v = %d %s, want %d", tt.path, tt.lines, got.Status, got.Body, tt.status)
		}
	}
	if got := f.do(t, "HEAD", "/v1/events", "", as(viewerKey)); got.Status != 200 || got.Body != "" {
		t.Errorf("HEAD = %d %q, want the head alone, at once", got.Status, got.Body)
	}
}
