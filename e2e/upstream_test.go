package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// upstream is an API that keeps those waiting whom the test wants to wait.
type upstream struct {
	server *httptest.Server
	over   chan struct{} // closed when nobody may wait any more

	mu    sync.Mutex
	gates map[string]chan struct{} // guarded by mu; by path, closed when it answers
	slow  map[string]time.Duration // guarded by mu; by path, how long an answer takes
	lose  map[string]chan struct{} // guarded by mu; by path, closed when an answer has been lost
	sends []send                   // guarded by mu; in the order in which they came
}

// send is one request that arrived.
type send struct{ path, key string }

func startUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{
		over: make(chan struct{}), gates: map[string]chan struct{}{}, slow: map[string]time.Duration{}, lose: map[string]chan struct{}{},
	}
	u.server = httptest.NewServer(http.HandlerFunc(u.serve))
	t.Cleanup(func() {
		close(u.over)
		u.server.Close()
	})
	return u
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the caller go away
	u.mu.Lock()
	u.sends = append(u.sends, send{r.URL.Path, r.Header.Get("Idempotency-Key")})
	gate, slow, lost := u.gates[r.URL.Path], u.slow[r.URL.Path], u.lose[r.URL.Path]
	delete(u.lose, r.URL.Path)
	u.mu.Unlock()
	if lost != nil {
		close(lost)
		panic(http.ErrAbortHandler) // hangs up
	}
	var late <-chan time.Time
	if slow > 0 {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		late = timer.C
	}
	if gate != nil || late != nil {
		select {
		case <-gate:
		case <-late:
		case <-u.over:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`)) // the caller may be dead
}

// answerAfter makes the path take so long to answer.
func (u *upstream) answerAfter(path string, d time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.slow[path] = d
}

// loseAnswer takes the next request for the path and hangs up. The channel is
// closed when that has happened.
func (u *upstream) loseAnswer(path string) (lost <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lose[path] = make(chan struct{})
	return u.lose[path]
}

// hold makes the path answer nobody until release.
func (u *upstream) hold(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gates[path] = make(chan struct{})
}

// release lets those that come from now on have their answer, and those that
// wait, too.
func (u *upstream) release(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	close(u.gates[path])
	delete(u.gates, path)
}

// pass lets those that come from now on have their answer; those that wait
// wait on.
func (u *upstream) pass(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.gates, path)
}

// received is the requests for a path so far.
func (u *upstream) received(path string) []send {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []send
	for _, s := range u.sends {
		if s.path == path {
			found = append(found, s)
		}
	}
	return found
}
