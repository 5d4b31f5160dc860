package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// moveTests walk the state machine: every move from every state. A move that
// the table does not know must change nothing.
func moveTests() tests {
	all := tests{}
	for _, state := range job.States() {
		all["from "+string(state)] = func(f *fixture) { walk(f.start(), state) }
	}
	return all
}

// bring accepts a job and brings it to the state; it is due if it may start.
func (f *fixture) bring(state job.State) job.ID {
	f.t.Helper()
	begin := state
	if state != job.Waiting && state != job.Scheduled {
		begin = job.Pending
	}
	id := f.accept(1, func(_ int, j *job.Job) {
		j.State, j.Queue, j.RunAt = begin, "low", time.Now().Add(-time.Second)
		if state == job.Expired {
			j.ExpiresAt = time.Now().Add(-time.Hour)
		}
	})[0]
	switch state {
	case job.Waiting, job.Scheduled, job.Pending:
	case job.Active:
		f.claim(f.join(), id)
	case job.Expired:
		f.lapse()
	default:
		f.run(f.join(), id, job.Outcome{State: state, Parked: job.WaitPool})
	}
	f.want(id, state)
	return id
}

// lapse ends what is over.
func (f *fixture) lapse() []job.Event {
	f.t.Helper()
	events, err := f.Lapse(f.t.Context())
	f.check(err)
	return events
}

// finishWith finishes the run that the job's row names, whatever its state.
func finishWith(state job.State) func(*fixture, job.ID) {
	return func(f *fixture, id job.ID) {
		_, err := f.Finish(f.t.Context(), []job.Outcome{{Job: id, Epoch: f.get(id).Epoch, State: state}})
		f.check(err)
	}
}

// way is one way in which a move may be tried.
type way struct {
	move    job.Move
	prepare string // SQL that is no move, with the id
	try     func(*fixture, job.ID)
}

func ways() []way {
	return []way{
		{move: job.MoveAccept, try: func(f *fixture, id job.ID) { // the same again
			again := newJobs(1, nil)
			again[0].ID, again[0].Kind = id, "other"
			_, err := f.Accept(f.t.Context(), ledger.Batch{Jobs: again})
			f.check(err)
		}},
		{move: job.MoveRing, try: func(f *fixture, id job.ID) {
			_, err := f.TakeUnrung(f.t.Context(), f.get(id).Queue)
			f.check(err)
		}},
		{move: job.MoveClaim, try: func(f *fixture, id job.ID) {
			_, err := f.Claim(f.t.Context(), f.join(), []job.ID{id})
			f.check(err)
		}},
		{move: job.MoveClaim, try: func(f *fixture, _ job.ID) {
			_, err := f.ClaimDue(f.t.Context(), f.join(), "low", 10)
			f.check(err)
		}},
		{move: job.MoveComplete, try: finishWith(job.Completed)},
		{move: job.MoveRetry, try: finishWith(job.Retry)},
		{move: job.MovePark, try: finishWith(job.Parked)},
		{move: job.MoveHandBack, try: finishWith(job.Pending)},
		{move: job.MoveDoubt, try: finishWith(job.Unknown)},
		{move: job.MoveReap, try: func(f *fixture, id job.ID) {
			if w := f.get(id).Worker; w != "" {
				f.die(w)
			}
		}},
		{move: job.MoveReap, prepare: "UPDATE asyncops_jobs SET crashes = 2 WHERE id = '%s'", try: func(f *fixture, id job.ID) {
			if w := f.get(id).Worker; w != "" {
				f.die(w)
			}
		}},
		{move: job.MoveArchive, prepare: "UPDATE asyncops_jobs SET deadline = 1 WHERE id = '%s'", try: func(f *fixture, id job.ID) {
			finishWith(job.Archived)(f, id) // which ends one that runs
			f.lapse()                       // and this the others
		}},
		{move: job.MoveExpire, prepare: "UPDATE asyncops_jobs SET expires_at = 1, started_at = NULL, parked_on = 'x' WHERE id = '%s'", try: func(f *fixture, _ job.ID) { f.lapse() }},
		{move: job.MoveCancel, try: func(f *fixture, id job.ID) {
			finishWith(job.Canceled)(f, id)
			_, _ = f.Cancel(f.t.Context(), id) // steer tests its answers
		}},
		{move: job.MoveRevive, try: func(f *fixture, id job.ID) { _, _ = f.Revive(f.t.Context(), id, nil) }},
	}
}

func walk(f *fixture, from job.State) {
	for _, way := range ways() {
		id := f.bring(from)
		if way.prepare != "" {
			f.sql(way.prepare, id)
		}
		before := f.get(id)
		way.try(f, id)
		after := f.get(id)
		i := slices.IndexFunc(job.Steps(), func(s job.Step) bool { return s.Move == way.move })
		step := job.Steps()[i]
		if !slices.Contains(step.From, from) {
			f.same(before)
			if f.t.Failed() {
				f.t.Fatalf("%s from %s changed the job", way.move, from)
			}
			continue
		}
		if !slices.Contains(step.To, after.State) {
			f.t.Errorf("%s from %s led to %s, want one of %v", way.move, from, after.State, step.To)
		}
		if after.Epoch < before.Epoch {
			f.t.Errorf("%s from %s: epoch fell from %d to %d", way.move, from, before.Epoch, after.Epoch)
		}
		f.sql("DELETE FROM asyncops_jobs WHERE id = '%s'", id)
	}
}
