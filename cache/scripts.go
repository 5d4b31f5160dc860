package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Keys in Redis, all in one slot of a cluster. Both hold the era and live as
// long as somebody renews them: if either is lost, all that was kept is.
//
//	state     era, run (of the server), born (ms), seq, m:<member> = seq of its last renewal
//	versions  era, <slot> = times that it was changed
const (
	stateKey    = "asyncops:{cache}:state"
	versionsKey = "asyncops:{cache}:versions"
	newsChannel = "asyncops:{cache}:news"
	ackChannel  = "asyncops:{cache}:acks"
)

// prelude is what the scripts share. An era is over when its keys are gone, or
// are with another server than the one that it began with: after a failover or
// a restart they may be older than what was acknowledged. A new era takes it
// that members of an old one may have leases still; unless nothing was lost, the
// server has been up for longer than a lease, and nobody else listens: then
// there are none, and it is as if it had begun long ago.
const prelude = `
local state, versions = KEYS[1], KEYS[2]
local function info()
  local text = redis.pcall('INFO', 'server')
  return type(text) == 'string' and text or ''
end
local function run() return string.match(info(), 'run_id:(%x+)') or '' end
local function alive()
  local era, at = unpack(redis.call('HMGET', state, 'era', 'run'))
  if era and redis.call('HGET', versions, 'era') == era and at == run() then return era end
  return nil
end
local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function alone(most)
  local text = info()
  local up = tonumber(string.match(text, 'uptime_in_seconds:(%d+)') or 0)
  local listeners = redis.call('PUBSUB', 'NUMSUB', ARGV[1])[2]
  return up > 2 and listeners <= most and not string.find(text, 'redis_mode:cluster', 1, true)
end
local function begin(era, ttl, listeners)
  local lost = redis.call('DEL', state, versions) > 0
  local born = now()
  if not lost and alone(listeners) then born = 0 end
  redis.call('HSET', state, 'era', era, 'run', run(), 'born', born, 'seq', 0)
  redis.call('HSET', versions, 'era', era)
  redis.call('PEXPIRE', state, ttl)
  redis.call('PEXPIRE', versions, ttl)
  return era
end
`

//nolint:dupword // Lua ends its blocks with the same word
var (
	// renewScript: channel, candidate era, ttl ms, member, known era or "" to
	// join, when it was sent by the member's clock -> {era, seq} or {era, 0} for
	// one that must join.
	renewScript = redis.NewScript(prelude + `
local era = alive() or begin(ARGV[2], ARGV[3], 1) -- who joins listens
local member = 'm:' .. ARGV[4]
if ARGV[5] ~= '' and (ARGV[5] ~= era or redis.call('HEXISTS', state, member) == 0) then return {era, 0} end
local seq = redis.call('HINCRBY', state, 'seq', 1)
redis.call('HSET', state, member, seq)
redis.call('PEXPIRE', state, ARGV[3])
redis.call('PEXPIRE', versions, ARGV[3])
redis.call('PUBLISH', ARGV[1], era .. ' ' .. seq .. ' renewed ' .. ARGV[4] .. ' ' .. ARGV[6])
return {era, seq}`)

	// lookScript: slot… -> {era, their versions joined by commas}, or {''}.
	// Slots that it has not seen yet it makes known.
	lookScript = redis.NewScript(prelude + `
local era = alive()
if not era then return {''} end
local all = redis.call('HMGET', versions, unpack(ARGV))
for i, version in ipairs(all) do
  if not version then
    redis.call('HSET', versions, ARGV[i], 0)
    all[i] = '0'
  end
end
return {era, table.concat(all, ',')}`)

	// changeScript: channel, candidate era, ttl ms, member, slot… -> {era, seq,
	// age of the era in ms, then each member and the seq of its last renewal}. seq
	// is 0 when nobody has ever looked at the slots.
	changeScript = redis.NewScript(prelude + `
local era = alive() or begin(ARGV[2], ARGV[3], 0)
local changed = {}
for i = 5, #ARGV do
  if redis.call('HEXISTS', versions, ARGV[i]) == 1 then
    redis.call('HINCRBY', versions, ARGV[i], 1)
    changed[#changed + 1] = ARGV[i]
  end
end
local reply = {era, 0, now() - redis.call('HGET', state, 'born')}
if #changed == 0 then return reply end
reply[2] = redis.call('HINCRBY', state, 'seq', 1)
redis.call('PUBLISH', ARGV[1], era .. ' ' .. reply[2] .. ' changed ' .. ARGV[4] .. ' ' .. table.concat(changed, ' '))
local all = redis.call('HGETALL', state)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'm:' then
    reply[#reply + 1] = string.sub(all[i], 3)
    reply[#reply + 1] = tonumber(all[i + 1])
  end
end
return reply`)

	// removeScript: era, then members and the seqs of the renewals that they must
	// not have gone beyond, 0 for any -> how many it removed.
	removeScript = redis.NewScript(`
local n = 0
if redis.call('HGET', KEYS[1], 'era') ~= ARGV[1] then return n end
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '0' or redis.call('HGET', KEYS[1], 'm:' .. ARGV[i]) == ARGV[i + 1] then
    n = n + redis.call('HDEL', KEYS[1], 'm:' .. ARGV[i])
  end
end
return n`)
)

var keys = []string{stateKey, versionsKey}

// renew joins, if era is "", or renews the member's lease.
func (f *fleet) renew(ctx context.Context, member, era string, sent int64) (current string, seq int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	reply, err := renewScript.Run(ctx, f.redis, keys, newsChannel, newEra(), eraLife.Milliseconds(), member, era, sent).Slice()
	if err != nil {
		return "", 0, err
	}
	r := replies(reply)
	return r.text(0), r.number(1), nil
}

// looked is the reply to a look.
type looked struct {
	era      string
	versions []byte
	value    []byte
	life     time.Duration
}

// look asks for the versions of the slots and, if value, for what is at key.
// Whatever was invalidated before the call is in the versions.
func (f *fleet) look(ctx context.Context, at snapshot, key string, value bool) (looked, error) {
	args := make([]any, len(at.slots))
	for i, slot := range at.slots {
		args[i] = slot
	}
	pipe := f.redis.Pipeline()
	versions := pipe.EvalSha(ctx, lookScript.Hash(), keys, args...)
	var data *redis.StringCmd
	var life *redis.DurationCmd
	if value {
		data, life = pipe.Get(ctx, key), pipe.PTTL(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	reply, err := versions.Slice()
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
		reply, err = lookScript.Run(ctx, f.redis, keys, args...).Slice()
	}
	if err != nil {
		return looked{}, err
	}
	r := replies(reply)
	out := looked{era: r.text(0), versions: []byte(r.text(1))}
	if value {
		out.value, err = data.Bytes()
		out.life = life.Val()
	}
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return out, err
}

// changed is the reply to a change.
type changed struct {
	era     string
	seq     int64
	age     time.Duration    // of the era
	members map[string]int64 // the seq of the last renewal of each
}

func (f *fleet) change(ctx context.Context, slots []int) (changed, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	args := []any{newsChannel, newEra(), eraLife.Milliseconds(), f.name()}
	for _, slot := range slots {
		args = append(args, slot)
	}
	reply, err := changeScript.Run(ctx, f.redis, keys, args...).Slice()
	if err != nil {
		return changed{}, err
	}
	r := replies(reply)
	out := changed{era: r.text(0), seq: r.number(1), age: time.Duration(r.number(2)) * time.Millisecond, members: map[string]int64{}}
	for i := 3; i+1 < len(r); i += 2 {
		out.members[r.text(i)] = r.number(i + 1)
	}
	return out, nil
}

// remove takes members out that have not renewed since; 0 takes them out in any
// case.
func (f *fleet) remove(ctx context.Context, era string, members map[string]int64) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	args := []any{era}
	for member, seq := range members {
		args = append(args, member, seq)
	}
	return removeScript.Run(ctx, f.redis, keys[:1], args...).Err()
}

// replies is a script's reply.
type replies []any

func (r replies) text(i int) string {
	if i >= len(r) {
		return ""
	}
	return fmt.Sprint(r[i])
}

func (r replies) number(i int) int64 {
	n, _ := strconv.ParseInt(r.text(i), 10, 64) // the scripts return integers
	return n
}
