package e2e_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// Two workers are killed in turn every 3 s, the scheduler once, and Redis
// forgets everything once: every accepted insert happens, and none twice. The
// table has no key that would keep a second row out.
func TestFleetSurvivesKills(t *testing.T) {
	t.Parallel()
	const (
		jobs      = 5000
		batches   = 8
		batchSize = 500
		singles   = jobs - batches*batchSize
		writers   = 4 // that submit one by one
		faults    = 4
		faultGap  = 3 * time.Second
		recovery  = 60 * time.Second // the bound of issue 2: all completed so long after the last fault
	)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	postgres, redis := testkit.StartPostgres(t), testkit.Redis(t)
	target := postgres.Database(t)
	s := newSystem(t, postgres.Database(t), redis.URL(), target)
	s.table("facts")
	db := openPostgres(t, target)
	// An insert takes a while, so that a kill finds many in the middle.
	execute(t, db, `CREATE TABLE facts (n integer)`,
		`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END'`,
		`CREATE TRIGGER slowly BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION slowly()`)
	s.migrate()
	scheduler := s.startScheduler()
	s.startAPI()
	workers := []*process{s.startWorker(), s.startWorker()}

	began := time.Now()
	var submitting sync.WaitGroup
	accepted := make([][]string, batches+writers)
	failed := make([]error, batches+writers)
	for w := range writers {
		submitting.Go(func() {
			accepted[batches+w], failed[batches+w] = submitSingles(t.Context(), s.caller, "facts",
				batches*batchSize+w*singles/writers, singles/writers, time.Duration(faults)*faultGap)
		})
	}
	for fault := range faults {
		// Two batches for each fault, which comes while they are worked on.
		for b := 2 * fault; b < 2*fault+2; b++ {
			submitting.Go(func() {
				accepted[b], failed[b] = s.batch(t.Context(), inserts("facts", b*batchSize, batchSize))
			})
		}
		pause(t, time.Duration(random.Int64N(int64(500*time.Millisecond))))
		workers[fault%2].Kill()
		switch fault {
		case 1:
			if _, err := redis.Do("FLUSHALL"); err != nil {
				t.Fatal(err)
			}
		case 2:
			scheduler.Kill()
			scheduler = s.startScheduler()
		}
		workers[fault%2] = s.startWorker()
		if fault < faults-1 {
			pause(t, time.Until(began.Add(time.Duration(fault+1)*faultGap)))
		}
	}
	lastFault := time.Now()
	submitting.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, some := range accepted {
		ids = append(ids, some...)
	}
	t.Logf("%d jobs accepted within %s", len(ids), time.Since(began).Round(time.Millisecond))
	s.awaitCount(t, recovery-time.Since(lastFault), "completed", jobs)
	t.Logf("all completed %s after the last fault, want at most %s", time.Since(lastFault).Round(time.Millisecond), recovery)

	crashed, deliveries := 0, map[string]int{}
	for _, j := range s.requireCompleted(t, ids) {
		deliveries[j.Delivery]++
		if j.Crashes > 0 {
			crashed++
		}
	}
	t.Logf("%d jobs were running at a kill; deliveries %v", crashed, deliveries)
	if crashed == 0 {
		t.Error("no kill found a job running: this run shows nothing")
	}
	if deliveries["exactly_once_effect"] != jobs {
		t.Errorf("deliveries %v, want all exactly_once_effect", deliveries)
	}
	requireNumber(t, db, jobs, "SELECT count(*) FROM facts")
	requireNumber(t, db, jobs, "SELECT count(DISTINCT n) FROM facts")
}

// submitSingles submits inserts one by one, spread over the time.
func submitSingles(ctx context.Context, api *caller, table string, first, count int, over time.Duration) ([]string, error) {
	ticker := time.NewTicker(over / time.Duration(count))
	defer ticker.Stop()
	var ids []string
	for n := first; n < first+count; n++ {
		a, err := api.call(ctx, http.MethodPost, "/v1/jobs", insert(table, n))
		if err != nil {
			return ids, err
		}
		id, err := acceptedID(a)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ids, ctx.Err()
		}
	}
	return ids, nil
}

// pause lets the system work for so long before the next fault.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
