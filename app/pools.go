package app

import (
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/handlers"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// bulkheads bound the jobs of each database and client by its connections. Where
// there are other targets, none gets more than three quarters of the worker's
// slots: a target that stands still would take all of them from the others.
func (s *system) bulkheads(h *handlers.Handlers) dispatch.Bulkheads {
	most := s.cfg.Worker.Concurrency
	if len(s.databases)+len(s.upstreams) > 1 {
		most = max(1, most-most/4)
	}
	limits := map[string]int{}
	for name, db := range s.cfg.Databases {
		limits[job.DatabaseTarget(name).String()] = min(db.PoolSize+db.MaxOverflow, most)
	}
	for name, client := range s.cfg.Clients {
		limits[job.ClientTarget(name).String()] = min(client.Pool.MaxConnections, most)
	}
	return dispatch.Bulkheads{Limits: limits, TargetFunc: h.Target, Gates: s.gates()}
}

// poolUses is how this process uses its connections to databases, and its cache
// of them and of clients, for the list of workers. Databases go by their names,
// as releases before this one read them.
func (s *system) poolUses() map[string]job.PoolUse {
	uses := make(map[string]job.PoolUse, len(s.databases)+len(s.upstreams))
	for name, target := range s.databases {
		stats := target.Stats()
		uses[name] = job.PoolUse{
			InUse: stats.InUse, Idle: stats.Idle, Max: stats.Max, Waiting: stats.Waiting, Waits: stats.Waits, WaitSeconds: stats.WaitTime.Seconds(),
			CacheHits: stats.CacheHits, CacheMisses: stats.CacheMisses,
		}
	}
	for name, client := range s.upstreams {
		stats := client.Stats()
		uses[job.ClientTarget(name).String()] = job.PoolUse{
			InUse: stats.InUse, Idle: stats.Idle, Max: stats.Max, CacheHits: stats.CacheHits, CacheMisses: stats.CacheMisses,
		}
	}
	return uses
}

// freshBeat is how old what a worker told of its pools may be to count.
const freshBeat = 10 * time.Second

// fleetPool is the use of what poolUses names by the workers that are alive.
func fleetPool(workers []ledger.Worker, name string) (api.DatabasePool, api.CacheUse) {
	pool := api.DatabasePool{Workers: []api.WorkerPool{}}
	var sum job.PoolUse
	for _, w := range workers {
		use, ok := w.Pools[name]
		if !ok || w.State == ledger.WorkerGone || w.Age > freshBeat {
			continue
		}
		sum = sum.Add(use)
		pool.Workers = append(pool.Workers, api.WorkerPool{Worker: w.ID, PoolUse: poolUse(use)})
	}
	pool.PoolUse = poolUse(sum)
	return pool, api.CacheUse{Hits: sum.CacheHits, Misses: sum.CacheMisses}
}

func poolUse(u job.PoolUse) api.PoolUse {
	return api.PoolUse{InUse: u.InUse, Idle: u.Idle, Max: u.Max, Waiting: u.Waiting, Waits: u.Waits, WaitSeconds: u.WaitSeconds}
}

// lookOnly are the connections of a process that runs no jobs: it looks at its
// targets, and asks them for plans.
const lookOnly = 2

// runsJobs reports whether a process of the name runs jobs.
func runsJobs(process string) bool { return process == "worker" || process == "dev" }
