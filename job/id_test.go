package job_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	before := time.Now()
	id := job.NewID()
	if _, err := job.ParseID(string(id)); err != nil {
		t.Errorf("ParseID(NewID()) = %v", err)
	}
	if id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("NewID() = %s, want version 7 of RFC 9562's variant", id)
	}
	if low, high := job.IDBound(before), job.IDBound(time.Now().Add(time.Millisecond)); id < low || id >= high {
		t.Errorf("NewID() = %s, want it between %s and %s", id, low, high)
	}
}

// IDs of one process are distinct and grow in each goroutine.
func TestNewIDGrows(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 5000
	ids := make([][]job.ID, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range each {
				ids[i] = append(ids[i], job.NewID())
			}
		})
	}
	all.Wait()
	for i := range ids {
		if !slices.IsSorted(ids[i]) {
			t.Errorf("caller %d got ids out of order", i)
		}
	}
	merged := slices.Concat(ids...)
	slices.Sort(merged)
	if got := len(slices.Compact(merged)); got != callers*each {
		t.Errorf("%d distinct ids, want %d", got, callers*each)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		ok   bool
	}{
		{"0192f0c1-2345-7abc-8def-0123456789ab", true},
		{"0192F0C1-2345-7abc-8def-0123456789ab", false},
		{"0192f0c123457abc8def0123456789ab", false},
		{"{0192f0c1-2345-7abc-8def-0123456789ab}", false},
		{"0192f0c1-2345-7abc-8def-0123456789a", false},
		{"0192f0c1-2345-7abc-8def-0123456789ag", false},
		{"0192f0c1a2345-7abc-8def-0123456789ab", false},
		{"", false},
	}
	for _, test := range tests {
		id, err := job.ParseID(test.text)
		if test.ok && (err != nil || string(id) != test.text) {
			t.Errorf("ParseID(%q) = %q, %v; want it back", test.text, id, err)
		}
		if !test.ok && !errors.Is(err, job.ErrMalformedID) {
			t.Errorf("ParseID(%q) = %q, %v; want ErrMalformedID", test.text, id, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0192f0c1-2345-7abc-8def-0123456789ab")
	f.Add("' OR 1=1 --")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := job.ParseID(text)
		if err == nil && (string(id) != text || strings.ContainsAny(text, `'"\ `)) {
			t.Errorf("ParseID(%q) = %q, nil", text, id)
		}
	})
}
