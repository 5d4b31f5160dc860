package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// The API is killed again and again while jobs are submitted. Callers that
// repeat what they got no answer to, under the same Idempotency-Key, make one
// job for each key, and every id that was answered is found.
func TestAcceptanceSurvivesKills(t *testing.T) {
	t.Parallel()
	const (
		kills     = 10
		writers   = 6 // that submit one by one
		bulk      = 2 // that submit batches
		batchSize = 20
	)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	redis, target := testkit.Redis(t), testkit.PostgresDatabase(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target)
	s.table("facts")
	db := openPostgres(t, target)
	execute(t, db, `CREATE TABLE facts (n integer)`)
	s.migrate()
	s.startScheduler()
	s.startWorker()
	api := s.startAPI()

	c := &client{caller: s.caller}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var submitting sync.WaitGroup
	failed := make([]error, writers+bulk)
	for w := range writers + bulk {
		submitting.Go(func() {
			if w < writers {
				failed[w] = c.submitUntil(ctx)
			} else {
				failed[w] = c.batchUntil(ctx, batchSize)
			}
		})
	}
	for range kills {
		pause(t, 50*time.Millisecond+time.Duration(random.Int64N(int64(200*time.Millisecond))))
		api.Kill()
		api = s.start("cmd/api")
		api.WaitHealthy(startTimeout, s.url+"/readyz")
	}
	stop()
	submitting.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	ids := c.accepted()
	t.Logf("%d jobs; %d submissions had to be repeated, %d of them had been accepted before", len(ids), c.repeated.Load(), c.replayed.Load())
	s.awaitCount(t, time.Minute, "completed", len(ids))
	deliveries := map[string]int{}
	for _, j := range s.requireCompleted(t, ids) {
		deliveries[j.Delivery]++
	}
	// Already the first answers after a start know what the target is worth.
	if deliveries["exactly_once_effect"] != len(ids) {
		t.Errorf("deliveries %v, want all %d exactly_once_effect", deliveries, len(ids))
	}
	requireNumber(t, db, len(ids), "SELECT count(*) FROM facts")
	requireNumber(t, db, len(ids), "SELECT count(DISTINCT n) FROM facts")
}

// client submits inserts, each under a key of its own, and repeats what was
// not answered. It is safe for concurrent use.
type client struct {
	*caller
	next               atomic.Int64
	repeated, replayed atomic.Int64

	mu  sync.Mutex
	ids []string // guarded by mu; one for each key
}

func (c *client) accepted() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids
}

// submitUntil submits one job after the other until ctx ends, and sees the
// last through.
func (c *client) submitUntil(ctx context.Context) error {
	for ctx.Err() == nil {
		n := int(c.next.Add(1))
		key := fmt.Sprintf("fact-%d", n)
		a, err := c.insist(func(ctx context.Context) (answer, error) {
			return c.call(ctx, http.MethodPost, "/v1/jobs", insert("facts", n), "Idempotency-Key", key)
		})
		if err != nil {
			return err
		}
		id, err := acceptedID(a)
		if err != nil {
			return err
		}
		if a.header.Get("Idempotency-Replayed") == "true" {
			c.replayed.Add(1)
		}
		c.mu.Lock()
		c.ids = append(c.ids, id)
		c.mu.Unlock()
	}
	return nil
}

// batchUntil submits one batch after the other until ctx ends.
func (c *client) batchUntil(ctx context.Context, size int) error {
	for ctx.Err() == nil {
		items := inserts("facts", int(c.next.Add(int64(size)))-size+1, size)
		for i := range items {
			items[i]["idempotency_key"] = fmt.Sprintf("batch-%v", items[i]["args"].(object)["values"].(object)["n"])
		}
		var ids []string
		_, err := c.insist(func(ctx context.Context) (answer, error) {
			var err error
			ids, err = c.batch(ctx, items)
			return answer{}, err
		})
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.ids = append(c.ids, ids...)
		c.mu.Unlock()
	}
	return nil
}

// insist repeats a submission until it is answered: not cut off, and not told
// to come back later.
func (c *client) insist(submit func(context.Context) (answer, error)) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		a, err := submit(ctx)
		if err == nil && a.status != http.StatusServiceUnavailable && a.status != http.StatusConflict {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, fmt.Errorf("gave up after %s: %w", a, errors.Join(err, ctx.Err()))
		}
		c.repeated.Add(1)
		timer := time.NewTimer(10 * time.Millisecond)
		<-timer.C
	}
}
