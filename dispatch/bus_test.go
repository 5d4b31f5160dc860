package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"testing"

	"github.com/asyncops/asyncops/job"
)

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
