-- Takes tokens from every bucket named, or none from any: one step, whoever else asks at the same moment.
--
-- KEYS     the buckets: each holds the moment at which it is full again, in microseconds of this server's clock,
--          and is gone by then.
-- ARGV     the cost; 1 if it may be refused, 0 if it is owed; then for each bucket: microseconds for one token,
--          from empty to full, and to full of one overdrawn as far as it can be.
-- returns  microseconds until all could be had (0: they were taken), then for each bucket until it is full.
local time = redis.call('time')
local now = time[1] * 1000000 + time[2]
local cost, refusable = tonumber(ARGV[1]), ARGV[2] == '1'
local to_full, wait = {}, 0

for place, key in ipairs(KEYS) do
    local interval, window = tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 1])
    local full_at = tonumber(redis.call('get', key) or now)
    to_full[place] = math.min(math.max(full_at - now, 0), tonumber(ARGV[3 * place + 2]))
    wait = math.max(wait, to_full[place] + interval - window)
end

if refusable and wait > 1 then
    return {math.ceil(wait), unpack(to_full)}
end

for place, key in ipairs(KEYS) do
    to_full[place] = math.min(to_full[place] + cost * tonumber(ARGV[3 * place]), tonumber(ARGV[3 * place + 2]))
    redis.call('set', key, string.format('%.0f', now + to_full[place]), 'px', math.floor(to_full[place] / 1000) + 1)
end
return {0, unpack(to_full)}
