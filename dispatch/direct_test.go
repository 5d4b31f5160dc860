package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"slices"
	"testing"
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
