package tasks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
)

// MaxWarm is how many items one cache.warm may have.
const MaxWarm = 1000

// WarmArgs are the args of cache.warm.
type WarmArgs struct {
	Items []WarmItem `json:"items"`
}

// WarmItem is a read whose result the cache is to hold: the kind and the args of
// a job that reads it. The args say under which cache.key.
type WarmItem struct {
	Kind string          `json:"kind"` // db.select_one, db.select_many or http.request
	Args json.RawMessage `json:"args"`
}

// WarmResult is the result of cache.warm.
type WarmResult struct {
	Items  []WarmOutcome `json:"items"` // in the order of the args'
	Warmed int           `json:"warmed"`
	Fresh  int           `json:"fresh"`
	Failed int           `json:"failed"`
}

// What became of an item.
const (
	Warmed     = "warmed" // it was read, and the cache holds it
	WarmFresh  = "fresh"  // the cache held it already, for long enough
	WarmFailed = "failed"
)

// WarmOutcome is what became of one item.
type WarmOutcome struct {
	Status string     `json:"status"`
	Error  *job.Error `json:"error,omitempty"` // of one that failed
}

// Warm has the cache hold what others will read.
type Warm struct {
	Items []Task // *DB and *HTTP, each with a cache
}

// Kind answers with CacheWarm.
func (t *Warm) Kind() Kind { return CacheWarm }

// Targets are what the items read from, each once.
func (t *Warm) Targets() []job.Target {
	var targets []job.Target
	for _, item := range t.Items {
		var target job.Target
		switch item := item.(type) {
		case *DB:
			target = job.DatabaseTarget(item.Database)
		case *HTTP:
			target = job.ClientTarget(item.Client)
		}
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return targets
}

func (a WarmArgs) task(c *checker) Task {
	task := &Warm{}
	switch n := len(a.Items); {
	case n == 0:
		c.Fail("/args/items", CodeRequired, "there are no items; want 1 to %d", MaxWarm)
	case n > MaxWarm:
		c.Fail("/args/items", dbop.CodeTooMany, "%d items; want at most %d", n, MaxWarm)
	default:
		for i, item := range a.Items {
			if len(c.Errors()) >= dbop.MaxErrors {
				break
			}
			task.Items = append(task.Items, c.warmItem(item, fmt.Sprintf("/args/items/%d", i)))
		}
	}
	return task
}

// warmItem reads one item. What is wrong with it does not keep the others from
// being read.
func (c *checker) warmItem(item WarmItem, at string) Task {
	kinds := []string{string(DBSelectOne), string(DBSelectMany), string(HTTPRequest)}
	if !slices.Contains(kinds, item.Kind) {
		c.Fail(at+"/kind", dbop.CodeNotAllowed, "want db.select_one, db.select_many or http.request, got %s", strictjson.Quote(item.Kind))
		return nil
	}
	entry, _ := c.kinds(item.Kind)
	args := item.Args
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	one := checker{targets: c.targets, kinds: c.kinds}
	task, err := entry.parse(&one, args)
	if err != nil {
		c.addFaults("/args", at+"/args", faultsOf(err))
		return nil
	}
	c.addFaults("/args", at+"/args", one.Errors())
	cached := false
	switch task := task.(type) {
	case *DB:
		cached = task.Cache != nil
	case *HTTP:
		cached = task.Request.Cache != nil
		if m := task.Request.Method; m != http.MethodGet && m != http.MethodHead {
			c.Fail(at+"/args/method", dbop.CodeNotAllowed, "want GET or HEAD; nothing else is kept")
			return task
		}
	}
	if !cached {
		c.Fail(at+"/args/cache", CodeRequired, "the cache is missing; write the key that those who read it name")
	}
	return task
}
