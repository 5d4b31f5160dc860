-- What the fleet shares about one upstream: its circuit breaker and its pause.
--
-- KEYS[1]  hash: v, state, failures, successes, open_until, paused_until (ms)
-- KEYS[2]  sorted set: holders of half-open slots, by when their slots end (ms)
-- ARGV[1]  verb: look, ill, well, probe, drop, reset or pause
-- ARGV[2]  the upstream's name
-- ARGV[3]  threshold; 0: no breaker
-- ARGV[4]  how long the breaker stays open, ms
-- ARGV[5]  half-open slots, and successes that close it
-- ARGV[6]  ill, well: v when the request was let out; probe: how long the slot
--          is wanted for, ms; pause: how long, ms; else 0
-- ARGV[7]  ill, well, probe, drop: the holder; "" for a request without a slot
-- ARGV[8]  the time, ms; 0 for the server's
--
-- Returns v, state (0 closed, 1 half-open, 2 open), failures in a row, ms until
-- probes may begin, ms that the pause lasts yet, whether a slot was granted,
-- ms until it is worth asking for one again, and the state that this call
-- moved to, or -1. Whatever changed is published first: the upstream's name and
-- the first five of these.
--
-- v grows with every move, also over the loss of the keys: it is at least the
-- time. A result of a request that was let out under another v says nothing
-- about the state now, unless the request holds a slot.

local CLOSED, HALF, OPEN = 0, 1, 2
local verb, name, threshold = ARGV[1], ARGV[2], tonumber(ARGV[3])
local timeout, slots = tonumber(ARGV[4]), tonumber(ARGV[5])
local number, holder, now = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

local had = redis.call('HMGET', KEYS[1], 'v', 'state', 'failures', 'successes', 'open_until', 'paused_until')
for i = 1, 6 do had[i] = tonumber(had[i] or 0) end
local v, state, failures, successes, open_until, paused_until = unpack(had)
local granted, wait, moved, changed = 0, 0, -1, v == 0
if v == 0 then v = now end

local function move(to)
  if to == CLOSED then failures = 0 end
  if to == OPEN then open_until = now + timeout end
  redis.call('DEL', KEYS[2])
  v, state, successes, moved, changed = math.max(v + 1, now), to, 0, to, true
end

local function holds()
  return holder ~= '' and redis.call('ZSCORE', KEYS[2], holder) ~= false
end

if threshold == 0 and state ~= CLOSED then
  move(CLOSED)
elseif state == OPEN and open_until > now + timeout then -- the clock went back, or the setting down
  open_until, changed = now + timeout, true
end

if verb == 'ill' and threshold > 0 then
  if state == CLOSED and number == v then
    failures, changed = failures + 1, true
    if failures >= threshold then move(OPEN) end
  elseif state == HALF and holds() then
    move(OPEN)
  end
elseif verb == 'well' then
  if state == CLOSED and number == v and failures > 0 then
    failures, changed = 0, true
  elseif state == HALF and holds() then
    redis.call('ZREM', KEYS[2], holder)
    successes, changed = successes + 1, true
    if successes >= slots then move(CLOSED) end
  end
elseif verb == 'probe' then
  if state == OPEN and now >= open_until then move(HALF) end
  if state == CLOSED then
    granted = 1
  elseif state == OPEN then
    wait = open_until - now
  else
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
    if successes >= slots then -- the setting went down
      move(CLOSED)
      granted = 1
    elseif holds() or redis.call('ZCARD', KEYS[2]) + successes < slots then
      redis.call('ZADD', KEYS[2], now + number, holder)
      granted = 1
    else
      wait = tonumber(redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]) - now
    end
  end
elseif verb == 'drop' then
  redis.call('ZREM', KEYS[2], holder)
elseif verb == 'reset' then
  paused_until, failures, changed = 0, 0, true
  if state ~= CLOSED then move(CLOSED) end
elseif verb == 'pause' and now + number > paused_until then
  paused_until, changed = now + number, true
end

if changed then
  redis.call('HSET', KEYS[1], 'v', v, 'state', state, 'failures', failures, 'successes', successes,
    'open_until', open_until, 'paused_until', paused_until)
end
-- An upstream that nobody is configured for any more is forgotten.
redis.call('PEXPIRE', KEYS[1], 86400000 + timeout + math.max(0, paused_until - now))
redis.call('PEXPIRE', KEYS[2], 86400000 + timeout)

local opens = 0
if state == OPEN then opens = math.max(0, open_until - now) end
local paused = math.max(0, paused_until - now)
if changed then
  redis.call('PUBLISH', 'asyncops:clients', string.format('%s %.0f %d %d %.0f %.0f', name, v, state, failures, opens, paused))
end
return {v, state, failures, opens, paused, granted, wait, moved}
