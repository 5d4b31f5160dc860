package e2e_test

import "testing"

// Replies are lost after what was asked for has been done: commits of targets,
// whatever is written to the ledger, doorbells that were taken from Redis,
// requests to the upstream.
func TestFleetSurvivesLostReplies(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "postgres", func(t *testing.T, d dialect) {
		f := startFleet(t, d)
		faults := []fault{f.loseWrites(), f.loseDoorbells(), f.loseRings(), f.loseWrites(), f.loseAnswers()}
		if f.toTarget != nil {
			faults = append(faults, f.loseCommits(), f.loseCommits())
		}
		f.survive(t, faults)
	})
}
