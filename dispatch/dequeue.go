package dispatch

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// dequeueClient is the client that an asynq server dequeues through. It lets
// the server ask only while the worker has room, so that a busy worker takes no
// doorbell. It turns the polling of empty queues into waiting: when all queues
// were found empty it holds the last answer back until somebody rings, or for
// maxIdle. When Redis does not answer, it slows the server's loop down, which
// would spin.
//
// asynq dequeues from one goroutine, so the counts need no lock.
type dequeueClient struct {
	redis.UniversalClient

	queues int                            // that the server asks in turn
	room   func(ctx context.Context) bool // waits for room; false when ctx ends first
	wake   <-chan struct{}                // one slot; a hint that something may be there
	done   <-chan struct{}                // closed when the worker takes no more work

	empty   int           // empty answers in a row
	backoff time.Duration // after the latest error
}

const (
	// maxIdle is how long an answer is held back: the net for lost wake-ups. It
	// is short because asynq counts the lease of a doorbell, 30 s, from before.
	maxIdle         = 500 * time.Millisecond
	minErrorBackoff = 50 * time.Millisecond
	maxErrorBackoff = time.Second
)

// EvalSha runs a script; asynq's dequeue is told by its keys.
func (c *dequeueClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	ask := func() *redis.Cmd { return c.UniversalClient.EvalSha(ctx, sha, keys, args...) }
	if !isDequeue(keys) {
		return ask()
	}
	return c.dequeue(ctx, ask)
}

// Eval is what asynq falls back to when Redis does not know the script yet.
func (c *dequeueClient) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	ask := func() *redis.Cmd { return c.UniversalClient.Eval(ctx, script, keys, args...) }
	if !isDequeue(keys) {
		return ask()
	}
	return c.dequeue(ctx, ask)
}

func isDequeue(keys []string) bool { return len(keys) == 4 && isPendingKey(keys[0]) }

// dequeue asks if there is room, or soon is. Otherwise the queue is as good as
// empty.
func (c *dequeueClient) dequeue(ctx context.Context, ask func() *redis.Cmd) *redis.Cmd {
	timed, cancel := context.WithTimeout(ctx, maxIdle)
	defer cancel()
	if !c.room(timed) || c.stopped() {
		nothing := redis.NewCmd(ctx)
		nothing.SetErr(redis.Nil)
		return nothing
	}
	cmd := ask()
	c.pace(cmd.Err())
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

func (c *dequeueClient) stopped() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *dequeueClient) wait(d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-c.done:
	}
}
