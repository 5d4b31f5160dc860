package ledgertest

import (
	"encoding/base64"
	"errors"
	"slices"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// find returns the ids of the first page.
func (f *fixture) find(filter ledger.Filter) []job.ID {
	f.t.Helper()
	page, err := f.Search(f.t.Context(), filter)
	f.check(err)
	ids := make([]job.ID, len(page.Jobs))
	for i, j := range page.Jobs {
		ids[i] = j.ID
	}
	return ids
}

func searchPages(f *fixture) {
	f.start()
	ids := f.accept(60, nil)
	for _, ascending := range []bool{false, true} {
		var got []job.ID
		filter := ledger.Filter{Limit: 7, Ascending: ascending, Kinds: []string{"test"}}
		for {
			page, err := f.Search(f.t.Context(), filter)
			f.check(err)
			for _, j := range page.Jobs {
				got = append(got, j.ID)
			}
			if len(page.Jobs) != 7 && page.Next != "" {
				f.t.Fatalf("a page of %d jobs that is not the last", len(page.Jobs))
			}
			if page.Next == "" {
				break
			}
			filter.Cursor = page.Next
			if !ascending { // younger ones come all the time
				f.accept(3, nil)
			}
		}
		want := slices.Clone(ids)
		if ascending {
			got = got[:len(ids)] // behind them are those that came meanwhile
		} else {
			slices.Reverse(want)
		}
		if !slices.Equal(got, want) {
			f.t.Errorf("ascending %t: pages hold %d jobs, want the %d in order", ascending, len(got), len(want))
		}
	}
	if page, err := f.Search(f.t.Context(), ledger.Filter{}); err != nil || len(page.Jobs) != 50 || page.Next == "" {
		f.t.Errorf("Search(no limit) = %d jobs, %v; want 50", len(page.Jobs), err)
	}
}

func searchPayload(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.run(f.join(), id, job.Outcome{State: job.Completed, Result: []byte("1")})
	for _, payload := range []bool{false, true} {
		page, err := f.Search(f.t.Context(), ledger.Filter{Payload: payload})
		f.check(err)
		if j := page.Jobs[0]; (len(j.Args) > 0) != payload || (len(j.Result) > 0) != payload {
			f.t.Errorf("payload %t: args %s, result %s", payload, j.Args, j.Result)
		}
	}
}

func searchCursor(f *fixture) {
	f.start()
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, cursor := range []string{"x", "!!", encode("1:abc"), encode("2:" + string(job.NewID())), encode("1:' OR 1=1 --"), string(job.NewID())} {
		if _, err := f.Search(f.t.Context(), ledger.Filter{Cursor: cursor}); !errors.Is(err, job.ErrMalformedCursor) {
			f.t.Errorf("Search(cursor %q) = %v, want %v", cursor, err, job.ErrMalformedCursor)
		}
	}
}
