import { hash } from 'node:crypto';

/** A script of the server: it runs whole or not at all, and nothing runs beside it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

export const script = (text: string): Script => ({ text, sha: hash('sha1', text, 'hex') });

/** One slot of the shares: what is counted leaves its share up to so much later than it ends. */
const SLOT_MS = 10_000;
/** The same of counts, which end with their task: it may live for days. */
const COUNT_SLOT_MS = 600_000;

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
 * What is so now: gives the history that the data has (id and beginning), the id of the server, its time, and how many
 * used proofs and counts are kept. KEYS: history, share of proofs, share of counts.
 */
export const LOOK = script(`${PREAMBLE}
return {known or '', id, now, (total(KEYS[2])), (total(KEYS[3]))}
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

/** What is claimed: KEYS and ARGV after the first ones; three of ARGV for each key. */
const asked = (keys: number, args: number) => `
local wanted = #KEYS - ${keys}
local function key(n) return KEYS[${keys} + n] end
local function ends(n) return ARGV[${args - 2} + 3 * n] end
local function limit(n) return ARGV[${args - 1} + 3 * n] end
local function member(n) return ARGV[${args} + 3 * n] end
local function counts(n) return tonumber(limit(n)) end
local function slot(n, width) return math.ceil(ends(n) / width) * (width / ${SLOT_MS}) end
`;

/**
 * Claims all keys, or none. Gives 'fresh', 'same' (this very Check had claimed all of them), 'replayed' or 'spent' with the number of
 * the key, 'history' (another one than that by which the claims were judged), 'skew' with the server's time, 'ended', or 'full'
 * with the caller's share and the whole. What is used once is a text, the first use; what is counted is a hash, how often each of its
 * members was used. KEYS: 1 history, 2 and 3 shares of proofs in all and of the caller, 4 and 5 those of counts, 6… what is claimed.
 * ARGV: 1 history, 2 digest of the Check or '', 3 its deadline ms, 4 the caller's ms, 5 max skew ms, 6 most proofs, 7 most counts, 8… of
 * each key: its end in ms; its limit, '' where it is used once, 'check' for the Check itself; its member, '' where each use counts.
 */
export const CLAIM = script(`${PREAMBLE}${asked(5, 7)}
if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end
if math.abs(now - ARGV[4]) > tonumber(ARGV[5]) then return {'skew', now} end
local once, same, first, values = {}, 0, nil, {}
for n = 1, wanted do
  if not counts(n) then
    once[#once + 1] = n
    local value = redis.call('GET', key(n))
    if value then
      values[n] = value
      if limit(n) == '' then first = first or n end
      local check, deadline = string.match(value, '^(%S+) (%d+)')
      if check == ARGV[2] and tonumber(ARGV[4]) <= tonumber(deadline) then same = same + 1 end
    end
  end
end
if #once > 0 and same == #once then
  for n, value in pairs(values) do
    if not string.find(value, ' shared', 1, true) then
      redis.call('SET', key(n), value .. ' shared', 'KEEPTTL')
    end
  end
  return {'same'}
end
if first then return {'replayed', first} end
for n = 1, wanted do if tonumber(ends(n)) <= now then return {'ended'} end end
local new = {}
for n = 1, wanted do
  if counts(n) then
    local held, used = redis.call('HGET', key(n), member(n)), -1
    if member(n) == '' then used = tonumber(held or 0) elseif not held then used = redis.call('HLEN', key(n)) end
    if used >= counts(n) then return {'spent', n} end
    if not held then new[#new + 1] = n end
  end
end
local lasts = {}
local function share(k, more, most)
  if #more == 0 then return nil end
  local all, own
  all, lasts[k] = total(KEYS[k])
  own, lasts[k + 1] = total(KEYS[k + 1])
  local share = math.ceil((most - (all - own)) / 2)
  return own + #more > share and {'full', share, most} or nil
end
local function enter(k, more, width)
  if #more == 0 then return end
  for c = k, k + 1 do
    for _, n in ipairs(more) do
      redis.call('HINCRBY', KEYS[c], slot(n, width), 1)
      lasts[c] = math.max(lasts[c], slot(n, width))
    end
    redis.call('PEXPIREAT', KEYS[c], (lasts[c] + 1) * ${SLOT_MS})
    local slots = redis.call('HKEYS', KEYS[c])
    for i = 1, #slots do if slots[i] * ${SLOT_MS} <= now then redis.call('HDEL', KEYS[c], slots[i]) end end
  end
end
local full = share(2, once, ARGV[6]) or share(4, new, ARGV[7])
if full then return full end
for n = 1, wanted do
  if counts(n) then
    redis.call('HINCRBY', key(n), member(n), 1)
    redis.call('PEXPIREAT', key(n), ends(n))
  else
    redis.call('SET', key(n), ARGV[2] .. ' ' .. ARGV[3], 'PXAT', ends(n))
  end
end
enter(2, once, ${SLOT_MS})
enter(4, new, ${COUNT_SLOT_MS})
return {'fresh'}
`);

/**
 * Gives back what a fresh claim took, unless a retry lives by it too: of counts, where the Check itself says so. KEYS and ARGV as
 * far as above: 1 to 4 the shares, 5… keys; 1 the digest and the deadline, 2… of each key its end, limit and member.
 */
export const GIVE_BACK = script(`${asked(4, 1)}
local counted = true
local function leave(k, n, width)
  for c = k, k + 1 do redis.call('HINCRBY', KEYS[c], slot(n, width), -1) end
end
for n = 1, wanted do
  if not counts(n) then
    local mine = redis.call('GET', key(n)) == ARGV[1]
    if limit(n) == 'check' then counted = mine end
    if mine then
      redis.call('DEL', key(n))
      leave(1, n, ${SLOT_MS})
    end
  end
end
for n = 1, wanted do
  if counts(n) and counted and redis.call('HGET', key(n), member(n)) then
    if redis.call('HINCRBY', key(n), member(n), -1) <= 0 then
      redis.call('HDEL', key(n), member(n))
      leave(3, n, ${COUNT_SLOT_MS})
    end
  end
end
return {}
`);
