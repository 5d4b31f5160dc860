package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// fakeLedger keeps jobs in memory and behaves as api.Ledger documents. It
// moves no job by itself.
type fakeLedger struct {
	mu       sync.Mutex
	down     error                       // answered by every method; guarded by mu
	order    []job.ID                    // guarded by mu
	jobs     map[job.ID]*job.Job         // guarded by mu
	keys     map[[2]string]job.ID        // guarded by mu
	marks    map[[2]string][32]byte      // guarded by mu
	attempts map[job.ID][]job.Attempt    // guarded by mu
	paused   map[string]bool             // guarded by mu
	ended    map[job.ID]chan struct{}    // closed when the job ends; guarded by mu
	accepts  int                         // calls that got through; guarded by mu
	onAccept func(context.Context) error // runs before Accept; may be nil
	workers  []api.Worker                // guarded by mu
	plans    map[string]job.Schedule     // guarded by mu
	running  []job.Job                   // guarded by mu
	signals  []string                    // what Signals was told; guarded by mu
	waiting  chan struct{}               // one value for each Wait that began
	moved    chan struct{}               // one slot: moves has something
	moves    map[job.ID]bool             // guarded by mu
	deaf     bool                        // moves are lost; guarded by mu
	glances  int                         // guarded by mu
}

func newFakeLedger() *fakeLedger {
	return &fakeLedger{
		jobs: map[job.ID]*job.Job{}, keys: map[[2]string]job.ID{}, marks: map[[2]string][32]byte{},
		attempts: map[job.ID][]job.Attempt{}, paused: map[string]bool{"default": false, "critical": false},
		plans: map[string]job.Schedule{}, ended: map[job.ID]chan struct{}{}, waiting: make(chan struct{}, 100), moved: make(chan struct{}, 1), moves: map[job.ID]bool{},
	}
}

func (f *fakeLedger) Accept(ctx context.Context, jobs []job.Job, atomic bool) ([]job.Accepted, error) {
	if f.onAccept != nil {
		if err := f.onAccept(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, fmt.Errorf("ledger: accept: %w", f.down)
	}
	f.accepts++
	answers := make([]job.Accepted, len(jobs))
	refused := false
	for i, j := range jobs {
		answers[i].Job = j
		key := [2]string{j.Owner, j.IdempotencyKey}
		first, known := f.keys[key]
		switch {
		case j.IdempotencyKey == "" || !known:
		case f.marks[key] != j.Fingerprint:
			answers[i].Err, refused = job.ErrIdempotencyMismatch, true
		case f.jobs[first] == nil:
			answers[i].Err, refused = fmt.Errorf("deleted: %w", job.ErrNotFound), true
		default:
			answers[i] = job.Accepted{Job: *f.jobs[first], Replayed: true}
		}
	}
	if atomic && refused {
		return answers, nil
	}
	for i := range jobs {
		if answers[i].Err == nil && !answers[i].Replayed {
			f.put(jobs[i])
		}
	}
	return answers, nil
}

// put stores a job. f.mu is held.
func (f *fakeLedger) put(j job.Job) {
	f.jobs[j.ID] = &j
	f.order = append(f.order, j.ID)
	f.ended[j.ID] = make(chan struct{})
	if j.State.Terminal() {
		close(f.ended[j.ID])
	}
	if j.IdempotencyKey != "" {
		f.keys[[2]string{j.Owner, j.IdempotencyKey}] = j.ID
		f.marks[[2]string{j.Owner, j.IdempotencyKey}] = j.Fingerprint
	}
}

// add stores a job as if it had been there before, with an id if it has none.
func (f *fakeLedger) add(j job.Job) job.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	if j.ID == "" {
		j.ID = job.NewID()
	}
	f.put(j)
	return j.ID
}

// finish ends a job.
func (f *fakeLedger) finish(id job.ID, state job.State, result string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs[id].State, f.jobs[id].Result = state, json.RawMessage(result)
	close(f.ended[id])
}

func (f *fakeLedger) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

func (f *fakeLedger) last() job.Job {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.jobs[f.order[len(f.order)-1]]
}

func (f *fakeLedger) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs)
}

// with calls do with the job unless the ledger is down or has no such job.
func (f *fakeLedger) with(id job.ID, do func(*job.Job) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return fmt.Errorf("ledger: %w", f.down)
	}
	j := f.jobs[id]
	if j == nil {
		return fmt.Errorf("ledger: %s: %w", id, job.ErrNotFound)
	}
	return do(j)
}

func (f *fakeLedger) Get(_ context.Context, id job.ID) (*job.Job, error) {
	var out job.Job
	err := f.with(id, func(j *job.Job) error { out = *j; return nil })
	return &out, err
}

func (f *fakeLedger) Search(_ context.Context, filter api.Filter) ([]job.Job, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, "", f.down
	}
	ids := slices.Clone(f.order)
	if !filter.Ascending {
		slices.Reverse(ids)
	}
	if filter.Cursor != "" {
		at := slices.Index(ids, job.ID(strings.TrimPrefix(filter.Cursor, "after:")))
		if at < 0 {
			return nil, "", job.ErrMalformedCursor
		}
		ids = ids[at+1:]
	}
	var page []job.Job
	for _, id := range ids {
		j := f.jobs[id]
		if j == nil || !matches(j, filter) {
			continue
		}
		if len(page) == filter.Limit {
			return page, "after:" + string(page[len(page)-1].ID), nil
		}
		shown := *j
		if !filter.Payload {
			shown.Args, shown.Result = nil, nil
		}
		page = append(page, shown)
	}
	return page, "", nil
}

func matches(j *job.Job, f api.Filter) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, j.State)) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, j.Kind)) &&
		(len(f.Queues) == 0 || slices.Contains(f.Queues, j.Queue)) &&
		(f.Tag == "" || slices.Contains(j.Tags, f.Tag)) &&
		(f.CreatedAfter.IsZero() || j.CreatedAt.After(f.CreatedAfter)) &&
		(f.CreatedBefore.IsZero() || j.CreatedAt.Before(f.CreatedBefore)) &&
		strings.HasPrefix(string(j.ID), f.Query)
}

func (f *fakeLedger) Attempts(_ context.Context, id job.ID) (list []job.Attempt, err error) {
	err = f.with(id, func(*job.Job) error { list = slices.Clone(f.attempts[id]); return nil })
	return list, err
}

func (f *fakeLedger) Cancel(_ context.Context, id job.ID) (*job.Job, error) {
	var out job.Job
	err := f.with(id, func(j *job.Job) error {
		switch {
		case j.State.Terminal():
			return job.ErrTerminal
		case j.State == job.Active:
			j.CancelRequested = true
		default:
			j.State = job.Canceled
			close(f.ended[id])
		}
		out = *j
		return nil
	})
	return &out, err
}

func (f *fakeLedger) Revive(_ context.Context, id job.ID, what *job.Work) (*job.Job, error) {
	var out job.Job
	err := f.with(id, func(j *job.Job) error {
		if !j.State.Terminal() || !job.Legal(j.State, job.Pending) {
			return job.ErrNotRevivable
		}
		j.State, j.Generation, j.Error, j.Result = job.Pending, j.Generation+1, nil, nil
		if what != nil {
			j.Args, j.Delivery, j.RunOnce = what.Args, what.Delivery, what.RunOnce
		}
		f.ended[id] = make(chan struct{})
		out = *j
		return nil
	})
	return &out, err
}

func (f *fakeLedger) Reschedule(_ context.Context, id job.ID, at time.Time) (*job.Job, error) {
	var out job.Job
	err := f.with(id, func(j *job.Job) error {
		switch {
		case j.State.Terminal():
			return job.ErrTerminal
		case j.State != job.Scheduled && j.State != job.Pending:
			return job.ErrStarted
		case !j.Deadline.IsZero() && !at.Before(j.Deadline):
			return job.Invalid("/run_at", "out_of_range", "run_at is not before the job's deadline")
		}
		if j.State, j.RunAt = job.Pending, at; at.After(testNow) {
			j.State = job.Scheduled
		}
		out = *j
		return nil
	})
	return &out, err
}

func (f *fakeLedger) PurgeQueue(_ context.Context, name string, limit int) (events []job.Event, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.paused[name]; !known {
		return nil, job.ErrNotFound
	}
	for _, id := range f.order {
		if j := f.jobs[id]; j != nil && j.Queue == name && !j.State.Terminal() && j.State != job.Active && len(events) < limit {
			j.State = job.Canceled
			events = append(events, job.Event{Job: id, State: j.State})
		}
	}
	return events, f.down
}

func (f *fakeLedger) FailureGroups(_ context.Context, states []job.State, queues, kinds []string, limit int) (groups []job.FailureGroup, examined int, complete bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range f.order {
		j := f.jobs[id]
		if j == nil || !matches(j, api.Filter{States: states, Queues: queues, Kinds: kinds}) {
			continue
		}
		examined++
		i := slices.IndexFunc(groups, func(g job.FailureGroup) bool { return g.Code == j.Error.Code && g.Kind == j.Kind && g.State == j.State })
		if i < 0 {
			i, groups = len(groups), append(groups, job.FailureGroup{Code: j.Error.Code, Kind: j.Kind, State: j.State, FirstAt: testNow})
		}
		groups[i].Jobs++
		groups[i].Sample, groups[i].LastAt = id, testNow
	}
	return groups[:min(limit, len(groups))], examined, true, f.down
}

func (f *fakeLedger) DrainWorker(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.workers {
		if f.workers[i].ID == id && f.workers[i].State != "gone" {
			f.workers[i].State = "draining"
			return f.down
		}
	}
	return job.ErrNotFound
}

func (f *fakeLedger) Delete(_ context.Context, id job.ID) error {
	return f.with(id, func(j *job.Job) error {
		if !j.State.Terminal() {
			return job.ErrNotTerminal
		}
		delete(f.jobs, id)
		return nil
	})
}

func (f *fakeLedger) Queues(_ context.Context, names ...string) ([]api.Queue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	var queues []api.Queue
	for _, name := range []string{"critical", "default"} {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		q := api.Queue{Name: name, Paused: f.paused[name], Counts: map[job.State]int{}, Now: testNow}
		for _, j := range f.jobs {
			if j.Queue == name {
				q.Counts[j.State]++
				q.Oldest = testNow.Add(-90 * time.Second)
			}
		}
		queues = append(queues, q)
	}
	return queues, nil
}

func (f *fakeLedger) PauseQueue(_ context.Context, name string, paused bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.paused[name]; !known {
		return job.ErrNotFound
	}
	f.paused[name] = paused
	return f.down
}

func (f *fakeLedger) Workers(context.Context) ([]api.Worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.workers, f.down
}

func (f *fakeLedger) Running(_ context.Context, args bool) ([]job.Job, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	jobs := slices.Clone(f.running)
	for i := range jobs {
		if !args {
			jobs[i].Args = nil
		}
	}
	return jobs, f.down
}

// Wake, Stop and Wait make it api.Signals too.
func (f *fakeLedger) Wake(queue string) { f.note("wake " + queue) }
func (f *fakeLedger) Stop(id job.ID)    { f.note("stop " + string(id)) }

func (f *fakeLedger) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signals = append(f.signals, s)
}

func (f *fakeLedger) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.signals)
}

func (f *fakeLedger) Wait(ctx context.Context, id job.ID) error {
	f.mu.Lock()
	ended := f.ended[id]
	f.mu.Unlock()
	f.waiting <- struct{}{}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fakeLedger) Moved(j *job.Job) { f.move(j.ID) }

// move says that a job has moved.
func (f *fakeLedger) move(ids ...job.ID) {
	f.mu.Lock()
	for _, id := range ids {
		f.moves[id] = true
	}
	f.mu.Unlock()
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

func (f *fakeLedger) Moves() api.Moves { return fakeMoves{f} }

type fakeMoves struct{ *fakeLedger }

func (m fakeMoves) Ready() <-chan struct{} { return m.moved }
func (m fakeMoves) Close()                 {}

func (m fakeMoves) Take() (ids []job.ID, lost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.moves {
		ids = append(ids, id)
	}
	clear(m.moves)
	return ids, m.deaf
}

func (f *fakeLedger) Glance(_ context.Context, g job.Glance) (seen job.Glimpse, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.glances++
	if f.down != nil {
		return seen, f.down
	}
	show := func(j *job.Job) job.Job {
		shown := *j
		shown.Result = nil
		if !g.Args {
			shown.Args = nil
		}
		return shown
	}
	for _, id := range g.IDs {
		if j := f.jobs[id]; j != nil {
			seen.Named = append(seen.Named, show(j))
		}
	}
	for _, id := range slices.Backward(f.order) {
		j := f.jobs[id]
		if j == nil {
			continue
		}
		if !g.Since.IsZero() && id >= job.IDBound(g.Since) && len(seen.New) < g.Limit {
			seen.New = append(seen.New, show(j))
		}
		if g.Active && j.State == job.Active && len(seen.Active) < g.Limit {
			seen.Active = append(seen.Active, show(j))
		}
	}
	return seen, nil
}

// edit changes a job, and says that it has moved.
func (f *fakeLedger) edit(id job.ID, change func(*job.Job)) {
	f.mu.Lock()
	change(f.jobs[id])
	f.mu.Unlock()
	f.move(id)
}

// blockUntilDone is a ledger that takes for ever.
func blockUntilDone(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("ledger: accept: %w", context.Cause(ctx))
}
