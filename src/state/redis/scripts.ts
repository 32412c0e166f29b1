import { hash } from 'node:crypto';

/** A script of the server: it runs whole or not at all, and nothing runs beside it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const script = (text: string): Script => ({ text, sha: hash('sha1', text, 'hex') });

/** Seconds of one slot of the counts: what is counted leaves the count up to so much later than it ends. */
const SLOT_MS = 10_000;

/** Of the text of a history: two ids and a time. What is longer is none. */
const MAX_HISTORY_BYTES = 128;

/**
 * What every script begins with. `id` names the data of this process of this server: it is another one after a restart, a
 * promotion, or a copy to another server. The key of the history binds it to the data itself, which `FLUSHALL`, `SWAPDB` and
 * a restored dump replace under the same id.
 */
export const PREAMBLE = `
local info = redis.call('INFO', 'replication', 'server')
local id = string.match(info, 'master_replid:(%x+)') .. '-' .. string.match(info, 'run_id:(%x+)')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('GET', KEYS[1])
if known and #known > ${MAX_HISTORY_BYTES} then known = '' end
local function total(key)
  local sum, last = 0, 0
  local slots = redis.call('HGETALL', key)
  for i = 1, #slots, 2 do
    local slot = tonumber(slots[i])
    if slot * ${SLOT_MS} > now then
      sum = sum + slots[i + 1]
      last = math.max(last, slot)
    end
  end
  return sum, last
end
`;

/**
 * What is so now: gives the history that the data has (id and beginning), the id of the server, its time, and how many used
 * proofs are counted. KEYS: history, count.
 */
export const LOOK = script(`${PREAMBLE}
return {known or '', id, now, (total(KEYS[2]))}
`);

/**
 * Begins a history where the data has none of this server, only one that began before the latest that was seen of it, or one that
 * is in doubt. Gives the history and the server's time; 'skew' before them where nothing can begin. KEYS: history. ARGV: 1 the
 * caller's ms, 2 max skew ms, 3 the latest history that was seen, 4 the one in doubt.
 */
export const ADOPT = script(`${PREAMBLE}
if math.abs(now - ARGV[1]) > tonumber(ARGV[2]) then return {'skew', known or '', now} end
local of, since = string.match(known or '', '^(%S+) (%d+)$')
local last, lastSince = string.match(ARGV[3], '^(%S+) (%d+)$')
if of ~= id or (last == id and tonumber(since) < tonumber(lastSince)) or known == ARGV[4] then
  known = id .. ' ' .. string.format('%.0f', now)
  redis.call('SET', KEYS[1], known)
end
return {'known', known, now}
`);

/**
 * Claims all keys, or none. Gives 'fresh', 'same' (this very Check had claimed all of them), 'replayed' with the number of the
 * key, 'history' (another one than that by which the claims were judged), 'skew' with the server's time, 'ended', or 'full'
 * with the caller's share. KEYS: 1 history, 2 count, 3 count of the caller, 4… what is claimed. ARGV: 1 history, 2 digest of
 * the Check or '', 3 its deadline ms, 4 the caller's ms, 5 max skew ms, 6 most entries, 7… the end of each key in ms.
 */
export const CLAIM = script(`${PREAMBLE}
if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end
if math.abs(now - ARGV[4]) > tonumber(ARGV[5]) then return {'skew', now} end
local wanted, same, first, values = #KEYS - 3, 0, nil, {}
for i = 4, #KEYS do
  local value = redis.call('GET', KEYS[i])
  values[i] = value
  if value then
    first = first or i - 3
    local check, deadline = string.match(value, '^(%S+) (%d+)')
    if check == ARGV[2] and tonumber(ARGV[4]) <= tonumber(deadline) then same = same + 1 end
  end
end
if same == wanted then
  for i = 4, #KEYS do
    if not string.find(values[i], ' shared', 1, true) then
      redis.call('SET', KEYS[i], values[i] .. ' shared', 'KEEPTTL')
    end
  end
  return {'same'}
end
if first then return {'replayed', first} end
for i = 7, #ARGV do if tonumber(ARGV[i]) <= now then return {'ended'} end end
local all, last = total(KEYS[2])
local own, ownLast = total(KEYS[3])
local share = math.ceil((ARGV[6] - (all - own)) / 2)
if own + wanted > share then return {'full', share} end
for i = 4, #KEYS do
  local ends = ARGV[i + 3]
  redis.call('SET', KEYS[i], ARGV[2] .. ' ' .. ARGV[3], 'PXAT', ends)
  local slot = math.ceil(ends / ${SLOT_MS})
  for k = 2, 3 do redis.call('HINCRBY', KEYS[k], slot, 1) end
  last = math.max(last, slot)
  ownLast = math.max(ownLast, slot)
end
redis.call('PEXPIREAT', KEYS[2], (last + 1) * ${SLOT_MS})
redis.call('PEXPIREAT', KEYS[3], (ownLast + 1) * ${SLOT_MS})
for k = 2, 3 do
  local slots = redis.call('HKEYS', KEYS[k])
  for i = 1, #slots do if slots[i] * ${SLOT_MS} <= now then redis.call('HDEL', KEYS[k], slots[i]) end end
end
return {'fresh'}
`);

/**
 * Gives back what a fresh claim took, unless a retry lives by it too. KEYS and ARGV as far as above: 1 count, 2 count of the
 * caller, 3… keys; 1 the digest and the deadline, 2… the end of each key.
 */
export const GIVE_BACK = script(`
for i = 3, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[1] then
    redis.call('DEL', KEYS[i])
    local slot = math.ceil(ARGV[i - 1] / ${SLOT_MS})
    for k = 1, 2 do redis.call('HINCRBY', KEYS[k], slot, -1) end
  end
end
return {}
`);
