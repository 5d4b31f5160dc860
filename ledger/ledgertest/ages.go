package ledgertest

import (
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func ageTests() tests {
	return tests{
		"the greatest of a minute counts": agesNoted,
		"noted by many at once":           agesAtOnce,
		"of some queues, as they are":     agesOfQueues,
		"old ones are folded":             agesFold,
		"folded by many at once":          agesFoldAtOnce,
		"the oldest are deleted":          agesDeleted,
	}
}

// noteAge has a queue noted at the present minute.
func (f *fixture) noteAge(queue string, oldest time.Duration) {
	f.t.Helper()
	f.check(f.NoteAges(f.t.Context(), []ledger.QueueAge{{Queue: queue, Oldest: oldest}}))
}

// aged has a queue noted at the minute of a time in the past.
func (f *fixture) aged(at time.Time, queue string, oldest time.Duration) {
	f.t.Helper()
	f.sql("INSERT INTO asyncops_ages (step, at, queue, oldest) VALUES (60, %d, '%s', %d)", at.Truncate(time.Minute).UnixMicro(), queue, oldest.Microseconds())
}

// ages returns the greatest age of each queue in a hundred days, and counts the
// spans.
func (f *fixture) ages(queues ...string) (greatest map[string]time.Duration, spans int) {
	f.t.Helper()
	found, err := f.Ages(f.t.Context(), time.Now().Add(-100*24*time.Hour), queues)
	f.check(err)
	greatest = map[string]time.Duration{}
	for _, a := range found {
		greatest[a.Queue] = max(greatest[a.Queue], a.Oldest)
	}
	return greatest, len(found)
}

func agesNoted(f *fixture) {
	f.start()
	f.check(f.NoteAges(f.t.Context(), nil))
	before := time.Now()
	for _, oldest := range []time.Duration{3 * time.Second, 40 * time.Second, 7 * time.Second, 0} {
		f.noteAge("default", oldest)
	}
	minutes := int(time.Since(before)/time.Minute) + 2 // the test may have seen more than one of them
	got, spans := f.ages()
	if got["default"] != 40*time.Second || spans > minutes {
		f.t.Errorf("ages = %v in %d spans, want 40 s in %d at most", got, spans, minutes)
	}
	found, err := f.Ages(f.t.Context(), before.Add(-2*time.Minute), nil)
	f.check(err)
	for _, a := range found {
		if !a.At.Equal(a.At.Truncate(time.Minute)) || a.At.Sub(before).Abs() > patience+time.Minute {
			f.t.Errorf("an age is noted at %s, want the minute of %s", a.At, before)
		}
	}
}

func agesAtOnce(f *fixture) {
	f.start()
	var noting sync.WaitGroup
	for i := range 8 {
		noting.Go(func() {
			for j := range 10 {
				oldest := time.Duration(i*10+j) * time.Second
				err := f.NoteAges(f.t.Context(), []ledger.QueueAge{{Queue: "a", Oldest: oldest}, {Queue: "b", Oldest: 100*time.Second - oldest}, {Queue: "c"}})
				if err != nil {
					f.t.Errorf("NoteAges() = %v", err)
				}
			}
		})
	}
	noting.Wait()
	if got, spans := f.ages(); got["a"] != 79*time.Second || got["b"] != 100*time.Second || got["c"] != 0 || len(got) != 3 || spans > 9 {
		f.t.Errorf("ages = %v in %d spans, want 79 s, 100 s and none", got, spans)
	}
}

func agesOfQueues(f *fixture) {
	f.start()
	f.accept(1, func(_ int, j *job.Job) { j.RunAt = time.Now().Add(-time.Hour) })
	ages, err := f.QueueAges(f.t.Context())
	f.check(err)
	f.check(f.NoteAges(f.t.Context(), ages))
	f.aged(time.Now().Add(-5*time.Hour), "it''s", time.Minute)
	if got, spans := f.ages(); got["default"] < time.Hour || got["default"] > time.Hour+patience || got["low"] != 0 || len(got) != 3 || spans != 3 {
		f.t.Errorf("ages = %v, want an hour in default and none in low", got)
	}
	if got, _ := f.ages("it's", "none"); len(got) != 1 || got["it's"] != time.Minute {
		f.t.Errorf("ages of it's and of an unknown queue = %v, want a minute", got)
	}
	if got, err := f.Ages(f.t.Context(), time.Now().Add(-time.Hour), []string{"it's"}); err != nil || len(got) != 0 {
		f.t.Errorf("ages of the last hour = %v, %v; want none", got, err)
	}
}

// past is when ages of the tests were noted: some in each span of the ladder.
func (f *fixture) past() (fiveHoursAgo time.Time) {
	f.t.Helper()
	const hour = time.Hour
	now := time.Now()
	for i, ago := range []time.Duration{time.Minute, 2 * hour, 5 * hour, 5*hour + time.Minute, 5*hour + 2*time.Minute, 60 * hour, 61 * hour, 20 * 24 * hour, 20*24*hour + time.Minute, 89 * 24 * hour} {
		f.aged(now.Add(-ago), "default", time.Duration(i+1)*time.Second)
		f.aged(now.Add(-ago), "low", time.Duration(100-i)*time.Second)
	}
	return now.Add(-5 * hour)
}

func (f *fixture) wantFolded() {
	f.t.Helper()
	got, spans := f.ages()
	if got["default"] != 10*time.Second || got["low"] != 100*time.Second {
		f.t.Errorf("ages = %v, want 10 s and 100 s as before", got)
	}
	// Neighbours may lie on both sides of a bound.
	if spans < 2*7 || spans > 2*9 {
		f.t.Errorf("%d spans are left of 20, want 14 to 18", spans)
	}
	for step, want := range map[int][2]int{60: {4, 4}, 600: {2, 4}, 3600: {4, 4}, 86400: {4, 6}} {
		if n := f.count("SELECT count(*) FROM asyncops_ages WHERE step = %d", step); n < want[0] || n > want[1] {
			f.t.Errorf("%d spans of %d s, want %d to %d", n, step, want[0], want[1])
		}
	}
}

func agesFold(f *fixture) {
	f.start()
	ago := f.past()
	f.prune(0)
	f.wantFolded()
	f.aged(ago, "default", 9*time.Second) // a minute that comes late
	f.prune(0)
	f.wantFolded()
	at := f.count("SELECT min(at) FROM asyncops_ages WHERE step = 600 AND queue = 'default'")
	if n := f.count("SELECT max(oldest) FROM asyncops_ages WHERE at = %d AND queue = 'default'", at); at%600_000_000 != 0 || n < 5_000_000 {
		f.t.Errorf("the span that begins at %d has %d µs, want ten minutes with the most of its minutes", at, n)
	}
}

func agesFoldAtOnce(f *fixture) {
	f.start()
	f.past()
	var folding sync.WaitGroup
	for range 4 {
		folding.Go(func() {
			for range 3 {
				if _, err := f.Prune(f.t.Context(), 1); err != nil {
					f.t.Errorf("Prune() = %v", err)
				}
			}
		})
	}
	folding.Wait()
	f.wantFolded()
}

func agesDeleted(f *fixture) {
	f.start()
	f.aged(time.Now().Add(-95*24*time.Hour), "default", time.Hour)
	f.aged(time.Now().Add(-80*24*time.Hour), "default", time.Minute)
	f.prune(0)
	if got, spans := f.ages(); got["default"] != time.Minute || spans != 1 {
		f.t.Errorf("ages = %v in %d spans, want the minute of less than 90 days", got, spans)
	}
}
