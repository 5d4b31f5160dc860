package e2e_test

import "testing"

// The workers are killed in turn, the scheduler and the API once, and Redis
// forgets everything once, each time while a crowd of jobs runs.
func TestFleetSurvivesKills(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "postgres", func(t *testing.T, d dialect) {
		f := startFleet(t, d)
		jobs := f.survive(t, []fault{
			f.killWorker(0), f.killWorker(1), f.killWorker(0), f.killScheduler(), f.killAPI(), f.flushRedis(),
		})
		requireCrashed(t, jobs, crowdSize/2)
	})
}

// requireCrashed fails the test unless so many jobs were running at a kill:
// otherwise it has shown nothing.
func requireCrashed(t testing.TB, jobs []jobView, want int) {
	t.Helper()
	crashed := 0
	for _, j := range jobs {
		if j.Crashes > 0 {
			crashed++
		}
	}
	if crashed < want {
		t.Errorf("%d jobs were running at a kill, want at least %d: this run shows nothing", crashed, want)
	}
}
