package e2e_test

import "testing"

// The servers that the system stands on are killed, and come back: Redis
// empty, the others with all that they had confirmed. And each of them is out
// of reach for a while.
func TestFleetSurvivesCrashes(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "mariadb", func(t *testing.T, d dialect) {
		f := startFleet(t, d)
		faults := []fault{
			crash("Redis", f.redis), away("Redis", f.toRedis), f.crashLedger(), f.ledgerAway(),
		}
		if f.target.server != nil {
			faults = append(faults, crash("the target's server", f.target.server), away("the target", f.toTarget))
		}
		f.survive(t, faults)
	})
}
