package app

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// labels are the label values that are known before anything happens.
func (s *system) labels() observe.Labels {
	known := observe.Labels{
		Queues:    slices.Sorted(maps.Keys(s.cfg.Queues)),
		Databases: slices.Sorted(maps.Keys(s.cfg.Databases)),
		Clients:   slices.Sorted(maps.Keys(s.cfg.Clients)),
		Methods:   []string{http.MethodGet, http.MethodPost},
	}
	if s.cfg.Cache.Enabled {
		for _, name := range known.Databases {
			known.Caches = append(known.Caches, store.CacheSpace(name))
		}
		for _, name := range known.Clients {
			known.Caches = append(known.Caches, clients.CacheSpace(name))
		}
	}
	for _, kind := range tasks.Definitions() {
		known.Kinds = append(known.Kinds, string(kind.Name))
	}
	for _, kind := range tasks.OwnKinds() {
		known.Kinds = append(known.Kinds, string(kind))
	}
	return known
}

func (s *system) backlogs(ctx context.Context) ([]observe.Backlog, error) {
	found, err := s.ledger.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	backlogs := make([]observe.Backlog, len(found))
	for i, b := range found {
		backlogs[i] = observe.Backlog{Queue: b.Queue, Jobs: b.Pending, Oldest: b.Oldest}
	}
	return backlogs, nil
}

func (s *system) workers(ctx context.Context) (map[string]int, error) {
	workers, err := s.ledger.Workers(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, w := range workers {
		counts[string(w.State)]++
	}
	return counts, nil
}

// drift is how many jobs may start and have no doorbell in Redis, as far as the
// number of doorbells tells: zero in good order, the backlog while Redis is
// away.
func (s *system) drift(ctx context.Context) (int, error) {
	backlogs, err := s.ledger.Backlogs(ctx)
	if err != nil || s.broker == nil {
		return 0, err
	}
	pending, queues := 0, make([]string, len(backlogs))
	for i, b := range backlogs {
		pending += b.Pending
		queues[i] = b.Queue
	}
	bells, err := s.broker.Doorbells(ctx, queues)
	if err != nil {
		return pending, nil //nolint:nilerr // Redis is away: none of them has a doorbell
	}
	return max(0, pending-int(bells)*job.MaxDoorbellJobs), nil
}

func (s *system) databasePools() map[string]observe.Pool {
	pools := map[string]observe.Pool{}
	for name, target := range s.databases {
		stats := target.Stats()
		pools[name] = observe.Pool{InUse: stats.InUse, Idle: stats.Idle, Max: stats.Max}
	}
	return pools
}

func (s *system) clientPools() map[string]observe.Pool {
	pools := map[string]observe.Pool{}
	for name, client := range s.upstreams {
		stats := client.Stats()
		pools[name] = observe.Pool{InUse: stats.InUse, Idle: stats.Idle, Max: stats.Max}
	}
	return pools
}
