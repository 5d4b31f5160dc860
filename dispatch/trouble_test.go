package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTroubleIsToldOnChangeAndEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tr trouble
		if tr.over() {
			t.Error("over = true before any trouble")
		}
		told := 0
		for range 300 { // 30 s
			if tr.tell() {
				told++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if told != 3 {
			t.Errorf("told %d times in 30 s, want 3", told)
		}
		if !tr.over() || tr.over() {
			t.Error("the end is not told once")
		}
		if !tr.tell() {
			t.Error("the next trouble is not told")
		}
	})
}
