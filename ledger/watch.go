package ledger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxCountedDead is up to where dead letters are counted.
const maxCountedDead = 10_000

// DeadLetters counts the jobs archived within the time before now, up to 10,000.
// It reads the index of those alone.
func (l *Ledger) DeadLetters(ctx context.Context, within time.Duration) (int, error) {
	var n int
	const query = `SELECT count(*) FROM (SELECT 1 FROM asyncops_jobs
		WHERE state = 'archived' AND finished_at > ?now - ? ORDER BY finished_at LIMIT ?) AS dead`
	err := l.read.NewRaw(l.timed(query), within.Microseconds(), maxCountedDead).Scan(ctx, &n)
	return n, l.wrap(err, "count dead letters")
}

// QueueAge is how long the oldest job of a queue that may start has been due.
type QueueAge struct {
	Queue  string
	Paused bool
	Oldest time.Duration // zero when none waits
}

// QueueAges returns the ages of all known queues. Of each it reads the first
// job without a doorbell and those that have one, which are a window at most.
func (l *Ledger) QueueAges(ctx context.Context) ([]QueueAge, error) {
	var rows []struct {
		Name        string
		Paused      bool
		Now         int64
		First, Rung *int64
	}
	const first = `(SELECT run_at FROM asyncops_jobs WHERE queue = q.name AND rung_at = 0 AND ` + startable + ` ORDER BY run_at LIMIT 1)`
	const rung = `(SELECT min(run_at) FROM asyncops_jobs WHERE queue = q.name AND rung_at > 0 AND ` + startable + `)`
	const query = `SELECT name, paused, ?now AS now, ` + first + ` AS first, ` + rung + ` AS rung FROM asyncops_queues AS q ORDER BY name`
	if err := l.read.NewRaw(l.timed(query)).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "look at the queues' oldest jobs")
	}
	ages := make([]QueueAge, len(rows))
	for i, r := range rows {
		ages[i] = QueueAge{Queue: r.Name, Paused: r.Paused}
		for _, at := range []*int64{r.First, r.Rung} {
			if at != nil {
				ages[i].Oldest = max(ages[i].Oldest, time.Duration(r.Now-*at)*time.Microsecond)
			}
		}
	}
	return ages, nil
}

// LostWorker is a worker whose lease ended, and in whose place none has come.
type LostWorker struct {
	ID     string
	BeatAt time.Time // when it was heard of last
}

// replaceWithin is how long it matters that a worker was lost.
const replaceWithin = time.Hour

// LostWorkers lists the workers lost within the last hour, the first that began
// first. A worker that joined after one was last heard of, and serves the same
// queues, has taken its place; it takes only one.
func (l *Ledger) LostWorkers(ctx context.Context) ([]LostWorker, error) {
	var rows []struct {
		ID        string
		Queues    string
		StartedAt micros
		BeatAt    micros
		LostAt    micros // zero: it was not
	}
	const query = `SELECT id, queues, started_at, beat_at, lost_at FROM asyncops_workers
		WHERE lost_at > ?now - ? OR started_at > ?now - ? ORDER BY started_at, id`
	window := replaceWithin.Microseconds()
	if err := l.read.NewRaw(l.timed(query), window, 2*window).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "look for lost workers")
	}
	taken := make([]bool, len(rows))
	var found []LostWorker
	for _, w := range rows {
		if w.LostAt == 0 {
			continue
		}
		replaced := false
		for i, r := range rows {
			if !taken[i] && r.StartedAt > w.BeatAt && r.Queues == w.Queues {
				taken[i], replaced = true, true
				break
			}
		}
		if !replaced {
			found = append(found, LostWorker{ID: w.ID, BeatAt: w.BeatAt.time()})
		}
	}
	return found, nil
}

// Process is what a process tells of its memory.
type Process struct {
	ID    string // unique over all lives
	Role  string // api, worker, scheduler or dev
	Host  string
	PID   int
	Used  int64 // bytes
	Limit int64 // bytes; more than zero
}

// freshProcess is how old what a process told may be to count.
const freshProcess = 20 * time.Second

// TellProcess writes down what a process tells of itself.
func (l *Ledger) TellProcess(ctx context.Context, p Process) error {
	const query = `INSERT INTO asyncops_processes (id, role, host, pid, memory_used, memory_limit, beat_at) VALUES (?, ?, ?, ?, ?, ?, ?now)
		ON CONFLICT (id) DO UPDATE SET memory_used = EXCLUDED.memory_used, memory_limit = EXCLUDED.memory_limit, beat_at = EXCLUDED.beat_at`
	_, err := l.exec(ctx, query, p.ID, p.Role, p.Host, p.PID, p.Used, p.Limit)
	return l.wrap(err, "tell of process %s", p.ID)
}

// ForgetProcess deletes what a process has told.
func (l *Ledger) ForgetProcess(ctx context.Context, id string) error {
	_, err := l.exec(ctx, `DELETE FROM asyncops_processes WHERE id = ? OR beat_at < ?now - ?`, id, keepWorkers.Microseconds())
	return l.wrap(err, "forget process %s", id)
}

// Processes lists what the processes that are alive tell of their memory.
func (l *Ledger) Processes(ctx context.Context) ([]Process, error) {
	var rows []struct {
		ID, Role, Host string
		PID            int   `bun:"pid"`
		Used           int64 `bun:"memory_used"`
		Limit          int64 `bun:"memory_limit"`
	}
	const query = `SELECT id, role, host, pid, memory_used, memory_limit FROM asyncops_processes WHERE beat_at > ?now - ? ORDER BY id`
	if err := l.read.NewRaw(l.timed(query), freshProcess.Microseconds()).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "list processes")
	}
	found := make([]Process, len(rows))
	for i, r := range rows {
		found[i] = Process(r)
	}
	return found, nil
}

// freshRuns is how old a worker's last beat may be for its runs to count.
const freshRuns = 10 * time.Second

// RecentRuns is how the runs of the last minute ended, of all workers that are
// alive.
func (l *Ledger) RecentRuns(ctx context.Context) (job.RunWindow, error) {
	var texts []string
	const query = `SELECT runs FROM asyncops_workers WHERE state <> 'gone' AND runs IS NOT NULL AND beat_at > ?now - ?`
	if err := l.read.NewRaw(l.timed(query), freshRuns.Microseconds()).Scan(ctx, &texts); err != nil {
		return job.RunWindow{}, l.wrap(err, "look at recent runs")
	}
	var sum job.RunWindow
	for _, text := range texts {
		var w job.RunWindow
		if err := json.Unmarshal([]byte(text), &w); err != nil {
			return job.RunWindow{}, l.wrap(err, "look at recent runs")
		}
		sum = sum.Add(w)
	}
	return sum, nil
}
