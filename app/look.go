package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/tasks"
)

// lookTimeout is how long one target may take to answer a job that looks.
const lookTimeout = 5 * time.Second

// looker looks at targets for jobs of the kind system.health.
type looker struct{ *system }

// Look looks at the targets, at all when none is named, side by side.
func (l looker) Look(ctx context.Context, targets []job.Target) []tasks.TargetHealth {
	looks := map[job.Target]func(context.Context) tasks.TargetHealth{
		{Type: job.TypeLedger, Name: ledgerCheck}: timed(l.ledgerCheck().Func),
	}
	if l.broker != nil {
		looks[job.Target{Type: job.TypeRedis, Name: redisCheck}] = timed(l.redisCheck().Func)
	}
	for target := range l.sights.looks {
		looks[target] = func(ctx context.Context) tasks.TargetHealth {
			h := l.sights.look(ctx, target)
			return tasks.TargetHealth{Status: h.Status, LatencyMS: h.LatencyMS, Detail: h.Detail}
		}
	}
	maps.DeleteFunc(looks, func(target job.Target, _ func(context.Context) tasks.TargetHealth) bool {
		return len(targets) > 0 && !slices.Contains(targets, target)
	})
	found := make([]tasks.TargetHealth, 0, len(looks))
	var mu sync.Mutex // guards found
	var looking sync.WaitGroup
	for target, look := range looks {
		looking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			h := look(ctx)
			h.Type, h.Name = string(target.Type), target.Name
			mu.Lock()
			defer mu.Unlock()
			found = append(found, h)
		})
	}
	looking.Wait()
	slices.SortFunc(found, func(a, b tasks.TargetHealth) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	return found
}

// timed is a check that tells how long it took.
func timed(check func(context.Context) (observe.Status, string)) func(context.Context) tasks.TargetHealth {
	return func(ctx context.Context) tasks.TargetHealth {
		began := time.Now()
		status, detail := check(ctx)
		h := tasks.TargetHealth{Status: string(status), Detail: detail}
		if status != observe.Down {
			ms := float64(time.Since(began).Microseconds()) / 1000
			h.LatencyMS = &ms
		}
		return h
	}
}
