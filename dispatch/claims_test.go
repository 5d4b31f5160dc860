package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"testing"

	"github.com/asyncops/asyncops/job"
)

// One ask is answered with its own jobs, also when two doorbells name the same.
func TestClaimsAreDealtOut(t *testing.T) {
	t.Parallel()
	a, b, c := job.NewID(), job.NewID(), job.NewID()
	asks := []ask{
		{ids: []job.ID{a, b}, answer: make(chan answer, 1)},
		{ids: []job.ID{b, c}, answer: make(chan answer, 1)},
	}
	dealOut(asks, answer{jobs: []job.Job{{ID: c}, {ID: b}}, ok: true})
	first, second := <-asks[0].answer, <-asks[1].answer
	if len(first.jobs) != 1 || first.jobs[0].ID != b || len(second.jobs) != 1 || second.jobs[0].ID != c {
		t.Errorf("answers = %v and %v, want b and c", first, second)
	}
}
