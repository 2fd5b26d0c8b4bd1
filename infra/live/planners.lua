-- Who is at a place, as all processes know it: a sorted set, scored by when each has to be
-- confirmed again. Read by Redis' own clock, so that machines whose clocks differ count alike.
--
-- KEYS[1]  the place
-- ARGV[1]  for how many milliseconds who is confirmed stays
-- ARGV[2]  how many are told at most
-- ARGV[3]  how many of the arguments after it are there; those after these have left
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local there = tonumber(ARGV[3])
for place = 4, #ARGV do
    if place < 4 + there then
        redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[place])
    else
        redis.call('ZREM', KEYS[1], ARGV[place])
    end
end
if there > 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
