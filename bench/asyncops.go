package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/asyncops/asyncops/sdk"
	"github.com/jackc/pgx/v5"
)

// installation is asyncops with its defaults on a database of its own. close
// ends its processes.
type installation struct {
	b         *bench
	config    string // path of the file
	api       string // address of the REST server
	client    *sdk.Client
	ledger    *pgx.Conn
	processes []*child
	many      bool // the worker runs manyJobs at once, not the default
}

// manyJobs is as many jobs at once as asyncops is fastest with here; River is
// with riverWorkers.
const manyJobs = 2000

type object = map[string]any

// install writes a configuration for the database; nothing runs yet.
func (b *bench) install(ctx context.Context, database, redis string) (*installation, error) {
	api, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(object{ // JSON is YAML
		"api":           object{"listen": api, "auth": "none"},
		"ledger":        object{"dsn": b.postgres.dsn(database)},
		"redis":         object{"url": redis},
		"observability": object{"log_level": "warn"},
		"databases": object{"target": object{
			"dsn": b.postgres.dsn(database), "effects": "required", "tables": object{"facts": object{"write": true}},
		}},
		"clients": object{"upstream": object{
			"base_url": b.upstream.URL, "allow_networks": []string{"127.0.0.0/8"}, "idempotency": object{"header": "Idempotency-Key"},
		}},
	})
	if err != nil {
		return nil, err
	}
	in := &installation{b: b, api: api, config: filepath.Join(b.dir, database+".yaml")}
	if err := os.WriteFile(in.config, config, 0o600); err != nil {
		return nil, err
	}
	if in.client, err = sdk.New("http://"+api, "", sdk.Options{}); err != nil {
		return nil, err
	}
	if err := b.postgres.exec(ctx, database, createFacts); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"migrate"}, {"migrate", "--target", "target"}} {
		if err := in.run(ctx, "asyncops", args...); err != nil {
			return nil, err
		}
	}
	in.ledger, err = pgx.Connect(ctx, b.postgres.dsn(database))
	return in, err
}

// launch starts one of the programs.
func (in *installation) launch(name, program string, args ...string) (*child, error) {
	env := slices.Clone(in.b.env)
	if in.many {
		env = append(env, "ASYNCOPS_WORKER_CONCURRENCY="+strconv.Itoa(manyJobs))
	}
	return start(command{
		name: name, path: filepath.Join(in.b.dir, "bin", program), args: append(args, "--config", in.config),
		env: env, dir: in.b.dir, stop: syscall.SIGTERM,
	})
}

// run runs one of the programs to its end.
func (in *installation) run(ctx context.Context, program string, args ...string) error {
	p, err := in.launch(program, program, args...)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.end()
		return ctx.Err()
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s %s: %s: %s", program, args[0], p.cmd.ProcessState, p.log)
	}
	return nil
}

// start starts a program and waits until it is ready.
func (in *installation) start(ctx context.Context, name, program, addr string, args ...string) error {
	p, err := in.launch(name, program, args...)
	if err != nil {
		return err
	}
	in.processes = append(in.processes, p)
	return p.await(ctx, healthy(addr))
}

// startFrontend starts everything but the worker.
func (in *installation) startFrontend(ctx context.Context) error {
	probe, err := freeAddr()
	if err != nil {
		return err
	}
	if err := in.start(ctx, "scheduler", "scheduler", probe, "--listen", probe); err != nil {
		return err
	}
	return in.start(ctx, "API", "api", in.api)
}

// startWorker starts the worker, which is the last of the processes.
func (in *installation) startWorker(ctx context.Context) error {
	probe, err := freeAddr()
	if err != nil {
		return err
	}
	return in.start(ctx, "worker", "worker", probe, "--listen", probe)
}

// running are the processes that run now.
func (in *installation) running() []*child { return in.processes }

// stopLast stops the process that was started last.
func (in *installation) stopLast() {
	last := len(in.processes) - 1
	in.processes[last].end()
	in.processes = in.processes[:last]
}

func (in *installation) close(ctx context.Context) {
	in.client.Close()
	for len(in.processes) > 0 {
		in.stopLast()
	}
	if in.ledger != nil {
		_ = in.ledger.Close(ctx)
	}
}

// ours keeps the health jobs out of what is counted, which asyncops submits to
// itself.
const ours = " AND kind <> 'system.health'"

// completed is how many jobs of the bench the ledger has as completed.
func (in *installation) completed(ctx context.Context) (n int, err error) {
	err = in.ledger.QueryRow(ctx, "SELECT count(*) FROM asyncops_jobs WHERE state = 'completed'"+ours).Scan(&n)
	return n, err
}

// empty removes all jobs: each drain begins with an empty table, as River's do,
// and has no history that the database would have to tidy up meanwhile.
func (in *installation) empty(ctx context.Context) error {
	_, err := in.ledger.Exec(ctx, "TRUNCATE asyncops_jobs CASCADE")
	return err
}

// firstStart is when the first of the bench's jobs that were started after called was.
func (in *installation) firstStart(ctx context.Context, called time.Time) (time.Time, error) {
	var micros int64
	err := in.ledger.QueryRow(ctx, "SELECT min(started_at) FROM asyncops_jobs WHERE started_at >= $1"+ours, called.UnixMicro()).Scan(&micros)
	return time.UnixMicro(micros), err
}

// submit hands in count jobs over REST, batchSize in a request.
func (in *installation) submit(ctx context.Context, count int, job sdk.Submission) (int, error) {
	for left := count; left > 0; left -= batchSize {
		result, err := in.client.SubmitBatch(ctx, repeat(job, min(left, batchSize)), sdk.BatchOptions{})
		if err != nil {
			return 0, err
		}
		if result.Rejected > 0 {
			return 0, fmt.Errorf("%d jobs were rejected", result.Rejected)
		}
	}
	return count, nil
}

func repeat(job sdk.Submission, count int) iter.Seq[sdk.Submission] {
	return func(yield func(sdk.Submission) bool) {
		for range count {
			if !yield(job) {
				return
			}
		}
	}
}

// idle measures the memory of the process that was started last.
func (in *installation) idle(ctx context.Context, key string) error {
	select { // it settles
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	mib, err := residentMiB(in.processes[len(in.processes)-1].pid())
	if err != nil {
		return err
	}
	in.b.results.add(key, sample{value: mib})
	in.b.progress("%-32s %8.1f MiB", key, mib)
	return nil
}
