package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A job that kills its worker does so three times and takes no other job with
// it: after the second death, those that were running are run alone.
func TestPoisonDiesAlone(t *testing.T) {
	t.Parallel()
	const innocents = 20
	redis, api := testkit.Redis(t), startUpstream(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), testkit.PostgresDatabase(t))
	s.upstream(api)
	s.migrate()
	s.startScheduler()
	s.startAPI()
	api.hold("/innocent")
	api.hold("/poison")
	var items []object
	for range innocents {
		items = append(items, get("/innocent"))
	}
	items = append(items, get("/poison"))
	var ids []string
	worker := s.startWorker()
	for death := 1; death <= 2; death++ {
		if death == 1 {
			ids = s.mustBatch(t, items)
		} else {
			worker = s.startWorker()
		}
		testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error {
			if calls, poison := len(api.received("/innocent")), len(api.received("/poison")); calls < death*innocents || poison < death {
				return fmt.Errorf("before death %d: %d innocent calls, %d of the poison", death, calls, poison)
			}
			return nil
		})
		worker.Kill()
	}
	poison := ids[innocents]
	if calls := len(api.received("/innocent")); calls != 2*innocents {
		t.Errorf("%d innocent calls before the second death, want %d", calls, 2*innocents)
	}

	// The innocent have their answers from now on. The poison has none and
	// kills once more.
	api.release("/innocent")
	worker = s.startWorker()
	testkit.Eventually(t, time.Minute, 10*time.Millisecond, func() error {
		if sends := len(api.received("/poison")); sends < 3 {
			return fmt.Errorf("the poison was sent %d times, want 3", sends)
		}
		return nil
	})
	counts, err := s.counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	worker.Kill()
	killed := time.Now()
	if counts["active"] != 1 {
		t.Errorf("%d jobs ran beside the poison, want none", counts["active"]-1)
	}
	s.startWorker()
	j := s.awaitState(t, time.Minute, poison, "archived")
	t.Logf("the poison was archived %s after the third death", time.Since(killed).Round(time.Millisecond))
	if j.Error == nil || j.Error.Code != "poison" || j.Crashes != 3 {
		t.Errorf("the poison: error %+v, crashes %d, want poison and 3", j.Error, j.Crashes)
	}
	runs := s.attempts(t, poison)
	if len(runs) != 3 {
		t.Errorf("the poison's runs = %+v, want three", runs)
	}
	for _, id := range ids[:innocents] {
		j := s.awaitState(t, time.Minute, id, "completed")
		if j.Crashes != 2 || j.Attempt != 1 {
			t.Errorf("innocent %s: crashes %d, attempt %d, want 2 and 1", id, j.Crashes, j.Attempt)
		}
	}
	if sends := len(api.received("/poison")); sends != 3 {
		t.Errorf("the poison was sent %d times, want 3", sends)
	}
}
