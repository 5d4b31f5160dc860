package cache

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// failed notes that Redis has not taken a change or a renewal, and returns how
// long it has been away.
func (f *fleet) failed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0 // it was not Redis
	}
	f.trouble(ctx, err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away.IsZero() {
		f.away = time.Now()
	}
	return time.Since(f.away)
}

// answered notes that it has.
func (f *fleet) answered() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.away.IsZero() {
		f.away = time.Time{}
		f.recovered()
	}
}

// trouble tells of what keeps this process from following the news, once.
func (f *fleet) trouble(ctx context.Context, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told || ctx.Err() != nil {
		return
	}
	f.told = true
	f.log.Warn("redis is away: reads go past the cache", "error", err)
}

// over notes that it is over.
func (f *fleet) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recovered()
}

// recovered tells of the end of a trouble that was told. It requires mu.
func (f *fleet) recovered() {
	if f.told {
		f.log.Info("redis is back: reads use the cache again")
	}
	f.told = false
}

// owe remembers slots that others must be told of.
func (f *fleet) owe(slots []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, slot := range slots {
		f.debts[slot] = struct{}{}
	}
}

// settleDebts tells the others what they could not be told, and reports whether
// nothing is left.
func (f *fleet) settleDebts(ctx context.Context) bool {
	f.mu.Lock()
	slots := slices.Sorted(maps.Keys(f.debts))
	clear(f.debts)
	f.mu.Unlock()
	if len(slots) == 0 {
		return true
	}
	if _, err := f.change(ctx, slots); err != nil {
		f.owe(slots)
		f.failed(ctx, err)
		return false
	}
	f.answered()
	f.gens.bump(slots)
	return true
}

// Redis must keep room for the doorbells of jobs, which are not to be evicted:
// values stay out when three quarters of its memory are used.
const mostMemory = 0.75

// full reports whether there is no room in Redis.
func (f *fleet) full() bool { return f.filled.Load() }

// measure asks Redis how much of its memory is used.
func (f *fleet) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	info, err := f.redis.Info(ctx, "memory").Result()
	if err != nil {
		return // it may be forbidden; then nothing can be told
	}
	figures := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			figures[name] = value
		}
	}
	used, _ := strconv.ParseFloat(figures["used_memory"], 64)
	most, _ := strconv.ParseFloat(figures["maxmemory"], 64)
	f.filled.Store(most > 0 && used > mostMemory*most && figures["maxmemory_policy"] == "noeviction")
}

// announced reports whether Redis knows all slots of a snapshot, so that whoever
// changes them tells.
func (f *fleet) announced(at snapshot) bool {
	for _, slot := range at.slots {
		if !at.session.announced[slot].Load() {
			return false
		}
	}
	return true
}

func (f *fleet) announce(at snapshot) {
	for _, slot := range at.slots {
		at.session.announced[slot].Store(true)
	}
}
