package e2e_test

import (
	"slices"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

// Everything that can happen to a process happens together with everything
// that can happen to a server and on the way to it, in an order of chance.
func TestCampaign(t *testing.T) {
	t.Parallel()
	if !testkit.Long() {
		t.Skip("the short tier has each fault by itself; ASYNCOPS_E2E=long runs this too")
	}
	perDialect(t, func(t *testing.T, d dialect) {
		for name, strike := range map[string]func(*fleet) fault{
			"worker killed":    func(f *fleet) fault { return f.killWorker(0) },
			"scheduler killed": (*fleet).killScheduler,
			"API killed":       (*fleet).killAPI,
			"worker frozen":    func(f *fleet) fault { return f.freezeWorker(1) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				const perRound = 2 // a third could kill a job's third worker
				f := startFleet(t, d)
				random := testkit.Random(t)
				var faults []fault
				for _, server := range f.serverFaults() {
					faults = append(faults, together(server, strike(f)))
				}
				random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
				for some := range slices.Chunk(faults, perRound) {
					f.round(t, random, some)
				}
			})
		}
	})
}
