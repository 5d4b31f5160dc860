package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// Three schedulers fire a schedule of every second while they are killed and
// frozen in turn: each fire has one job, and each job its effect once.
func TestSchedulesSurviveKills(t *testing.T) {
	t.Parallel()
	if !testkit.Long() {
		t.Skip("the ledger's suite has schedulers that race, hang and are cut off; ASYNCOPS_E2E=long runs this too")
	}
	ledger, dsn := testkit.PostgresDatabase(t), testkit.PostgresDatabase(t)
	record, target := openPostgres(t, ledger), openPostgres(t, dsn)
	execute(t, target, "CREATE TABLE fires (id bigserial PRIMARY KEY, note text)")
	s := newSystem(t, ledger, testkit.Redis(t).URL(), dsn)
	s.table("fires")
	s.settings["schedules"] = []object{{
		"name": "every-second", "cron": "* * * * * *", "missed": "all", "overlap": "allow",
		"job": object{"kind": "db.insert_one", "args": object{"table": "fires", "values": object{"note": "x"}}},
	}}
	s.migrate()
	s.startAPI()
	s.startWorker()
	schedulers := []*process{s.startScheduler(), s.startScheduler(), s.startScheduler()}
	random, rounds := testkit.Random(t), 6
	if testkit.Long() {
		rounds = 60
	}
	const made = "SELECT count(*) FROM asyncops_jobs WHERE schedule = 'every-second'"
	for range rounds {
		i := random.IntN(len(schedulers))
		frozen := random.IntN(2) == 0
		if frozen {
			schedulers[i].Freeze()
		} else {
			schedulers[i].Kill()
		}
		before, err := number(t.Context(), record, made)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, time.Minute, 20*time.Millisecond, func() error {
			n, err := number(t.Context(), record, made)
			if err == nil && n < before+2 {
				err = fmt.Errorf("%d jobs, want two more than %d", n, before)
			}
			return err
		})
		if frozen {
			schedulers[i].Thaw()
		} else {
			schedulers[i] = s.startScheduler()
		}
	}
	for _, scheduler := range schedulers {
		scheduler.Kill()
	}
	delete(s.settings, "schedules")
	s.startScheduler() // takes the schedule out of the ledger
	testkit.Eventually(t, time.Minute, 20*time.Millisecond, func() error {
		a, err := s.call(t.Context(), http.MethodGet, "/v1/schedules/every-second", nil)
		if err == nil && a.status != http.StatusNotFound {
			err = fmt.Errorf("the schedule is still there: %s", a)
		}
		return err
	})
	jobs, err := number(t.Context(), record, made)
	if err != nil {
		t.Fatal(err)
	}
	requireNumber(t, record, jobs, "SELECT (max(fire_at) - min(fire_at)) / 1000000 + 1 FROM asyncops_jobs WHERE schedule = 'every-second'")
	testkit.Eventually(t, time.Minute, 20*time.Millisecond, numberIs(t.Context(), record, jobs, made+" AND state = 'completed'"))
	requireNumber(t, target, jobs, "SELECT count(*) FROM fires")
	t.Logf("%d fires, %d jobs, over %d rounds", jobs, jobs, rounds)
}
