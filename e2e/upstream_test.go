package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// upstream is an API that keeps those waiting whom the test wants to wait.
type upstream struct {
	server *httptest.Server
	over   chan struct{} // closed when nobody may wait any more

	mu    sync.Mutex
	gates map[string]chan struct{} // guarded by mu; by path, closed when it answers
	sends []send                   // guarded by mu; in the order in which they came
}

// send is one request that arrived.
type send struct{ path, key string }

func startUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{over: make(chan struct{}), gates: map[string]chan struct{}{}}
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
	gate := u.gates[r.URL.Path]
	u.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-u.over:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`)) // the caller may be dead
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
