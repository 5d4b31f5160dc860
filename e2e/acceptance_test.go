package e2e_test

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// The API is killed again and again while jobs are submitted. Callers that
// repeat what they got no answer to, under the same Idempotency-Key, make one
// job for each key, and every id that was answered is found.
func TestAcceptanceSurvivesKills(t *testing.T) {
	t.Parallel()
	const kills = 10
	random := testkit.Random(t)
	redis, target := testkit.Redis(t), startPostgresTarget(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target.dsn)
	l := newLoad(t, s, target)
	s.migrate()
	s.startScheduler()
	s.startWorker()
	api := s.startAPI()
	l.stream(t, 6, 2, 0)
	for range kills {
		pause(t, 50*time.Millisecond+upTo(random, 200*time.Millisecond))
		api.Kill()
		api = s.start("cmd/api")
		api.WaitHealthy(startTimeout, s.url+"/readyz")
	}
	l.settle(t, time.Now())
}
