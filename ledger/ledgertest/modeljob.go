package ledgertest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
)

// modelJob is one job of the model.
type modelJob struct {
	state      job.State
	epoch      int64
	attempt    int
	crashes    int
	generation int
	verdict    job.State // "" for none
	ran        bool      // in this generation
	canceling  bool
	later      bool // its run_at is ahead
	over       bool // its deadline has passed
	exactly    bool
	worker     string
	bell       string
	seen       job.State // by the last look at the ledger
	seenEpoch  int64
	revived    bool // since then
}

// eligible reports whether the job may be claimed, and rung for.
func (j *modelJob) eligible() bool {
	return j.state.Startable() && !j.later && (j.verdict != "" || j.crashes < job.IsolationCrashes && !j.over)
}

func (j *modelJob) finished(o job.Outcome) {
	sealing := j.verdict != ""
	stop := j.canceling && !sealing && o.Verdict == nil
	if (o.State == job.Parked || o.State == job.Pending) && !sealing && o.Verdict == nil {
		j.attempt--
	}
	j.state, j.later = o.State, o.Delay > 0
	switch {
	case o.State.Terminal():
		j.verdict = ""
		return
	case stop:
		j.state, j.verdict, j.later = job.Pending, job.Canceled, false
	case o.Verdict != nil:
		j.verdict = o.Verdict.State
	}
	j.canceling = false
}

// end ends a job that does not run, or gives it the verdict.
func (j *modelJob) end(state job.State) {
	j.bell, j.canceling = "", false
	if j.ran && j.exactly {
		j.state, j.later = job.Pending, false
		if j.verdict == "" {
			j.verdict = state
		}
		return
	}
	j.state, j.verdict = state, ""
}

// agree compares the ledger with the model, and with what it was before.
func (m *model) agree(rt *rapid.T) {
	for _, id := range m.ids {
		got, err := m.l.Get(m.t.Context(), id)
		must(rt, err)
		mj := m.jobs[id]
		verdict := job.State("")
		if got.Verdict != nil {
			verdict = got.Verdict.State
		}
		have := fmt.Sprint(got.State, got.Epoch, got.Attempt, got.Crashes, got.Generation, verdict, got.CancelRequested && !got.State.Terminal())
		want := fmt.Sprint(mj.state, mj.epoch, mj.attempt, mj.crashes, mj.generation, mj.verdict, mj.canceling && !mj.state.Terminal())
		if have != want {
			rt.Fatalf("job %s is %s, want %s (state, epoch, attempt, crashes, generation, verdict, cancel requested)", id, have, want)
		}
		legal := got.State == mj.seen || job.Legal(mj.seen, got.State)
		if !legal || mj.seen.Terminal() && got.State != mj.seen && !mj.revived || got.Epoch < mj.seenEpoch {
			rt.Fatalf("job %s went from %s at %d to %s at %d", id, mj.seen, mj.seenEpoch, got.State, got.Epoch)
		}
		mj.seen, mj.seenEpoch, mj.revived = got.State, got.Epoch, false
	}
}
