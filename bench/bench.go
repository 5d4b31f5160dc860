package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// bench holds what all rounds share. close ends it.
type bench struct {
	plan     plan
	env      []string // of asyncops' processes
	dir      string   // temporary
	log      io.Writer
	postgres postgres
	redis    *child
	keys     *redis.Client
	upstream *httptest.Server // answers every request at once
	results  results
}

// open builds asyncops and starts the servers.
func open(ctx context.Context, p plan, env []string, log io.Writer) (_ *bench, err error) {
	dir, err := os.MkdirTemp("", "asyncops-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{plan: p, env: withoutSettings(env), dir: dir, log: log, results: results{}}
	b.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // who hangs up needs no answer
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	b.progress("building asyncops")
	if err = build(ctx, p.root, filepath.Join(dir, "bin"), b.env); err != nil {
		return nil, err
	}
	if b.postgres, err = startPostgres(ctx, dir); err != nil {
		return nil, err
	}
	if b.redis, b.keys, err = startRedis(ctx, dir); err != nil {
		return nil, err
	}
	return b, nil
}

// close ends the servers and removes their files.
func (b *bench) close() {
	if b.keys != nil {
		_ = b.keys.Close()
		b.redis.end()
	}
	if b.postgres.child != nil {
		b.postgres.end()
	}
	b.upstream.Close()
	_ = os.RemoveAll(b.dir)
}

func (b *bench) progress(format string, args ...any) {
	_, _ = fmt.Fprintf(b.log, format+"\n", args...) // a closed terminal does not end the run
}

// round measures everything once, each on a database of its own.
func (b *bench) round(ctx context.Context, n int) error {
	b.progress("round %d of %d", n+1, b.plan.rounds)
	for i := range steps {
		step := steps[(i+n)%len(steps)] // no step always comes after the same other
		if !b.plan.runs(step.name) {
			continue
		}
		database := step.name + strconv.Itoa(n)
		if err := b.postgres.exec(ctx, "postgres", "CREATE DATABASE "+database+" TEMPLATE template0"); err != nil {
			return err
		}
		if err := b.keys.FlushAll(ctx).Err(); err != nil {
			return err
		}
		if err := step.do(b, ctx, database); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := b.postgres.exec(ctx, "postgres", "DROP DATABASE "+database+" WITH (FORCE)"); err != nil {
			return err
		}
		// What one leaves to be written is not the next one's to wait for.
		if err := b.postgres.exec(ctx, "postgres", "CHECKPOINT"); err != nil {
			return err
		}
	}
	return nil
}

// How often a drain is asked how far it is, the same for all: to count costs
// PostgreSQL time that is not to tell on the result.
const (
	pollInterval = 50 * time.Millisecond
	pollShare    = 20 // of the time at most one in so many goes into asking
)

// awaitNumber asks until the answer is want.
func awaitNumber(ctx context.Context, want int, ask func(context.Context) (int, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		asked := time.Now()
		n, err := ask(ctx)
		switch {
		case err != nil:
			return err
		case n == want:
			return nil
		}
		select {
		case <-time.After(max(pollInterval, pollShare*time.Since(asked))):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d: %w", n, want, ctx.Err())
		}
	}
}
