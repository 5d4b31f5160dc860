package cache

import (
	"bytes"
	"context"
	"encoding/hex"
	"time"
)

// found is what Redis knows of an entry.
type found struct {
	known    bool   // every process that changes the slots will tell
	era      string // to which the versions belong
	versions []byte // of the entry's slots, before anything is loaded
	data     []byte // nil for none
	life     time.Duration
}

// look asks Redis for an entry, and makes its slots known there: from then on,
// whoever changes them tells.
func (c *Cache) look(ctx context.Context, r *request) found {
	f := c.fleet
	if f == nil {
		return found{known: true}
	}
	shared := c.cfg.Shared && !r.local
	if !shared && f.announced(r.at) {
		return found{known: true}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	reply, err := f.look(ctx, r.at, valueKey(r.at.session.era, r.id), shared)
	if err != nil || reply.era != r.at.session.era {
		return found{}
	}
	f.announce(r.at)
	out := found{known: true, era: reply.era, versions: reply.versions}
	if versions, data, ok := bytes.Cut(reply.value, []byte{versionsEnd}); ok && reply.life > 0 && bytes.Equal(versions, reply.versions) {
		out.data, out.life = data, reply.life
	}
	return out
}

// versionsEnd separates a value in Redis from the versions that its slots had
// before it was loaded.
const versionsEnd = '\n'

// maxShared bounds a value in Redis, where others wait while it is read.
const maxShared = 4 << 20

// keep puts a value into Redis. If its slots have been changed meanwhile, its
// versions are old ones, and nobody takes it.
func (c *Cache) keep(ctx context.Context, r *request, at found, data []byte, life time.Duration) {
	life = life.Truncate(time.Millisecond)
	if !c.cfg.Shared || r.local || !at.known || life <= 0 || len(data) > min(c.memory.most, maxShared) || !r.at.current() || c.fleet.full() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	value := append(append(append(make([]byte, 0, len(at.versions)+1+len(data)), at.versions...), versionsEnd), data...)
	_ = c.cfg.Redis.Set(ctx, valueKey(at.era, r.id), value, life).Err() // not kept, then
}

// valueKey is where a value is in Redis. Those of another era are not found,
// and expire.
func valueKey(era string, key id) string {
	return "asyncops:cache:" + era + ":" + hex.EncodeToString(key[:])
}
