package cache

import (
	"math"
	"time"

	"github.com/maypok86/otter/v2"
)

// kept is a value in this process, with what it depends on.
type kept struct {
	data  []byte // not changed any more
	at    snapshot
	life  time.Duration
	until time.Time // set by put
	space string
}

// overhead is what an entry takes beside its data, about: its own fields, its
// slots, and otter's node.
const overhead = 320

// memory is the first level. Its entries may be stale: who reads one asks its
// snapshot.
type memory struct {
	cache *otter.Cache[id, *kept]
	most  int // bytes of a value
}

func newMemory(maxBytes int64, observer Observer) (*memory, error) {
	cache, err := otter.New(&otter.Options[id, *kept]{
		MaximumWeight: uint64(maxBytes),
		Weigher: func(_ id, k *kept) uint32 {
			return uint32(min(int64(len(k.data))+overhead, math.MaxUint32))
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[id, *kept]) time.Duration { return e.Value.life }),
		OnDeletion: func(e otter.DeletionEvent[id, *kept]) {
			if e.Cause == otter.CauseOverflow {
				observer.CacheEviction(e.Value.space)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return &memory{cache: cache, most: int(min(maxBytes/16, math.MaxInt32))}, nil
}

func (m *memory) get(key id) *kept {
	k, _ := m.cache.GetIfPresent(key)
	return k
}

// put keeps k, unless it is too large or stale already.
func (m *memory) put(key id, k *kept) {
	if k.life > 0 && m.holds(k.data) && k.at.current() {
		k.until = time.Now().Add(k.life)
		m.cache.Set(key, k)
	}
}

// holds reports whether a value is small enough to be kept.
func (m *memory) holds(data []byte) bool { return len(data) <= m.most }

// drop gives the memory of all entries back.
func (m *memory) drop() { m.cache.InvalidateAll() }

func (m *memory) bytes() int64 { return int64(m.cache.WeightedSize()) }

func (m *memory) close() { m.cache.StopAllGoroutines() }
