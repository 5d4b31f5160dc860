package ledgertest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// Model holds the ledger, which must be migrated and used by nobody else,
// against a model of the state machine, over random moves. The model and the
// ledger must agree on every job after every move; epochs never fall, states
// change by legal moves only, and only Revive leaves a terminal one.
func Model(t *testing.T, l *ledger.Ledger) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{l: l, t: t, queue: "q-" + string(job.NewID()), jobs: map[job.ID]*modelJob{}}
		m.workers = []string{m.join(rt), m.join(rt)}
		rt.Repeat(map[string]func(*rapid.T){
			"":       m.agree,
			"accept": m.accept,
			"claim":  m.claim,
			"finish": m.finish,
			"reap":   m.reap,
			"cancel": m.cancel,
			"revive": m.revive,
			"lapse":  m.lapse,
			"ring":   m.ring,
			"refuse": m.refuse,
		})
	})
}

// model is what the ledger ought to hold.
type model struct {
	l       *ledger.Ledger
	t       *testing.T
	queue   string
	workers []string
	ids     []job.ID
	jobs    map[job.ID]*modelJob
	bells   []job.Doorbell
}

func must(rt *rapid.T, err error) {
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *model) join(rt *rapid.T) string {
	id := "w-" + string(job.NewID())
	must(rt, m.l.Join(m.t.Context(), job.Worker{ID: id}, time.Hour))
	return id
}

// pick draws one of the jobs; rapid skips the move when there is none.
func (m *model) pick(rt *rapid.T) (job.ID, *modelJob) {
	if len(m.ids) == 0 {
		rt.Skip("no job")
	}
	id := rapid.SampledFrom(m.ids).Draw(rt, "job")
	return id, m.jobs[id]
}

func (m *model) accept(rt *rapid.T) {
	if len(m.ids) == 5 {
		rt.Skip("enough")
	}
	j := newJobs(1, nil)[0]
	j.Queue, j.State = m.queue, rapid.SampledFrom([]job.State{job.Waiting, job.Scheduled, job.Pending}).Draw(rt, "state")
	mj := &modelJob{state: j.State, exactly: rapid.Bool().Draw(rt, "exactly"), over: rapid.IntRange(0, 4).Draw(rt, "over") == 0}
	if mj.exactly {
		j.Delivery = job.ExactlyOnceEffect
	}
	if mj.over {
		j.Deadline = time.Now().Add(-time.Hour)
	}
	if j.State == job.Scheduled {
		mj.later = rapid.Bool().Draw(rt, "later")
		j.RunAt = time.Now().Add(map[bool]time.Duration{true: time.Hour, false: -time.Hour}[mj.later])
	}
	mj.seen = mj.state
	_, err := m.l.Accept(m.t.Context(), ledger.Batch{Jobs: []job.Job{j}})
	must(rt, err)
	m.ids, m.jobs[j.ID] = append(m.ids, j.ID), mj
}

func (m *model) claim(rt *rapid.T) {
	worker := rapid.SampledFrom(m.workers).Draw(rt, "worker")
	isolated := rapid.IntRange(0, 3).Draw(rt, "isolated") == 0
	var got []job.Job
	var err error
	want := map[job.ID]bool{}
	if isolated {
		got, err = m.l.ClaimIsolated(m.t.Context(), worker, []string{m.queue})
		for _, j := range got { // any of them
			mj := m.jobs[j.ID]
			want[j.ID] = mj.state.Startable() && !mj.later && !mj.over && mj.verdict == "" && mj.crashes >= job.IsolationCrashes
		}
	} else {
		ids := rapid.SliceOfDistinct(rapid.SampledFrom(append([]job.ID{job.NewID()}, m.ids...)), rapid.ID).Draw(rt, "ids")
		got, err = m.l.Claim(m.t.Context(), worker, ids)
		for _, id := range ids {
			if mj := m.jobs[id]; mj != nil && mj.eligible() {
				want[id] = true
			}
		}
	}
	must(rt, err)
	if len(got) != len(want) {
		rt.Fatalf("claimed %d jobs, want %d", len(got), len(want))
	}
	for _, j := range got {
		if !want[j.ID] {
			rt.Fatalf("claimed %s, which may not start", j.ID)
		}
		mj := m.jobs[j.ID]
		mj.state, mj.epoch, mj.worker, mj.bell = job.Active, mj.epoch+1, worker, ""
		if mj.verdict == "" {
			mj.attempt++
			mj.ran = true
		}
	}
}

func (m *model) finish(rt *rapid.T) {
	id, mj := m.pick(rt)
	epoch := mj.epoch + int64(rapid.SampledFrom([]int{0, 0, 0, -1, 1}).Draw(rt, "epoch"))
	o := job.Outcome{Job: id, Epoch: epoch, State: rapid.SampledFrom([]job.State{
		job.Completed, job.Retry, job.Parked, job.Pending, job.Archived, job.Canceled, job.Unknown,
	}).Draw(rt, "outcome")}
	if o.State == job.Retry || o.State == job.Parked {
		o.Delay = rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(rt, "delay")
		if mj.exactly && rapid.Bool().Draw(rt, "verdict") {
			o.State, o.Verdict = job.Parked, &job.Verdict{State: job.Archived}
		}
	}
	superseded, err := m.l.Finish(m.t.Context(), []job.Outcome{o})
	must(rt, err)
	current := mj.state == job.Active && epoch == mj.epoch
	if (len(superseded) == 0) != current {
		rt.Fatalf("Finish(epoch %d) superseded %v, the job is %s at %d", epoch, superseded, mj.state, mj.epoch)
	}
	if current {
		mj.finished(o)
	}
}

// reap lets a worker die, and another take its place.
func (m *model) reap(rt *rapid.T) {
	at := rapid.IntRange(0, len(m.workers)-1).Draw(rt, "worker")
	must(rt, m.l.Leave(m.t.Context(), m.workers[at]))
	_, err := m.l.Reap(m.t.Context())
	must(rt, err)
	for _, mj := range m.jobs {
		if mj.state != job.Active || mj.worker != m.workers[at] {
			continue
		}
		canceling := mj.canceling
		mj.state, mj.epoch, mj.later, mj.canceling = job.Pending, mj.epoch+1, false, false
		if mj.verdict != "" {
			continue
		}
		mj.crashes++
		mj.attempt--
		switch {
		case mj.crashes >= job.MaxCrashes:
			mj.end(job.Archived)
		case canceling:
			mj.end(job.Canceled)
		}
	}
	m.workers[at] = m.join(rt)
}

func (m *model) cancel(rt *rapid.T) {
	id, mj := m.pick(rt)
	_, err := m.l.Cancel(m.t.Context(), id)
	if (err != nil) != mj.state.Terminal() {
		rt.Fatalf("Cancel(%s) = %v", mj.state, err)
	}
	switch {
	case mj.state.Terminal():
	case mj.state == job.Active:
		mj.canceling = true
	default:
		mj.end(job.Canceled)
	}
}

func (m *model) revive(rt *rapid.T) {
	id, mj := m.pick(rt)
	_, err := m.l.Revive(m.t.Context(), id, nil)
	may := mj.state.Terminal() && mj.state != job.Completed
	if (err == nil) != may {
		rt.Fatalf("Revive(%s) = %v", mj.state, err)
	}
	if may {
		*mj = modelJob{
			state: job.Pending, epoch: mj.epoch + 1, generation: mj.generation + 1, exactly: mj.exactly,
			seen: mj.seen, seenEpoch: mj.seenEpoch, revived: true,
		}
	}
}

func (m *model) lapse(rt *rapid.T) {
	_, err := m.l.Lapse(m.t.Context())
	must(rt, err)
	for _, mj := range m.jobs {
		if mj.over && mj.verdict == "" && !mj.state.Terminal() && mj.state != job.Active {
			mj.end(job.Archived)
		}
	}
}

func (m *model) ring(rt *rapid.T) {
	bell, err := m.l.TakeUnrung(m.t.Context(), m.queue)
	must(rt, err)
	var got []job.ID
	if bell != nil {
		got = bell.Jobs
		m.bells = append(m.bells, *bell)
	}
	var want []job.ID
	for _, id := range m.ids {
		if mj := m.jobs[id]; mj.eligible() && mj.bell == "" {
			want = append(want, id)
			mj.state, mj.bell = job.Pending, bell.ID
		}
	}
	if !sameIDs(got, want) {
		rt.Fatalf("rang for %v, want %v", got, want)
	}
}

func (m *model) refuse(rt *rapid.T) {
	if len(m.bells) == 0 {
		rt.Skip("no doorbell")
	}
	bell := rapid.SampledFrom(m.bells).Draw(rt, "bell")
	must(rt, m.l.Refuse(m.t.Context(), bell.ID, bell.Jobs))
	for _, id := range bell.Jobs {
		if mj := m.jobs[id]; mj.bell == bell.ID {
			mj.bell = ""
		}
	}
}
