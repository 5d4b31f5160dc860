package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func searchTests() tests {
	return tests{
		"pages have no gaps and no repeats": searchPages,
		"each filter":                       searchFilters,
		"created before and after":          searchCreated,
		"words":                             searchWords,
		"private words":                     searchPrivate,
		"the beginning of an id":            searchID,
		"payload only when asked for":       searchPayload,
		"a forged cursor":                   searchCursor,
		"text that no job can hold":         searchBadText,
		"waiting on":                        searchWaitingOn,
	}
}

func searchFilters(f *fixture) {
	f.start()
	w := f.join()
	tags := [][]string{{"a"}, {"a b", "x%y"}, {"A&B", `q"\`}, nil}
	ids := f.accept(4, func(i int, j *job.Job) {
		j.Kind, j.Queue, j.Tags = fmt.Sprint("k", i), []string{"default", "low"}[i%2], tags[i]
	})
	f.run(w, ids[0], job.Outcome{State: job.Completed})
	f.run(w, ids[1], job.Outcome{State: job.Archived})
	newest := func(at ...int) []job.ID {
		var want []job.ID
		for _, i := range at {
			want = append(want, ids[i])
		}
		slices.Reverse(want)
		return want
	}
	for name, test := range map[string]struct {
		filter ledger.Filter
		want   []job.ID
	}{
		"state":            {ledger.Filter{States: []job.State{job.Archived}}, newest(1)},
		"states":           {ledger.Filter{States: []job.State{job.Completed, job.Pending}}, newest(0, 2, 3)},
		"kind":             {ledger.Filter{Kinds: []string{"k2"}}, newest(2)},
		"kinds":            {ledger.Filter{Kinds: []string{"k2", "k0", "none"}}, newest(0, 2)},
		"queue":            {ledger.Filter{Queues: []string{"low"}}, newest(1, 3)},
		"tag":              {ledger.Filter{Tag: "a"}, newest(0)},
		"tag with a space": {ledger.Filter{Tag: "a b"}, newest(1)},
		"tag with signs":   {ledger.Filter{Tag: "A&B"}, newest(2)},
		"tag with quotes":  {ledger.Filter{Tag: `q"\`}, newest(2)},
		"tag is no word":   {ledger.Filter{Tag: "b"}, nil},
		"tag is literal":   {ledger.Filter{Tag: "x%"}, nil},
		"together":         {ledger.Filter{Tag: "a b", Queues: []string{"low"}, States: []job.State{job.Archived}, Kinds: []string{"k1"}}, newest(1)},
		"nothing in all":   {ledger.Filter{Tag: "a", Queues: []string{"low"}}, nil},
	} {
		if got := f.find(test.filter); !slices.Equal(got, test.want) {
			f.t.Errorf("%s: %d jobs, want %d", name, len(got), len(test.want))
		}
	}
}

func searchCreated(f *fixture) {
	f.start()
	at := time.Now().Add(10 * time.Second).Truncate(time.Millisecond) // not quite when the id was made
	ids := f.accept(3, func(i int, j *job.Job) { j.CreatedAt = at.Add(time.Duration(i-1) * time.Microsecond) })
	if got := f.find(ledger.Filter{CreatedAfter: at}); !slices.Equal(got, ids[2:]) {
		f.t.Errorf("created after: %v, want %v", got, ids[2:])
	}
	if got := f.find(ledger.Filter{CreatedBefore: at}); !slices.Equal(got, ids[:1]) {
		f.t.Errorf("created before: %v, want %v", got, ids[:1])
	}
	if got := f.find(ledger.Filter{CreatedAfter: at.Add(-time.Second), CreatedBefore: at.Add(time.Second)}); len(got) != 3 {
		f.t.Errorf("between: %d jobs, want 3", len(got))
	}
}

func searchWords(f *fixture) {
	f.start()
	w := f.join()
	messages := []string{"Connection Refused by peer", "100% of 50_000 rows", `back\slash and "quote"`, "dead ÄRGER", "x"}
	ids := f.accept(len(messages), func(i int, j *job.Job) {
		if i == 4 {
			j.Tags = []string{"R&D", `o"q`, "team-Blue"}
		}
	})
	for i, message := range messages {
		f.run(w, ids[i], job.Outcome{State: job.Archived, Error: &job.Error{Code: job.CodeUpstreamUnreachable, Message: message}})
	}
	for query, want := range map[string][]int{
		"refused": {0}, "connection REFUSED": {0}, "refused rows": nil, "100%": {1}, "%": {1}, "50_0": {1}, "_": {0, 1, 2, 3, 4},
		"5%0": nil, "0_o": nil, `k\s`: {2}, `\`: {2}, `"quote"`: {2}, "upstream_unreachable": {0, 1, 2, 3, 4}, "unreachable peer": {0},
		"dead": {3}, "ÄRGER": {3}, "r&d": {4}, `o"q`: {4}, "BLUE x": {4}, "'": nil, "?": nil,
	} {
		var ids2 []job.ID
		for _, i := range want {
			ids2 = append(ids2, ids[i])
		}
		slices.Reverse(ids2)
		if got := f.find(ledger.Filter{Query: query}); !slices.Equal(got, ids2) {
			f.t.Errorf("q=%q found %d jobs, want %d", query, len(got), len(ids2))
		}
	}
}

// The text of an upstream or a database is for those who may see payloads:
// nobody else can find it out word by word.
func searchPrivate(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	private := &job.Error{Code: job.CodeConstraint, Message: "card 4242 is taken", Private: true}
	f.run(f.join(), id, job.Outcome{State: job.Archived, Error: private})
	for query, want := range map[string]int{"4242": 0, "constraint": 1} {
		if got := f.find(ledger.Filter{Query: query}); len(got) != want {
			f.t.Errorf("q=%q found %d jobs, want %d", query, len(got), want)
		}
	}
}

func searchID(f *fixture) {
	f.start()
	ids := f.accept(3, nil)
	id := string(ids[1])
	for _, query := range []string{id, id[:35], id[:30]} {
		if got := f.find(ledger.Filter{Query: query}); !slices.Equal(got, ids[1:2]) {
			f.t.Errorf("q=%q found %v, want %s", query, got, id)
		}
	}
	if got := f.find(ledger.Filter{Query: id[:6]}); len(got) != 3 {
		f.t.Errorf("q=%q found %d jobs, want 3", id[:6], len(got))
	}
	for _, query := range []string{"0000", strings.ToUpper(id), id + "0", "0g00"} {
		if got := f.find(ledger.Filter{Query: query}); len(got) != 0 {
			f.t.Errorf("q=%q found %d jobs, want none", query, len(got))
		}
	}
}

func searchBadText(f *fixture) {
	f.start()
	f.accept(1, nil)
	for _, bad := range []string{"a\x00", "\xff"} {
		for _, filter := range []ledger.Filter{{Query: bad}, {Tag: bad}, {Kinds: []string{bad}}, {Queues: []string{bad}}} {
			if page, err := f.Search(f.t.Context(), filter); err != nil || len(page.Jobs) != 0 {
				f.t.Errorf("Search(%q) = %d jobs, %v; want none", bad, len(page.Jobs), err)
			}
		}
	}
}

func searchWaitingOn(f *fixture) {
	f.start()
	ids := f.accept(3, func(i int, j *job.Job) {
		if i == 2 {
			j.State = job.Waiting
		}
	})
	reason := func(id job.ID) job.WaitReason {
		if on := f.get(id).WaitingOn; on != nil {
			return on.Reason
		}
		return ""
	}
	if got := reason(ids[0]); got != job.WaitNoWorker {
		f.t.Errorf("waiting on %s, want no_worker", got)
	}
	f.check(f.PauseQueue(f.t.Context(), "default", true))
	if got := reason(ids[0]); got != job.WaitQueuePaused {
		f.t.Errorf("waiting on %s, want queue_paused", got)
	}
	f.join()
	f.check(f.PauseQueue(f.t.Context(), "default", false)) // which also looks anew who serves it
	if got := reason(ids[0]); got != job.WaitBacklog {
		f.t.Errorf("waiting on %s, want backlog", got)
	}
	if got := reason(ids[2]); got != job.WaitDependency {
		f.t.Errorf("waiting on %s, want dependency", got)
	}
	f.claim(f.join(), ids[1])
	if got := reason(ids[1]); got != "" {
		f.t.Errorf("an active job waits on %s", got)
	}
}
