import { hash } from 'node:crypto';
import { MAX_TOUCHED_APIS } from '../bounded/touched.ts';

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

/** Of an account: `ends`, `version`, `all`, three of sensitivity, and apis. */
const MAX_TOUCHED_FIELDS = 6 + MAX_TOUCHED_APIS;

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
 * used proofs, counts and touched accounts are kept. KEYS: history, share of proofs, of counts, of accounts.
 */
export const LOOK = script(`${PREAMBLE}
return {known or '', id, now, (total(KEYS[2])), (total(KEYS[3])), (total(KEYS[4]))}
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

/** Whoever judged by another history than that of the data is told so. */
const SAME_HISTORY = `if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end
`;

/** What is claimed: KEYS and ARGV after the first ones, but for the last keys of accounts; three of ARGV for each key. */
const asked = (keys: number, args: number, accounts: string) => `
local wanted = #KEYS - ${keys} - ${accounts}
local function key(n) return KEYS[${keys} + n] end
local function ends(n) return ARGV[${args - 2} + 3 * n] end
local function limit(n) return ARGV[${args - 1} + 3 * n] end
local function member(n) return ARGV[${args} + 3 * n] end
local function counts(n) return tonumber(limit(n)) end
local function slot(at, width) return math.ceil(at / width) * (width / ${SLOT_MS}) end
`;

/** The fields of an account: `s1` to `s3` by sensitivity, an api by its digest, `all`; each until when it counts. */
const ACCOUNT = `
local function live(at) return at and (tonumber(at) or math.huge) > now end
local function sensitivity(account)
  local highest = 0
  for level, at in ipairs(redis.call('HMGET', account, 's1', 's2', 's3')) do
    if live(at) then highest = level end
  end
  return highest
end
`;

/** The last part of CLAIM: what it touches. */
const TOUCH = `
local untils = {}
for n = 1, accounts do
  local account, needed, level = touched(n, 0), tonumber(touched(n, 1)), tonumber(touched(n, 3))
  if level == 0 then untils[n] = 0 else
    local ends = tonumber(redis.call('HGET', account, 'ends') or 0)
    if ends < needed then
      ends = tonumber(touched(n, 2))
      redis.call('HSET', account, 'ends', touched(n, 2))
      redis.call('PEXPIREAT', account, touched(n, 2) + ARGV[5])
    end
    local at = string.format('%.0f', ends)
    local function put(field, before)
      if not before or (tonumber(before) or 0) < ends then redis.call('HSET', account, field, at) end
    end
    put('s' .. level, redis.call('HGET', account, 's' .. level))
    for api in string.gmatch(touched(n, 4), '%S+') do
      local before = redis.call('HGET', account, api)
      if not before and redis.call('HLEN', account) >= ${MAX_TOUCHED_APIS} then
        local fields, kept = redis.call('HGETALL', account), 0
        for i = 1, #fields, 2 do
          if #fields[i] == 16 then
            if live(fields[i + 1]) then kept = kept + 1 else redis.call('HDEL', account, fields[i]) end
          end
        end
        if kept >= ${MAX_TOUCHED_APIS} then
          api = 'all'
          before = redis.call('HGET', account, api)
        end
      end
      if not live(before) then redis.call('HSET', account, 'version', ARGV[9]) end
      put(api, before)
    end
    untils[n] = at
  end
end
`;

/**
 * Claims all keys and records all that is touched, or nothing of it. Gives 'fresh' with until when each account remembers, 'same' (this
 * very Check had claimed all of them), 'replayed' or 'spent' with the number of the key, 'grown' (more was opened on an account than the
 * request was judged by), 'history' (another one than that by which the claims were judged), 'skew' with the server's time, 'ended', or
 * 'full' with the caller's share and the whole. What is used once is a text, the first use; what is counted is a hash, how often each of
 * its members was used; an account is a hash too. KEYS: 1 history, 2 and 3 shares of proofs in all and of the caller, 4 and 5 those of
 * counts, 6 and 7 those of accounts, 8… what is claimed, and then the accounts. ARGV: 1 history, 2 digest of the Check or '', 3 its deadline
 * ms, 4 the caller's ms, 5 max skew ms, 6 most proofs, 7 most counts, 8 most accounts, 9 a new version, 10 how many accounts, 11… of each key:
 * its end in ms; its limit, '' where it is used once, 'check' for the Check itself; its member, '' where each use counts; and of each account:
 * until when it has to remember, until when it shall, both in ms, the sensitivity, the apis with blanks between them, and by which sensitivity
 * and version the request was judged, '' where it was not.
 */
export const CLAIM = script(`${PREAMBLE}
local accounts = tonumber(ARGV[10])
${asked(7, 10, 'accounts')}${ACCOUNT}
local function touched(n, part)
  if part == 0 then return KEYS[7 + wanted + n] end
  return ARGV[10 + 3 * wanted + 6 * (n - 1) + part]
end
${SAME_HISTORY}if math.abs(now - ARGV[4]) > tonumber(ARGV[5]) then return {'skew', now} end
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
local function enter(k, more, width, ends)
  if #more == 0 then return end
  for c = k, k + 1 do
    for _, n in ipairs(more) do
      redis.call('HINCRBY', KEYS[c], slot(ends(n), width), 1)
      lasts[c] = math.max(lasts[c], slot(ends(n), width))
    end
    redis.call('PEXPIREAT', KEYS[c], (lasts[c] + 1) * ${SLOT_MS})
    local slots = redis.call('HKEYS', KEYS[c])
    for i = 1, #slots do if slots[i] * ${SLOT_MS} <= now then redis.call('HDEL', KEYS[c], slots[i]) end end
  end
end
local longer = {}
for n = 1, accounts do
  if touched(n, 3) ~= '0' and tonumber(redis.call('HGET', touched(n, 0), 'ends') or 0) < tonumber(touched(n, 1)) then
    longer[#longer + 1] = n
  end
end
local full = share(2, once, ARGV[6]) or share(4, new, ARGV[7]) or share(6, longer, ARGV[8])
if full then return full end
for n = 1, accounts do
  local judged, version = touched(n, 5), touched(n, 6)
  if judged ~= '' and sensitivity(touched(n, 0)) > tonumber(judged) then return {'grown'} end
  if version ~= '' and (redis.call('HGET', touched(n, 0), 'version') or '-') ~= version then return {'grown'} end
end
for n = 1, wanted do
  if counts(n) then
    redis.call('HINCRBY', key(n), member(n), 1)
    redis.call('PEXPIREAT', key(n), ends(n))
  else
    redis.call('SET', key(n), ARGV[2] .. ' ' .. ARGV[3], 'PXAT', ends(n))
  end
end
enter(2, once, ${SLOT_MS}, ends)
enter(4, new, ${COUNT_SLOT_MS}, ends)
enter(6, longer, ${COUNT_SLOT_MS}, function(n) return touched(n, 2) + ARGV[5] end)
${TOUCH}
return {'fresh', unpack(untils)}
`);

/**
 * What was opened on each account: sensitivity, version or '-', and the digests of apis that count, or 'all'. 'history' and 'skew' as
 * above. KEYS: history, accounts. ARGV: history, the caller's ms, max skew ms.
 */
export const TOUCHED = script(`${PREAMBLE}${ACCOUNT}
${SAME_HISTORY}if math.abs(now - ARGV[2]) > tonumber(ARGV[3]) then return {'skew', now} end
local found = {'touched'}
for n = 2, #KEYS do
  local record = {sensitivity(KEYS[n]), string.sub(redis.call('HGET', KEYS[n], 'version') or '-', 1, 32)}
  if redis.call('HLEN', KEYS[n]) > ${MAX_TOUCHED_FIELDS} or live(redis.call('HGET', KEYS[n], 'all')) then
    record[3] = 'all'
  else
    local fields = redis.call('HGETALL', KEYS[n])
    for i = 1, #fields, 2 do
      if #fields[i] == 16 and live(fields[i + 1]) then record[#record + 1] = fields[i] end
    end
  end
  found[n] = record
end
return found
`);

/**
 * Gives back what a fresh claim took, unless a retry lives by it too: of counts, where the Check itself says so. KEYS and ARGV as
 * far as above: 1 to 4 the shares, 5… keys; 1 the digest and the deadline, 2… of each key its end, limit and member.
 */
export const GIVE_BACK = script(`${asked(4, 1, '0')}
local counted = true
local function leave(k, n, width)
  for c = k, k + 1 do redis.call('HINCRBY', KEYS[c], slot(ends(n), width), -1) end
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
