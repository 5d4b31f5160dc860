package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/tasks"
)

// lookTimeout is how long one target may take to answer a job that looks.
const lookTimeout = 5 * time.Second

// looker looks at targets for jobs of the kind system.health.
type looker struct{ *system }

// Look looks at the named targets, at all when none is named, side by side.
func (l looker) Look(ctx context.Context, names []string) []tasks.TargetHealth {
	looks := map[[2]string]func(context.Context) tasks.TargetHealth{
		{tasks.TargetLedger, tasks.TargetLedger}: timed(l.ledgerCheck().Func),
	}
	if l.broker != nil {
		looks[[2]string{tasks.TargetRedis, tasks.TargetRedis}] = timed(l.redisCheck().Func)
	}
	for check := range l.sights.looks {
		kind, name, _ := strings.Cut(check, " ")
		looks[[2]string{kind, name}] = func(ctx context.Context) tasks.TargetHealth {
			h := l.sights.look(ctx, check)
			return tasks.TargetHealth{Status: h.Status, LatencyMS: h.LatencyMS, Detail: h.Detail}
		}
	}
	maps.DeleteFunc(looks, func(target [2]string, _ func(context.Context) tasks.TargetHealth) bool {
		return len(names) > 0 && !slices.Contains(names, target[1])
	})
	found := make([]tasks.TargetHealth, 0, len(looks))
	var mu sync.Mutex // guards found
	var looking sync.WaitGroup
	for target, look := range looks {
		looking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			h := look(ctx)
			h.Type, h.Name = target[0], target[1]
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
