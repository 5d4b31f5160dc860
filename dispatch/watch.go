package dispatch

import (
	"sync"

	"github.com/asyncops/asyncops/job"
)

// maxMoved bounds what a Watch gathers.
const maxMoved = 2000

// Watch gathers the jobs that are said to have moved, here or elsewhere. Beyond
// a bound it only says that there were more. It is safe for concurrent use.
type Watch struct {
	bus   *Bus
	ready chan struct{} // one slot

	mu    sync.Mutex
	moved map[job.ID]struct{} // guarded by mu
	lost  bool                // guarded by mu
}

// Watch begins to gather. Close ends it.
func (b *Bus) Watch() *Watch {
	w := &Watch{bus: b, ready: make(chan struct{}, 1), moved: map[job.ID]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watches[w] = true
	b.join(endedChannel)
	b.join(movedChannel)
	return w
}

// Close ends the gathering.
func (w *Watch) Close() {
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	delete(w.bus.watches, w)
}

// Ready receives when there is something to take.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Take returns what was gathered since the last call; lost says that there was
// more. Each job is there once, however often it moved.
func (w *Watch) Take() (ids []job.ID, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids, lost = make([]job.ID, 0, len(w.moved)), w.lost
	for id := range w.moved {
		ids = append(ids, id)
	}
	clear(w.moved)
	w.lost = false
	return ids, lost
}

func (w *Watch) note(ids []job.ID) {
	w.mu.Lock()
	for _, id := range ids {
		if len(w.moved) == maxMoved {
			w.lost = true
			break
		}
		w.moved[id] = struct{}{}
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Moved says that jobs have changed and not ended.
func (b *Bus) Moved(ids []job.ID) {
	if len(ids) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moveHere(ids)
	b.tellOthers(func(o *outgoing) { o.move(ids) })
}

// moveHere requires mu.
func (b *Bus) moveHere(ids []job.ID) {
	for w := range b.watches {
		w.note(ids)
	}
}
