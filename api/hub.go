package api

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Watcher looks at jobs for those who follow them.
type Watcher interface {
	// Glance looks at jobs, all without their results.
	Glance(ctx context.Context, g job.Glance) (job.Glimpse, error)
}

// Moves gathers jobs that are said to have moved.
type Moves interface {
	// Ready receives when there is something to take.
	Ready() <-chan struct{}
	// Take returns what was gathered since the last call; lost says that there
	// was more, or may have been.
	Take() (ids []job.ID, lost bool)
	Close()
}

const (
	lookInterval = 500 * time.Millisecond // between looks that nothing has called for
	lookRest     = 200 * time.Millisecond // between looks at least: what happens meanwhile is one event
	maxReplayed  = 512                    // events that are kept for those who come back
)

// event is a change of a job.
type event struct {
	seq   int64
	job   *job.Job
	state bool // it changed in more than its progress
}

// hub looks at the ledger for all who follow jobs in this process, and only
// while there are any. What is said to have moved is a hint when and where to
// look; what is told comes from the ledger. It is safe for concurrent use.
type hub struct {
	server *Server
	nudge  chan struct{} // one slot: look soon
	runs   sync.WaitGroup

	mu        sync.Mutex
	followers map[*follower]bool // guarded by mu
	running   bool               // guarded by mu
	life      string             // while it changes not, nothing of the fleet was passed over; guarded by mu
	seq       int64              // of the last event; guarded by mu
	recent    []event            // the last ones of this life, oldest first; guarded by mu
}

func newHub(s *Server) *hub {
	return &hub{server: s, nudge: make(chan struct{}, 1), followers: map[*follower]bool{}}
}

// join begins to follow what f wants. last is the id of the last event that a
// follower of the fleet got, "" when it is new: what has happened since is told,
// or that this is not known.
func (h *hub) join(f *follower, last string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		h.running = true
		h.begin()
		h.runs.Go(h.run)
	}
	h.followers[f] = true
	f.fresh = f.id != ""
	if last != "" {
		h.replay(f, last)
	}
	h.lookSoon()
}

// begin begins a life: nobody can come back to what was before. It requires mu.
func (h *hub) begin() { h.life, h.recent = rand.Text()[:10], nil }

// replay gives f what it has missed. It requires mu.
func (h *hub) replay(f *follower, last string) {
	life, text, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || life != h.life || seq > h.seq || seq < h.seq-int64(len(h.recent)) {
		f.lose()
		return
	}
	for _, e := range h.recent {
		if e.seq > seq {
			f.push(e)
		}
	}
}

func (h *hub) leave(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.followers, f)
	if len(h.followers) == 0 {
		h.lookSoon() // it ends
	}
}

func (h *hub) lookSoon() {
	select {
	case h.nudge <- struct{}{}:
	default:
	}
}

// eventID is under which a follower of the fleet comes back to an event.
func (h *hub) eventID(e event) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life + "-" + strconv.FormatInt(e.seq, 10)
}

// wanted is what the followers want to see; ok is false when there are none, and
// the run is over.
func (h *hub) wanted() (ids []job.ID, fleet, args, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	named := map[job.ID]bool{}
	for f := range h.followers {
		if f.id != "" {
			named[f.id] = true
			continue
		}
		fleet = true
		args = args || f.who.databases != nil || f.who.clients != nil
	}
	if !fleet && len(h.recent) > 0 {
		h.begin() // what the fleet does is passed over from now on
	}
	h.running = len(h.followers) > 0
	return slices.Collect(maps.Keys(named)), fleet, args, h.running
}

// run looks until nobody follows any more.
func (h *hub) run() {
	moves := h.server.deps.Signals.Moves()
	defer moves.Close()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	l := &looker{hub: h, told: map[job.ID]told{}}
	for {
		<-rest.C
		ids, fleet, args, ok := h.wanted()
		if !ok {
			return
		}
		hinted, lost := moves.Take()
		l.lost = l.lost || lost
		err := h.server.guard(func() error { return l.look(job.Glance{IDs: ids, Args: args}, fleet, hinted) })
		if l.failed = err != nil; l.failed && h.server.draining.Err() == nil {
			h.server.deps.Log.Debug("jobs not looked at for those who follow them", "error", err)
		}
		rest.Reset(lookRest)
		select {
		case <-tick.C:
		case <-moves.Ready():
		case <-h.nudge:
		}
	}
}

// wait returns when nothing of the hub runs any more: everybody has left.
func (h *hub) wait() { h.runs.Wait() }

// tell passes changes on, to those who have just come also what has not
// changed, and that jobs are gone. lost says to all who follow the fleet that
// they may have missed something.
func (h *hub) tell(changed []event, named map[job.ID]*job.Job, missing []job.ID, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers {
		j, there := named[f.id]
		switch {
		case f.id == "" && lost:
			f.lose()
		case slices.Contains(missing, f.id):
			f.lose()
		case there && f.fresh:
			f.fresh = false
			f.push(event{seq: h.seq, job: j, state: true})
		}
	}
	for _, e := range changed {
		h.seq++
		e.seq = h.seq
		if e.state {
			h.recent = append(h.recent, e)
		}
		for f := range h.followers {
			if f.id == e.job.ID || f.id == "" && e.state {
				f.push(e)
			}
		}
	}
	if surplus := len(h.recent) - maxReplayed; surplus > 0 {
		h.recent = slices.Delete(h.recent, 0, surplus)
	}
}
