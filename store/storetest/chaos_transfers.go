package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

// Transfers of several steps go on while connections are ended in the middle of
// them, and the server is killed, aborted and frozen: no money is lost, made or
// moved twice, and no transfer is there in parts.
func testTransfersThroughFaults(t *testing.T, h Harness) {
	if h.Server == nil {
		t.Skip("this database has no server to hurt")
	}
	server := h.Server(t)
	b := startBank(t, h, server.Database, 4, func(cfg *store.Config) {
		impatient(cfg)
		cfg.StatementTimeout = 4 * time.Second
	})
	orders := make([]string, 50)
	random := testkit.Random(t)
	for i := range orders {
		orders[i] = b.order(random)
	}
	var moved atomic.Int64
	c := b.workOn(8, func(ctx context.Context, e *store.Effect) error {
		args := orders[int(e.Job[len(e.Job)-1])%len(orders)] // the same in all attempts of a job
		_, err := b.RunTransaction(ctx, b.transaction(args), e)
		var failure *job.Failure
		if errors.As(err, &failure) && failure.Code == job.CodeUnexpectedRows { // too little money: decided, too
			return nil
		}
		if err == nil {
			moved.Add(1)
		}
		return err
	})
	back := func() { c.more(&c.done, 20, patience) }
	back()
	for range 20 {
		server.KillOne(t)
		c.more(&c.done, 1, patience)
	}
	ends := []func(){server.Kill, server.Kill}
	if server.Abort != nil {
		ends = append(ends, server.Abort)
	}
	for _, end := range ends {
		end()
		c.more(&c.failed, 8, patience)
		server.Restart()
		back()
	}
	server.Freeze()
	c.more(&c.failed, 8, patience)
	server.Thaw()
	back()
	c.rest()
	b.settled(int(moved.Load()))
	t.Logf("%d transfers, %d decided, %d failed runs", moved.Load(), c.done.Load(), c.failed.Load())
}
