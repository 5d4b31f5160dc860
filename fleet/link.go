package fleet

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed breaker.lua
var breakerSource string

//go:embed limit.lua
var limitSource string

var (
	breakerScript = redis.NewScript(breakerSource)
	limitScript   = redis.NewScript(limitSource)
)

// channel is where moves are told.
const channel = "asyncops:clients"

// askTimeout is how long a send waits for Redis before it makes do without.
const askTimeout = time.Second

// link is the way to Redis.
type link struct {
	conn redis.UniversalClient
	up   atomic.Bool
	lost chan struct{} // one slot: somebody had no answer
}

func newLink(conn redis.UniversalClient) *link {
	if conn == nil {
		return nil
	}
	return &link{conn: conn, lost: make(chan struct{}, 1)}
}

// usable reports whether Redis answered when it was last asked.
func (l *link) usable() bool { return l != nil && l.up.Load() }

// down notes that Redis did not answer.
func (l *link) down() {
	l.up.Store(false)
	select {
	case l.lost <- struct{}{}:
	default:
	}
}

// verb is what breaker.lua is asked to do.
type verb string

const (
	verbLook  verb = "look"
	verbIll   verb = "ill"
	verbWell  verb = "well"
	verbProbe verb = "probe"
	verbDrop  verb = "drop"
	verbReset verb = "reset"
	verbPause verb = "pause"
)

// question is one call of breaker.lua.
type question struct {
	verb   verb
	number int64 // as the script says
	holder string
	now    int64 // ms; 0 for the server's time
}

// reply is what breaker.lua answers.
type reply struct {
	view view

	granted bool
	wait    time.Duration // until it is worth asking for a slot again
	moved   bool          // by this call, to view.state
}

// key is the name of the upstream's keys; the braces keep them in one slot of a
// cluster.
func key(name string) string { return "asyncops:client:{" + name + "}" }

// ask calls breaker.lua. The durations that it answers with count from when the
// answer is here, so that no wait ends early.
func (l *link) ask(ctx context.Context, cfg Config, q question) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	b := cfg.Breaker
	keys := []string{key(cfg.Name), key(cfg.Name) + ":probes"}
	n, err := breakerScript.Run(ctx, l.conn, keys, string(q.verb), cfg.Name, b.Threshold, b.Timeout.Milliseconds(),
		b.HalfOpenRequests, q.number, q.holder, q.now).Int64Slice()
	if err != nil {
		return reply{}, fmt.Errorf("fleet: %s %s: %w", q.verb, cfg.Name, err)
	}
	if len(n) != 8 {
		return reply{}, fmt.Errorf("fleet: %s %s: %d numbers in the answer", q.verb, cfg.Name, len(n))
	}
	return reply{
		view:    viewOf(time.Now(), n[0], n[1], n[2], n[3], n[4]),
		granted: n[5] == 1, wait: time.Duration(n[6]) * time.Millisecond, moved: n[7] >= 0,
	}, nil
}

// viewOf is what was told at the time.
func viewOf(at time.Time, version, state, failures, openMS, pausedMS int64) view {
	v := view{version: version, state: State(state), failures: int(failures)}
	if openMS > 0 {
		v.openUntil = at.Add(time.Duration(openMS) * time.Millisecond)
	}
	if pausedMS > 0 {
		v.pausedUntil = at.Add(time.Duration(pausedMS) * time.Millisecond)
	}
	return v
}

// take calls limit.lua for up to n sends, or, with n less than 0, to give back.
func (l *link) take(ctx context.Context, cfg Config, n int, ahead time.Duration, mark string, now int64) (grant, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	r := cfg.RateLimit
	step := float64(r.Per.Nanoseconds()) / 1e3 / float64(r.Requests)
	got, err := limitScript.Run(ctx, l.conn, []string{key(cfg.Name) + ":limit"}, strconv.FormatFloat(step, 'f', -1, 64), r.Burst, n, ahead.Microseconds(), now, mark).Slice()
	if err != nil {
		return grant{}, fmt.Errorf("fleet: take from the limit of %s: %w", cfg.Name, err)
	}
	if len(got) != 5 {
		return grant{}, fmt.Errorf("fleet: take from the limit of %s: %d values in the answer", cfg.Name, len(got))
	}
	var numbers [4]int64
	for i := range numbers {
		numbers[i], _ = got[i].(int64) // the script returns numbers
	}
	g := grant{
		sends: int(numbers[0]), first: time.Duration(numbers[1]) * time.Microsecond, step: time.Duration(step * float64(time.Microsecond)),
		again: time.Duration(numbers[2]) * time.Microsecond, available: max(0, int(numbers[3])),
	}
	g.mark, _ = got[4].(string)
	return g, nil
}

var errMessage = errors.New("fleet: a message that says nothing")

// told reads a message of the channel.
func told(at time.Time, text string) (name string, v view, err error) {
	fields := strings.Fields(text)
	if len(fields) != 6 {
		return "", view{}, errMessage
	}
	var n [5]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
			return "", view{}, fmt.Errorf("%w: %w", errMessage, err)
		}
	}
	return fields[0], viewOf(at, n[0], n[1], n[2], n[3], n[4]), nil
}
