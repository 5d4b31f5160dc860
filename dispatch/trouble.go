package dispatch

import (
	"sync"
	"time"
)

// tellInterval is how often a trouble that lasts is told of.
const tellInterval = 10 * time.Second

// trouble keeps something that fails again and again from filling the log: it
// is told of when it begins, every 10 s while it lasts, and once when it is
// over. The zero value is no trouble. It is safe for concurrent use.
type trouble struct {
	mu   sync.Mutex
	told time.Time // when last; zero while all is well; guarded by mu
}

// tell notes a failure, and reports whether it is worth a line.
func (t *trouble) tell() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.told.IsZero() && time.Since(t.told) < tellInterval {
		return false
	}
	t.told = time.Now()
	return true
}

// over notes a success, and reports whether it ends a trouble that was told.
func (t *trouble) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := !t.told.IsZero()
	t.told = time.Time{}
	return told
}
