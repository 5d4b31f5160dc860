-- Takes sends from an upstream's rate limit: a generic cell rate algorithm that
-- also hands out sends of the near future, so that nothing of the limit is lost
-- between a send's time and the next ask.
--
-- KEYS[1]  the theoretical arrival time of the send after the last, µs
-- ARGV[1]  µs from one send to the next
-- ARGV[2]  burst: sends that may go out at once
-- ARGV[3]  sends that are wanted; less than 0: that many are given back, if
--          nobody has taken any since
-- ARGV[4]  how far ahead the last of them may lie, µs
-- ARGV[5]  the time, µs; 0 for the server's
-- ARGV[6]  of what is given back: what KEYS[1] was when it was taken
--
-- Returns how many were taken, µs until the first of them may go out (less than 0:
-- for so long it might have; each other follows a step later), µs until it is worth asking for more, how many could go
-- out at once now, and KEYS[1] as it is now.

local step, burst, wanted, ahead, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local window = step * burst

-- After a failover to a server whose clock is behind, the time may lie further
-- ahead than any send was taken.
local had = redis.call('GET', KEYS[1]) or '0'
local tat = math.min(math.max(tonumber(had), now), now + window + 60000000)

local first = tat + step - window - now
local taken, again = 0, 0
if wanted < 0 and had == ARGV[6] then
  taken = wanted
elseif wanted > 0 then
  taken = math.max(0, math.min(wanted, math.floor((ahead - first) / step) + 1))
  if taken < wanted then again = first + taken * step - ahead end
end
tat = math.max(now, tat + taken * step)
local has = string.format('%.3f', tat)
if tat > now then
  redis.call('SET', KEYS[1], has, 'PX', math.ceil((tat - now) / 1000) + 1000)
else
  redis.call('DEL', KEYS[1])
end
return {taken, math.ceil(first), math.ceil(again), math.floor((window - (tat - now)) / step), has}
