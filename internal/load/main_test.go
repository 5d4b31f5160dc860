package load_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asyncops/asyncops/internal/load"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testKey = "aok_abcd_0123456789abcdefghijklmnopqrstuvwxyz"

// answer is what a server says instead of accepting.
type answer struct {
	status     int
	code       string
	retryAfter int // seconds
	hangUp     bool
}

// submission is one that arrived: of a batch when conn is "".
type submission struct {
	conn string // its connection
	n    int    // how many came before it, of its sort
	lone bool   // it came over the connection that came first
}

// server is an API whose jobs end when they are looked at. Its fields are set
// before it serves.
type server struct {
	refuse  func(submission) *answer // nil accepts
	reject  func(item int) string    // a code for one job of a batch; "" accepts
	end     func(j *heldJob)         // moves the job when it is looked at; by default it completes
	unlist  func(j *heldJob) bool    // hides jobs from the list
	onWrite func(s submission)       // is told of each submission
	others  bool                     // somebody else's job is in the list before each of ours

	mu      sync.Mutex
	jobs    []*heldJob        // guarded by mu; in the order of their creation
	first   string            // guarded by mu; the connection that came first
	singles map[bool]int      // guarded by mu; by whether they are lone
	batches int               // guarded by mu
	items   int               // guarded by mu; jobs of batches
	bodies  map[string]int    // guarded by mu; of submissions, how often
	headers map[string]string // guarded by mu; of the latest submission
}

// heldJob is a job that the server has accepted.
type heldJob struct {
	sdk.Job
	item  int // the number in the batches; -1 for one that came alone
	looks int // how often it was looked at
}

// start serves and returns the target.
func (s *server) start(t *testing.T) load.Target {
	t.Helper()
	s.singles, s.bodies = map[bool]int{}, map[string]int{}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return load.Target{URL: web.URL, Key: testKey, UserAgent: "test"}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/v1/jobs":
		s.single(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/v1/jobs/batch":
		s.batch(w, r)
	case r.URL.Path == "/v1/jobs":
		s.list(w, r)
	default:
		s.get(w, job.ID(strings.TrimPrefix(r.URL.Path, "/v1/jobs/")))
	}
}

// hold makes a job; the mutex is held.
func (s *server) hold(item int) *heldJob {
	now := time.Now().UTC()
	j := &heldJob{sdk.Job{ID: job.NewID(), Kind: "system.noop", Queue: "default", State: job.Pending, MaxAttempts: 10, CreatedAt: now, RunAt: now}, item, 0}
	s.jobs = append(s.jobs, j)
	return j
}

// look shows a job, which moves on first; the mutex is held.
func (s *server) look(j *heldJob) *sdk.Job {
	j.looks++
	if s.end != nil {
		s.end(j)
	} else {
		j.finish(job.Completed)
	}
	return &j.Job
}

func (j *heldJob) finish(state job.State) {
	if !j.State.Terminal() {
		j.State, j.StartedAt, j.FinishedAt = state, j.CreatedAt.Add(2*time.Millisecond), j.CreatedAt.Add(3*time.Millisecond)
	}
}

func (s *server) single(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies[string(body)]++
	s.headers = map[string]string{"key": r.Header.Get("Authorization"), "agent": r.Header.Get("User-Agent"), "type": r.Header.Get("Content-Type")}
	s.first = cmp.Or(s.first, r.RemoteAddr)
	lone := s.first == r.RemoteAddr
	one := submission{r.RemoteAddr, s.singles[lone], lone}
	s.singles[lone]++
	if s.refused(w, one) {
		return
	}
	j := s.hold(-1)
	w.Header().Set("Location", "/v1/jobs/"+string(j.ID))
	write(w, http.StatusAccepted, j.Job)
}

// refused answers unless the submission is to be accepted.
func (s *server) refused(w http.ResponseWriter, one submission) bool {
	if s.onWrite != nil {
		s.onWrite(one)
	}
	if s.refuse == nil {
		return false
	}
	a := s.refuse(one)
	switch {
	case a == nil:
		return false
	case a.hangUp:
		panic(http.ErrAbortHandler)
	}
	if a.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retryAfter))
	}
	if a.code == "" { // a proxy's
		w.WriteHeader(a.status)
		return true
	}
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, a.status, map[string]any{"status": a.status, "code": a.code, "detail": "no"})
	return true
}

func (s *server) batch(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	one := submission{"", s.batches, false}
	s.batches++
	if s.refused(w, one) {
		return
	}
	result := sdk.BatchResult{}
	for range strings.Lines(string(body)) {
		code := ""
		if s.reject != nil {
			code = s.reject(s.items)
		}
		item := s.items
		s.items++
		if code != "" {
			result.Rejected++
			result.Items = append(result.Items, sdk.BatchItem{Error: &sdk.Problem{Status: 503, Code: code}})
			continue
		}
		result.Accepted++
		result.Items = append(result.Items, sdk.BatchItem{ID: s.hold(item).ID})
	}
	write(w, http.StatusAccepted, result)
}

func (s *server) get(w http.ResponseWriter, id job.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.jobs, func(j *heldJob) bool { return j.ID == id })
	write(w, http.StatusOK, s.look(s.jobs[i]))
}

// list pages through the jobs, of which each page is looked at.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	from, _ := strconv.Atoi(r.FormValue("cursor"))
	after, _ := time.Parse(time.RFC3339Nano, r.FormValue("created_after"))
	var listed []*heldJob
	for _, j := range s.jobs {
		if j.CreatedAt.Before(after) || s.unlist != nil && s.unlist(j) {
			continue
		}
		if s.others {
			listed = append(listed, &heldJob{Job: sdk.Job{ID: job.NewID(), State: job.Archived, CreatedAt: j.CreatedAt}})
		}
		listed = append(listed, j)
	}
	page := sdk.Page{Items: []*sdk.Job{}}
	if len(listed) > from+limit {
		page.Next = strconv.Itoa(from + limit)
	}
	for _, j := range listed[min(from, len(listed)):min(from+limit, len(listed))] {
		page.Items = append(page.Items, s.look(j))
	}
	write(w, http.StatusOK, page)
}

func write(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// plan is a short one.
func plan() load.Plan {
	return load.Plan{
		Kind: "system.noop", Args: json.RawMessage(`{"sleep":"0s"}`), Queue: "default",
		Jobs: 1500, Connections: 4, Duration: 100 * time.Millisecond, Patience: 10 * time.Second,
	}
}

// failuresOf is the failures of a report as text, without the waits.
func failuresOf(r *load.Report) []string {
	list := []string{}
	for _, f := range r.Failures {
		list = append(list, fmt.Sprintf("%s: %s: %d", f.Measure, f.Error, f.Count))
	}
	return list
}
