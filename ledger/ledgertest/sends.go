package ledgertest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/asyncops/asyncops/job"
)

func sendsTests() tests {
	return tests{
		"notes of a run":                    sendsNoted,
		"notes of a run that is superseded": sendsFenced,
		"notes of a job run again by hand":  sendsRevived,
		"an outcome that has the notes":     sendsFinished,
		"a run that was lost":               sendsLost,
	}
}

func (f *fixture) notes(id job.ID) job.Notes {
	f.t.Helper()
	notes, err := f.Notes(f.t.Context(), id)
	f.check(err)
	return notes
}

func (f *fixture) note(id job.ID, epoch int64, sends ...job.Send) {
	f.t.Helper()
	f.check(f.NoteSends(f.t.Context(), id, epoch, sends))
}

func sendsNoted(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	f.claim(w, id)
	if got := f.notes(id); len(got.Sends) != 0 || !got.LostAt.IsZero() {
		f.t.Errorf("notes of a job without any = %+v", got)
	}
	now := f.clock()
	f.note(id, 1, job.Send{Index: 7}, job.Send{Index: 3, Ago: time.Hour, Doubt: true})
	f.note(id, 1, job.Send{Index: 3, Ago: time.Minute, Doubt: true}) // the first time counts
	f.note(id, 1, job.Send{Index: 7, Answer: json.RawMessage(`{"n":"?\u0001"}`)}, job.Send{Index: 8})
	f.note(id, 1, job.Send{Index: 7}) // what is known is not forgotten
	f.note(id, 1)
	got := f.notes(id)
	if len(got.Sends) != 3 || string(got.Sends[7].Answer) != `{"n":"?\u0001"}` || got.Sends[3].Answer != nil || got.Sends[8].Answer != nil {
		f.t.Errorf("notes = %+v, want an answer of 7 alone", got)
	}
	if at := got.Sends[3].At; at.Before(now.Add(-time.Hour-time.Minute)) || at.After(now.Add(-30*time.Minute)) {
		f.t.Errorf("3 was sent at %s, want an hour before %s", at, now)
	}
}

func sendsFenced(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	refused := func(epoch int64) {
		f.t.Helper()
		if err := f.NoteSends(f.t.Context(), id, epoch, []job.Send{{Index: 0}}); !errors.Is(err, job.ErrLeaseLost) {
			f.t.Errorf("NoteSends(epoch %d) = %v, want %v", epoch, err, job.ErrLeaseLost)
		}
	}
	refused(0)
	f.claim(w, id)
	refused(0)
	refused(2)
	f.note(id, 1, job.Send{Index: 1})
	f.die(w)
	refused(1)
	if got := f.notes(id); len(got.Sends) != 1 {
		f.t.Errorf("notes = %+v, want those of the run before it was superseded", got)
	}
}

func sendsRevived(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	f.claim(w, id)
	f.note(id, 1, job.Send{Index: 0, Ago: time.Hour, Doubt: true}, job.Send{Index: 1, Answer: json.RawMessage(`1`)})
	f.finish(job.Outcome{Job: id, Epoch: 1, State: job.Unknown, Error: &job.Error{Code: job.CodeAmbiguous}})
	if _, err := f.Revive(f.t.Context(), id, nil); err != nil {
		f.t.Fatal(err)
	}
	if got := f.notes(id); len(got.Sends) != 0 || !got.LostAt.IsZero() {
		f.t.Errorf("notes of a job that a person runs again = %+v, want none", got)
	}
	j := f.claim(f.join(), id)[0]
	now := f.clock()
	f.note(id, j.Epoch, job.Send{Index: 0}, job.Send{Index: 1})
	got := f.notes(id)
	if len(got.Sends) != 2 || got.Sends[1].Answer != nil || got.Sends[0].At.Before(now.Add(-time.Minute)) {
		f.t.Errorf("notes = %+v, want nothing of the earlier generation", got)
	}
}

func sendsFinished(f *fixture) {
	f.start()
	w := f.join()
	for _, tt := range []struct {
		name    string
		outcome job.Outcome
		left    int
	}{
		{"with a result", job.Outcome{State: job.Completed, Result: json.RawMessage(`{}`), Noted: true}, 1},
		{"with what is done", job.Outcome{State: job.Retry, Result: json.RawMessage(`{}`), Noted: true, Delay: time.Hour}, 1},
		{"without", job.Outcome{State: job.Pending, Noted: true}, 3},
	} {
		id := f.accept(1, nil)[0]
		f.claim(w, id)
		f.note(id, 1, job.Send{Index: 0, Answer: json.RawMessage(`1`)}, job.Send{Index: 1}, job.Send{Index: 2, Doubt: true})
		f.run(w, f.accept(1, nil)[0], job.Outcome{State: job.Completed}) // another, which took none
		o := tt.outcome
		o.Job, o.Epoch = id, 2
		f.check(ignoring(f.Finish(f.t.Context(), []job.Outcome{o}))) // superseded: its notes are not its own any more
		if got := f.notes(id); len(got.Sends) != 3 {
			f.t.Errorf("%s, superseded: notes = %+v, want all three", tt.name, got)
		}
		o.Epoch = 1
		f.finish(o)
		if got := f.notes(id); len(got.Sends) != tt.left {
			f.t.Errorf("%s: notes = %+v, want %d", tt.name, got, tt.left)
		}
	}
}

func ignoring(_ []job.ID, err error) error { return err }

func sendsLost(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	before := f.clock()
	w := f.join()
	f.claim(w, id)
	f.die(w)
	first := f.notes(id).LostAt
	if first.Before(before) || first.After(f.clock()) {
		f.t.Errorf("lost at %s, want when its run began", first)
	}
	w = f.join()
	f.claim(w, id)
	f.die(w)
	if got := f.notes(id).LostAt; !got.Equal(first) {
		f.t.Errorf("lost at %s, want the first: %s", got, first)
	}
}
