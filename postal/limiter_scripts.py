"""The parts of pacing that run inside Redis, where all clients meet and there is one clock.

Every script takes the time in ms as ARGV[1], or an empty text for the server's own clock.
"""

from typing import Final

# A window is counted by slices and looked back over by so many of them; see ASK.
SLICES: Final = 50
LOOK_BACK: Final = 52

# A slow-down is over after this long without a complaint.
RECOVERY_SECONDS: Final = 10
# Lanes that hear the same answer within this time are one complaint.
_ONE_COMPLAINT_MS: Final = 1_000

_CLOCK: Final = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# What a slowed subject may do now: its rate grows by the same amount each second until it is at the
# ceiling, and nothing leaves before `until`.
_SLOWED: Final = (
    f"""
local RECOVERY_MS = {RECOVERY_SECONDS * 1000}
"""
    """
local function slowed(key)
  local is = redis.call('HMGET', key, 'rate', 'since', 'until', 'ceiling', 'tat')
  if not is[1] then return nil end
  local since, held, ceiling = tonumber(is[2]), tonumber(is[3]), tonumber(is[4])
  -- A server clock that was set back must not hold anybody for the difference.
  if since > now then
    held = now + math.max(0, held - since)
    since = now
    is[5] = now
    redis.call('HSET', key, 'since', since, 'until', held, 'tat', now)
  end
  local rate = tonumber(is[1]) + ceiling * math.max(0, now - math.max(since, held)) / RECOVERY_MS
  if rate >= ceiling and now >= held then
    redis.call('DEL', key)
    return nil
  end
  return {rate = rate, held = held, ceiling = ceiling, since = since, tat = tonumber(is[5] or 0)}
end
"""
)

# KEYS: who asks; one hash per rule; one hash per subject that may be slowed down.
# ARGV: now, client, how many are wanted, 1 if any number is welcome, how many rules, then for
# each rule its limit and its window in ms.
# Returns: how many are granted, ms to wait otherwise, the time, how many clients there were in the
# last ten minutes, copies per 1,000 s that a slow-down leaves (0: none is in force).
#
# A rule's hash counts by fiftieths of its window and looks back over 52 of them, so that whatever
# 50 of them a window covers, it holds no more than the limit, and neither does one that began a
# fiftieth earlier or later on the wire. `tat` spaces the grants: no more than a tenth of the
# limit at once, a single one from a fresh start.
ASK: Final = (
    _CLOCK
    + _SLOWED
    + f"""
local SLICES, LOOK_BACK = {SLICES}, {LOOK_BACK}
"""
    + """
local wanted, partial_grant, rules = tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5])
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 600000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 600000, '+inf')
redis.call('PEXPIRE', KEYS[1], 600000)
local clients = redis.call('ZCARD', KEYS[1])
local found, need, granted, wait, is_slowed = {}, wanted, wanted, 0, 0

local function pace(tat, spacing, burst)
  tat = math.min(math.max(tat, now), now + burst * spacing)
  return tat, math.floor(burst - (tat - now) / spacing + 1e-6)
end

for place = 1, rules do
  local limit, window = tonumber(ARGV[4 + 2 * place]), tonumber(ARGV[5 + 2 * place])
  local key, slice, spacing = KEYS[1 + place], window / SLICES, window / limit
  local burst = math.max(1, math.floor(limit / 10))
  local current = math.floor(now / slice)
  local tat, used, counts = now + (burst - 1) * spacing, 0, {}
  local hash = redis.call('HGETALL', key)
  for at = 1, #hash, 2 do
    local field, value = hash[at], tonumber(hash[at + 1])
    local number = tonumber(field)
    if field == 'tat' then
      tat = value
    elseif number <= current - LOOK_BACK then
      redis.call('HDEL', key, field)
    else
      -- From before the clock was set back: it counts as if it were of now.
      if number > current then
        redis.call('HDEL', key, field)
        redis.call('HINCRBY', key, current, value)
        number = current
      end
      used = used + value
      counts[number] = (counts[number] or 0) + value
    end
  end
  local room
  tat, room = pace(tat, spacing, burst)
  local least = math.max(1, math.min(wanted, math.floor(burst / 2), math.floor(500 / spacing)))
  found[place] = {key = key, tat = tat, spacing = spacing, room = room, left = limit - used, counts = counts,
                  slice = slice, current = current, window = window, burst = burst}
  need = math.min(need, partial_grant and 1 or least)
  granted = math.min(granted, room, limit - used)
end

local brakes = {}
for place = 2 + rules, #KEYS do
  local is = slowed(KEYS[place])
  if is then
    is_slowed = is_slowed == 0 and math.ceil(is.rate * 1000) or math.min(is_slowed, math.ceil(is.rate * 1000))
    local spacing, burst = 1000 / is.rate, math.max(1, math.floor(is.rate))
    local tat, room = pace(is.tat, spacing, burst)
    if now < is.held then
      room = 0
      wait = math.max(wait, is.held - now)
    end
    need = math.min(need, partial_grant and 1 or math.max(1, math.min(wanted, math.floor(burst / 2))))
    granted = math.min(granted, room)
    brakes[#brakes + 1] = {key = KEYS[place], tat = tat, spacing = spacing, room = room, burst = burst, held = is.held}
  end
end

if granted >= need and granted > 0 then
  for _, rule in ipairs(found) do
    redis.call('HINCRBY', rule.key, rule.current, granted)
    redis.call('HSET', rule.key, 'tat', string.format('%.3f', rule.tat + granted * rule.spacing))
    redis.call('PEXPIRE', rule.key, math.ceil(2 * rule.window))
  end
  for _, brake in ipairs(brakes) do
    redis.call('HSET', brake.key, 'tat', string.format('%.3f', brake.tat + granted * brake.spacing))
  end
  return {granted, 0, now, clients, is_slowed}
end

-- Until the spacing allows for so many; to the millisecond, since whoever waits asks again and again.
local function opens_in(one)
  return one.tat - now - (one.burst - need) * one.spacing
end

for _, rule in ipairs(found) do
  -- A fresh start begins to count from here, and so does a clock that was set back.
  redis.call('HSET', rule.key, 'tat', string.format('%.3f', rule.tat))
  redis.call('PEXPIRE', rule.key, math.ceil(2 * rule.window))
  if rule.room < need then wait = math.max(wait, opens_in(rule)) end
  local left, number = rule.left, rule.current - LOOK_BACK
  while left < need and number < rule.current do
    number = number + 1
    left = left + (rule.counts[number] or 0)
    if left >= need then wait = math.max(wait, (number + LOOK_BACK) * rule.slice - now) end
  end
end
for _, brake in ipairs(brakes) do
  if brake.room < need and now >= brake.held then wait = math.max(wait, opens_in(brake)) end
end
return {0, math.max(1, math.ceil(wait)), now, clients, is_slowed}
"""
)

# KEYS: one hash per rule. ARGV: unused, when they were granted in ms, how many come back, then
# limit and window of each rule. They leave the slice in which they were counted.
GIVE_BACK: Final = """
local then_, count = tonumber(ARGV[2]), tonumber(ARGV[3])
for place, key in ipairs(KEYS) do
  local limit, window = tonumber(ARGV[2 + 2 * place]), tonumber(ARGV[3 + 2 * place])
  local slice = math.floor(then_ / (window / 50))
  if tonumber(redis.call('HGET', key, slice) or 0) >= count then
    redis.call('HINCRBY', key, slice, -count)
    redis.call('HSET', key, 'tat', string.format('%.3f', redis.call('HGET', key, 'tat') - count * window / limit))
  end
end
"""

# KEYS: the subject's hash; the list of slowed subjects. ARGV: now, subject, ceiling per second if it
# was not slowed, ms in which nothing may leave, the share of its copies that were refused.
# The rate falls by that share, by half at most, once for all lanes that hear the same answer. Where
# most were refused, the ceiling was too high as well.
SLOW: Final = (
    _CLOCK
    + _SLOWED
    + f"""
local ONE_COMPLAINT_MS = {_ONE_COMPLAINT_MS}
"""
    + """
local hold, share = tonumber(ARGV[4]), tonumber(ARGV[5])
local is = slowed(KEYS[1])
local ceiling = is and is.ceiling or math.max(1, tonumber(ARGV[3]))
local rate, since, held = is and is.rate or ceiling, now, now + hold
if is then held = math.max(is.held, held) end
if is and now - is.since < ONE_COMPLAINT_MS then
  rate, since = tonumber(redis.call('HGET', KEYS[1], 'rate')), is.since
else
  rate = math.max(0.5, rate * math.max(0.5, 1 - share))
  if share > 0.5 then ceiling = math.max(1, math.min(ceiling, 2 * rate)) end
end
redis.call('HSET', KEYS[1], 'rate', rate, 'since', since, 'until', held, 'ceiling', ceiling,
           'tat', is and is.tat or now)
local ends = held + 3600000
redis.call('PEXPIRE', KEYS[1], math.ceil(ends - now))
redis.call('ZADD', KEYS[2], ends, ARGV[2])
redis.call('PEXPIRE', KEYS[2], math.ceil(ends - now) + 86400000)
"""
)

# KEYS: a subject's line. ARGV: now, how many stand in it, ms between two of them, the longest line
# in ms. Returns ms until the first one's turn; each later one has its turn that much later.
QUEUE: Final = (
    _CLOCK
    + """
local spacing, longest = tonumber(ARGV[3]), tonumber(ARGV[4])
local starts = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
if starts - now > longest then starts = now end
local ends = starts + tonumber(ARGV[2]) * spacing
redis.call('SET', KEYS[1], string.format('%.0f', ends), 'PX', math.max(1, math.ceil(ends - now)))
return math.ceil(starts - now)
"""
)

# KEYS: the count of a day. ARGV: unused, the allowance, how many are wanted (negative: how many come
# back), what the rows say (empty: not asked yet). Returns how many are granted; the text COUNT: count the rows first.
ALLOW: Final = """
local used = tonumber(redis.call('GET', KEYS[1]) or ARGV[4])
if not used then return redis.status_reply('COUNT') end
local wanted = tonumber(ARGV[3])
local granted = wanted < 0 and wanted or math.max(0, math.min(wanted, tonumber(ARGV[2]) - used))
redis.call('SET', KEYS[1], used + granted, 'EX', 172800)
return granted
"""
