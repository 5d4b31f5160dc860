package cache

import (
	"crypto/sha256"
	"hash/fnv"
	"slices"
	"sync/atomic"
)

// Every tag and every key has a slot, by its hash: what is remembered of them is
// of a fixed size, here and in Redis. Two that have the same slot become stale
// together, which costs a load and is never wrong.
const (
	tagSlots = 1 << 16
	keySlots = 1 << 12
)

func tagSlot(space, tag string) int { return int(hash(space, tag) % tagSlots) }

func keySlot(space, key string) int { return tagSlots + int(hash(space, key)%keySlots) }

// hash is the same in every process and release: slots are named in Redis.
func hash(space, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(space)) // a hash takes everything
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(name))
	return h.Sum64()
}

// slotsOf lists the slots of tags and keys, each once, in order.
func slotsOf(space string, tags, keys []string) []int {
	slots := make([]int, 0, len(tags)+len(keys))
	for _, tag := range tags {
		slots = append(slots, tagSlot(space, tag))
	}
	for _, key := range keys {
		slots = append(slots, keySlot(space, key))
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// id names an entry in memory and in Redis, and tells nothing about it.
type id [sha256.Size]byte

func idOf(space, name string) id { return sha256.Sum256([]byte(space + "\x00" + name)) }

// session is a time through which this process has heard of every
// invalidation. What was loaded in another counts for nothing.
type session struct {
	era       string                           // of Redis; see fleet
	announced [tagSlots + keySlots]atomic.Bool // slots that Redis knows
}

// generations count the invalidations of each slot in this process.
type generations struct {
	slots   [tagSlots + keySlots]atomic.Uint32
	session atomic.Pointer[session]
}

// bump makes stale what depends on the slots.
func (g *generations) bump(slots []int) {
	for _, slot := range slots {
		g.slots[slot].Add(1)
	}
}

// begin starts another session, which makes everything stale.
func (g *generations) begin(s *session) { g.session.Store(s) }

// snapshot is what the generations were before something was loaded.
type snapshot struct {
	gens    *generations
	session *session
	slots   []int
	counts  []uint32
}

func (g *generations) snapshot(slots []int) snapshot {
	s := snapshot{gens: g, session: g.session.Load(), slots: slots, counts: make([]uint32, len(slots))}
	for i, slot := range slots {
		s.counts[i] = g.slots[slot].Load()
	}
	return s
}

// current reports whether nothing has become stale since.
func (s *snapshot) current() bool {
	if s.gens.session.Load() != s.session {
		return false
	}
	for i, slot := range s.slots {
		if s.gens.slots[slot].Load() != s.counts[i] {
			return false
		}
	}
	return true
}
