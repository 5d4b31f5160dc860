package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"github.com/asyncops/asyncops/job"
)

// The settings of a doorbell are what keeps asynq's faults out (ADR 0004).
func TestDoorbellTask(t *testing.T) {
	t.Parallel()
	bell := job.Doorbell{ID: string(job.NewID()), Queue: "low", Jobs: []job.ID{job.NewID(), job.NewID()}}
	task, opts := doorbellTask(bell)
	got := map[asynq.OptionType]any{}
	for _, o := range opts {
		got[o.Type()] = o.Value()
	}
	want := map[asynq.OptionType]any{
		asynq.TaskIDOpt: bell.ID, asynq.QueueOpt: "low", asynq.MaxRetryOpt: 5, asynq.TimeoutOpt: 5 * time.Minute,
	}
	for option, value := range want {
		if got[option] != value {
			t.Errorf("option %v = %v, want %v", option, got[option], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("options = %v, want no others than %v", got, want)
	}
	if ids := doorbellJobs(task.Payload()); !slices.Equal(ids, bell.Jobs) {
		t.Errorf("doorbellJobs = %v, want %v", ids, bell.Jobs)
	}
}

func FuzzDoorbellJobs(f *testing.F) {
	f.Add([]byte("0192f0c1-2345-7abc-8def-0123456789ab 0192f0c1-2345-7abc-8def-0123456789ac"))
	f.Add([]byte("' OR 1=1 --"))
	f.Add([]byte(strings.Repeat(string(job.NewID())+" ", 200)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		ids := doorbellJobs(payload)
		if len(ids) > job.MaxDoorbellJobs {
			t.Fatalf("%d jobs, want at most %d", len(ids), job.MaxDoorbellJobs)
		}
		for _, id := range ids {
			if _, err := job.ParseID(string(id)); err != nil {
				t.Fatalf("id %q: %v", id, err)
			}
		}
	})
}

func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(8)
		if got := s.take(10); got != 8 {
			t.Fatalf("take(10) of 8 = %d, want 8", got)
		}
		began := time.Now()
		room := make(chan time.Duration)
		go func() {
			s.awaitRoom(t.Context())
			room <- time.Since(began)
		}()
		time.Sleep(time.Second) // virtual
		s.give(1)
		if got := <-room; got != time.Second+lull {
			t.Errorf("room for one after %v, want %v: a lone slot is waited with", got, time.Second+lull)
		}
		go func() {
			s.awaitRoom(t.Context())
			room <- time.Since(began)
		}()
		s.give(1)
		if got := <-room; got != time.Second+lull {
			t.Errorf("room for two after %v, want %v: a quarter is enough", got, time.Second+lull)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s.awaitIdle(ctx) {
			t.Error("awaitIdle is true with slots in use")
		}
		s.give(6)
		if !s.awaitIdle(t.Context()) {
			t.Error("awaitIdle is false with no slot in use")
		}
	})
}

func TestBusForgetsWhoGaveUp(t *testing.T) {
	t.Parallel()
	b := NewBus(nil, nil)
	id := job.NewID()
	first, giveUp := b.waitEnded(id)
	second, _ := b.waitEnded(id)
	giveUp()
	b.Ended([]job.ID{id})
	select {
	case <-first:
		t.Error("one that gave up was told")
	default:
	}
	<-second
	if len(b.ended) != 0 {
		t.Errorf("%d jobs are still waited for, want none", len(b.ended))
	}
}

// Under strict priority the order is that of the weights; otherwise the heavier
// queue is first in proportion to its weight.
func TestOrderOfQueues(t *testing.T) {
	t.Parallel()
	d := &direct{queues: map[string]int{"critical": 6, "default": 3, "low": 1}, strict: true}
	if got := d.order(); !slices.Equal(got, []string{"critical", "default", "low"}) {
		t.Errorf("strict order = %v", got)
	}
	d.strict = false
	first := map[string]int{}
	const rounds = 10_000
	for range rounds {
		first[d.order()[0]]++
	}
	for queue, weight := range d.queues {
		got, want := float64(first[queue])/rounds, float64(weight)/10
		if got < want-0.05 || got > want+0.05 {
			t.Errorf("%s is first in %.3f of the rounds, want %.1f", queue, got, want)
		}
	}
}

// One ask is answered with its own jobs, also when two doorbells name the same.
func TestClaimsAreDealtOut(t *testing.T) {
	t.Parallel()
	a, b, c := job.NewID(), job.NewID(), job.NewID()
	asks := []ask{
		{ids: []job.ID{a, b}, answer: make(chan answer, 1)},
		{ids: []job.ID{b, c}, answer: make(chan answer, 1)},
	}
	dealOut(asks, answer{jobs: []job.Job{{ID: c}, {ID: b}}, ok: true})
	first, second := <-asks[0].answer, <-asks[1].answer
	if len(first.jobs) != 1 || first.jobs[0].ID != b || len(second.jobs) != 1 || second.jobs[0].ID != c {
		t.Errorf("answers = %v and %v, want b and c", first, second)
	}
}
