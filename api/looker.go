package api

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	lookSlack    = 5 * time.Second  // that a job's id may be older than its commit
	maxLooked    = 500              // jobs of each sort in one look
	versionAge   = 10 * time.Second // how long what was told of a job is remembered
	lostInterval = 5 * time.Second  // between two times that followers are told that something may be missing
)

// version tells what followers know of a job from what they do not.
type version struct{ state, progress uint64 }

func versionOf(j *job.Job) version {
	var v version
	state := fnv.New64a()
	numbers := []int64{
		int64(j.Generation), j.Epoch, int64(j.Attempt), int64(j.Crashes), j.RunAt.UnixMicro(), j.StartedAt.UnixMicro(), j.FinishedAt.UnixMicro(), 0,
	}
	if j.CancelRequested {
		numbers[len(numbers)-1] = 1
	}
	_ = binary.Write(state, binary.BigEndian, numbers) // a hash takes all
	_, _ = state.Write([]byte(j.State))
	if j.WaitingOn != nil {
		_, _ = state.Write([]byte(j.WaitingOn.Reason))
	}
	v.state = state.Sum64()
	if p := j.Progress; p != nil {
		progress := fnv.New64a()
		_ = binary.Write(progress, binary.BigEndian, []int64{p.Done, p.Total})
		_, _ = progress.Write([]byte(p.Message))
		v.progress = progress.Sum64()
	}
	return v
}

// told is what followers know of a job.
type told struct {
	version version
	active  bool
	at      time.Time
}

// looker is one run of the hub.
type looker struct {
	hub      *hub
	told     map[job.ID]told
	vanished []job.ID // ran two looks ago, and did not at the last
	failed   bool     // the last look did
	lost     bool     // something may have been missed, and nobody was told yet
	lostAt   time.Time
}

// look looks once, and tells what has changed.
func (l *looker) look(g job.Glance, fleet bool, hinted []job.ID) error {
	s, now := l.hub.server, time.Now()
	asked := g.IDs
	if fleet {
		if len(hinted) > maxLooked {
			hinted, l.lost = hinted[:maxLooked], true
		}
		g.IDs = slices.Concat(asked, hinted, l.vanished)
		g.Since, g.Active, g.Limit = s.now().Add(-lookSlack), true, maxLooked
	}
	ctx, cancel := s.withTimeout(s.draining)
	defer cancel()
	seen, err := s.deps.Watcher.Glance(ctx, g)
	if err != nil {
		return err
	}
	l.lost = l.lost || l.failed || l.overflown(seen.New)
	changed, named := l.changed(now, seen)
	missing := slices.DeleteFunc(slices.Clone(asked), func(id job.ID) bool { return named[id] != nil })
	lost := fleet && l.lost && now.Sub(l.lostAt) >= lostInterval
	if lost {
		l.lost, l.lostAt = false, now
	}
	l.hub.tell(changed, named, missing, lost)
	l.forget(now, seen.Active)
	return nil
}

// overflown reports whether there are new jobs between those of this look and
// those of the looks before.
func (l *looker) overflown(found []job.Job) bool {
	if len(found) < maxLooked {
		return false
	}
	_, known := l.told[found[len(found)-1].ID]
	return !known
}

// changed are the jobs that are not as they were told, in the order of their
// ids, and those that were asked for by name.
func (l *looker) changed(now time.Time, seen job.Glimpse) (changed []event, named map[job.ID]*job.Job) {
	named = make(map[job.ID]*job.Job, len(seen.Named))
	for i := range seen.Named {
		named[seen.Named[i].ID] = &seen.Named[i]
	}
	for _, list := range [][]job.Job{seen.Named, seen.New, seen.Active} {
		for i := range list {
			j := &list[i]
			v, before := versionOf(j), l.told[j.ID].version
			if before != v {
				changed = append(changed, event{job: j, state: before.state != v.state})
			}
			l.told[j.ID] = told{version: v, active: j.State == job.Active, at: now}
		}
	}
	slices.SortStableFunc(changed, func(a, b event) int { return strings.Compare(string(a.job.ID), string(b.job.ID)) })
	return changed, named
}

// forget drops what was told long ago, and notes which jobs do not run any more.
func (l *looker) forget(now time.Time, active []job.Job) {
	running := make(map[job.ID]bool, len(active))
	for i := range active {
		running[active[i].ID] = true
	}
	l.vanished = l.vanished[:0]
	for id, t := range l.told {
		if t.active && !running[id] && len(l.vanished) < maxLooked {
			l.vanished = append(l.vanished, id)
		}
		if now.Sub(t.at) > versionAge {
			delete(l.told, id)
		}
	}
}
