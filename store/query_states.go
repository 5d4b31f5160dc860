package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// queryAge is how long it is believed that a named statement can be prepared.
const queryAge = time.Minute

// queryStates remembers which named statements the database can prepare.
type queryStates struct {
	mu     sync.Mutex
	states map[string]queryState // guarded by mu
}

// queryState is what is known of a statement.
type queryState struct {
	broken  job.Code  // why it cannot be prepared; "" if it can, or is not known
	checked time.Time // zero: look again
}

func newQueryStates() *queryStates { return &queryStates{states: map[string]queryState{}} }

// due reports whether a statement must be looked at.
func (s *queryStates) due(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.states[name]
	return state.broken != "" || time.Since(state.checked) > queryAge
}

// set returns whether that is news, compared with a statement that can be
// prepared.
func (s *queryStates) set(name string, broken job.Code) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.states[name].broken != broken
	s.states[name] = queryState{broken: broken, checked: time.Now()}
	return news
}

// ran takes note of how a run went. One that failed may have done so because
// the statement has become useless.
func (s *queryStates) ran(name string, well bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !well {
		state := s.states[name]
		state.checked = time.Time{}
		s.states[name] = state
	}
}

// forget makes the next look one at every statement: what was known was known
// of a server that has been away since.
func (s *queryStates) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, state := range s.states {
		state.checked = time.Time{}
		s.states[name] = state
	}
}

// problems returns a sentence about each statement that cannot be prepared.
func (s *queryStates) problems() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.states)) {
		if broken := s.states[name].broken; broken != "" {
			all = append(all, fmt.Sprintf("query %s does not prepare (%s): jobs that run it fail; make what it names, or correct its sql", name, broken))
		}
	}
	return all
}

// How long preparing may take: one statement, which may wait for a table that
// somebody alters, and as many as there are. The others' turn comes later.
const (
	prepareTimeout = time.Second
	prepareTime    = time.Second
)

// checkQueries has the database prepare the named statements that have not been
// looked at lately or were useless, and returns a sentence about each that is
// useless. An error says that it could not look; a statement about which nothing
// can be said at present stays what it was.
func (t *Target) checkQueries(ctx context.Context) (problems []string, err error) {
	began := time.Now()
	for _, name := range slices.Sorted(maps.Keys(t.registry.queries)) {
		if !t.queries.due(name) {
			continue
		}
		if time.Since(began) > prepareTime {
			break
		}
		err := t.prepares(ctx, t.registry.queries[name])
		var broken job.Code
		if err != nil {
			if ctx.Err() != nil || t.lost(err) {
				t.queries.forget()
				return nil, err
			}
			d := t.diagnose(err)
			if d.class == job.ClassRetryable {
				continue
			}
			broken = d.code
		}
		switch news := t.queries.set(name, broken); {
		case news && broken != "":
			t.log.Warn("query does not prepare", "query", name, "reason", string(broken), "error", err)
		case news:
			t.log.Info("query prepares again", "query", name)
		}
	}
	return t.queries.problems(), nil
}

// prepares has the database prepare a statement, and forget it.
func (t *Target) prepares(ctx context.Context, q *namedQuery) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	stmt, err := t.pools.read.PrepareContext(ctx, q.text)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }()
	return nil
}
