package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"log/slog"
	"slices"
	"testing"
	"time"
)

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

// Whoever is told of more new jobs than it has looked after is told to look
// everywhere.
func TestFreshQueues(t *testing.T) {
	t.Parallel()
	b := NewBus(nil, slog.New(slog.DiscardHandler))
	wake, forget := b.listen(due)
	defer forget()
	fresh, forgetFresh := b.listenFresh()
	defer forgetFresh()
	told := cap(fresh)
	for range told {
		b.accepted("low")
	}
	select {
	case <-wake:
		t.Fatal("a hint for all queues while there was room for names")
	default:
	}
	b.accepted("default")
	d := &direct{empty: map[string]time.Time{"default": {}, "low": {}, "critical": {}}}
	d.look(nil, fresh)
	if _, empty := d.empty["low"]; empty || len(d.empty) != 2 || len(fresh) != 0 {
		t.Errorf("empty queues = %v with %d names left, want all but low", d.empty, len(fresh))
	}
	d.look(wake, fresh)
	if len(d.empty) != 0 {
		t.Errorf("empty queues = %v after a hint for all, want none", d.empty)
	}
}
