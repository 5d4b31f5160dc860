package api

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

// Routes lists what echo's router holds, as "METHOD /path/{param}".
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.routes() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

// RegisteredRoutes is the number of routes in echo's router.
func (s *Server) RegisteredRoutes() int { return len(s.echo.Routes()) }

// ScopeOf returns the scope that a line of Routes asks for.
func (s *Server) ScopeOf(line string) Scope {
	for _, r := range s.routes() {
		if r.method+" "+r.path == line {
			return r.scope
		}
	}
	return "no such route"
}

// SplitArray is what batches are cut with.
var SplitArray = splitArray

// Hurry makes streams beat, and look after their callers, more often. It is
// called before the server serves.
func (s *Server) Hurry(heartbeat, recheck time.Duration) {
	s.streams.heartbeat, s.streams.recheck = heartbeat, recheck
}

// Flood pushes the changes of so many jobs to a follower that takes none, and
// returns how many wait for it and whether it is told that it missed some.
func Flood(jobs int) (waiting int, lost bool) {
	f := newFollower("", everybody(), func(*job.Job) bool { return true })
	for i := range jobs {
		f.push(event{seq: int64(i), job: &job.Job{ID: job.NewID()}})
	}
	events, lost := f.take()
	return len(events), lost
}

// Actions are the routes that the audit log knows.
func Actions() map[string]string { return actions() }
