package e2e_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// fleet is an installation under load: a scheduler, an API and two workers,
// on servers of their own. What they say to those goes through proxies.
type fleet struct {
	*system
	load   *load
	ledger *testkit.PostgresServer
	redis  *testkit.RedisServer
	target *target

	toLedger, toRedis, toTarget *testkit.ProxyServer // toTarget is nil for a file

	workers   [2]*process
	scheduler *process
	api       *testkit.Process
}

// crowdSize is how many jobs run when a fault comes, at least: well below the
// 100 of the database main for which there is room, lest a crowd takes a flood.
const crowdSize = 60

// startFleet starts all of it and waits until all is well.
func startFleet(t testing.TB, d dialect) *fleet {
	t.Helper()
	f := &fleet{ledger: testkit.StartPostgres(t), redis: testkit.Redis(t), target: d.start(t)}
	f.toLedger, f.toRedis = testkit.Proxy(t, f.ledger.Addr()), testkit.Proxy(t, f.redis.Addr())
	through := func(dsn string, s server, proxy *testkit.ProxyServer) string {
		return strings.Replace(dsn, s.Addr(), proxy.Addr(), 1)
	}
	target := f.target.dsn
	if f.target.server != nil {
		f.toTarget = testkit.Proxy(t, f.target.server.Addr())
		target = through(target, f.target.server, f.toTarget)
	}
	f.system = newSystem(t, through(f.ledger.Database(t), f.ledger, f.toLedger), through(f.redis.URL(), f.redis, f.toRedis), target)
	f.section("worker")["concurrency"] = 200
	f.load = newLoad(t, f.system, f.target)
	f.migrate()
	f.scheduler = f.startScheduler()
	f.api = f.startAPI()
	for i := range f.workers {
		f.workers[i] = f.startWorker()
	}
	return f
}

// rounds is how often a test does what it does. In each round, faults come for
// less than two leases: a job that died with three workers would be poison.
func rounds() int {
	if testkit.Long() {
		return 5
	}
	return 1
}

// survive has the fleet work and strikes with the faults, in each round in an
// order of chance. It returns all jobs.
func (f *fleet) survive(t testing.TB, faults []fault) (jobs []jobView) {
	t.Helper()
	random := testkit.Random(t)
	for range rounds() {
		random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		jobs = f.round(t, random, faults)
	}
	return jobs
}

// round strikes with the faults in turn, each while a crowd of jobs runs, and
// requires that nothing comes of it. It returns all jobs.
func (f *fleet) round(t testing.TB, random *rand.Rand, faults []fault) []jobView {
	t.Helper()
	f.load.stream(t, 4, 0, 50*time.Millisecond)
	for _, next := range faults {
		f.load.crowd(t, crowdSize)
		pause(t, upTo(random, 300*time.Millisecond))
		t.Log(next.name)
		next.strike(t, random)
		next.heal(t, random)
	}
	return f.load.settle(t, time.Now())
}

// upTo is a random time.
func upTo(random *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(limit)))
}
