package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// dequeueClient is the client that an asynq server dequeues through. It turns
// the polling of empty queues into waiting: when all queues were found empty it
// holds the last answer back until somebody rings, or for maxIdle. When Redis
// does not answer, it slows the server's loop down, which would spin.
//
// asynq dequeues from one goroutine, so the count of empty answers needs no lock.
type dequeueClient struct {
	redis.UniversalClient

	queues int             // that the server asks in turn
	wake   <-chan struct{} // one slot; a hint that something may be there
	stop   chan struct{}   // closed by release
	once   sync.Once

	empty   int           // empty answers in a row
	backoff time.Duration // after the latest error
}

const (
	maxIdle         = 500 * time.Millisecond // the net for lost wake-ups
	minErrorBackoff = 50 * time.Millisecond
	maxErrorBackoff = time.Second
)

func newDequeueClient(client redis.UniversalClient, queues int, wake <-chan struct{}) *dequeueClient {
	return &dequeueClient{UniversalClient: client, queues: queues, wake: wake, stop: make(chan struct{})}
}

// release ends all waiting, now and later, so that the server can stop.
func (c *dequeueClient) release() { c.once.Do(func() { close(c.stop) }) }

// EvalSha runs a script; asynq's dequeue is told by its keys.
func (c *dequeueClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	cmd := c.UniversalClient.EvalSha(ctx, sha, keys, args...)
	if len(keys) == 4 && isPendingKey(keys[0]) {
		c.pace(cmd.Err())
	}
	return cmd
}

// Eval is what asynq falls back to when Redis does not know the script yet.
func (c *dequeueClient) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	cmd := c.UniversalClient.Eval(ctx, script, keys, args...)
	if len(keys) == 4 && isPendingKey(keys[0]) {
		c.pace(cmd.Err())
	}
	return cmd
}

func (c *dequeueClient) pace(err error) {
	switch {
	case err == nil:
		c.empty, c.backoff = 0, 0
	case errors.Is(err, redis.Nil):
		c.backoff = 0
		if c.empty++; c.empty >= c.queues {
			c.empty = 0
			c.wait(maxIdle, c.wake)
		}
	case redis.HasErrorPrefix(err, "NOSCRIPT"):
	default:
		c.empty = 0
		c.backoff = min(max(2*c.backoff, minErrorBackoff), maxErrorBackoff)
		c.wait(c.backoff, nil)
	}
}

func (c *dequeueClient) wait(d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-c.stop:
	}
}
