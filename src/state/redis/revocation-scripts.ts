import { MAX_RECORD_BYTES } from '../ordered-revocation.ts';
import { PREAMBLE, script } from './scripts.ts';

/** What an entry takes beside its field and value: measured, and rounded up. */
const ENTRY_BYTES = 128;
/** Notifications that are kept; whoever missed more reads everything. */
const KEPT_NOTES = 10_000;
/** Entries that have ended stay for a while: not every clock is right. */
const KEPT_MS = 60_000;

/** The keys of all scripts here, after that of the history. */
export const REVOCATION_KEYS = ['history', 'revocations', 'lifts', 'revocations:meta', 'revocations:log'] as const;

/**
 * A revocation is a field of a hash, which is the truth; a lift is a field of another one, named by the digest of the record
 * that it lifts; a number without gaps counts the changes of both, and a stream names the field of each change by its number.
 * A replica that answers late enough is as good as none.
 */
const REVOCATIONS = `${PREAMBLE}
local revocations, lifts, meta, log = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function whole(number) return string.format('%.0f', number) end
local function liftOf(record) return redis.call('HGET', lifts, redis.sha1hex(record)) end
local function head()
  local _, replicas = string.gsub(info, 'state=online,offset=%d+,lag=[012]%D', '')
  local seq = tonumber(redis.call('HGET', meta, 'seq') or 0)
  local bytes = tonumber(redis.call('HGET', meta, 'bytes') or 0)
  return {known or '', id, now, replicas, seq, redis.call('HLEN', revocations), redis.call('HLEN', lifts), bytes}
end
local function add(reply, record)
  local lift = record and liftOf(record) or false
  if record and #record > ${MAX_RECORD_BYTES} then record = '' end
  if lift and #lift > ${MAX_RECORD_BYTES} then lift = '' end
  reply[#reply + 1] = record
  reply[#reply + 1] = lift
end
`;

const CHANGES = `${REVOCATIONS}
if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end
local function room(entries, bytes, value)
  local held = redis.call('HLEN', revocations) + redis.call('HLEN', lifts)
  if held == 0 then redis.call('HSET', meta, 'bytes', 0) end
  local used = tonumber(redis.call('HGET', meta, 'bytes') or 0)
  return held < tonumber(entries) and used + #value + ${ENTRY_BYTES} <= tonumber(bytes)
end
local function put(key, field, value)
  local old = redis.call('HGET', key, field)
  redis.call('HSET', key, field, value)
  redis.call('HINCRBY', meta, 'bytes', #value - (old and #old or -(#field + ${ENTRY_BYTES})))
end
local function note(field)
  local entry = whole(redis.call('HINCRBY', meta, 'seq', 1)) .. '-0'
  local added = redis.pcall('XADD', log, 'MAXLEN', '~', ${KEPT_NOTES}, entry, 'f', field)
  if added.err then
    redis.call('DEL', log)
    redis.call('XADD', log, entry, 'f', field)
  end
end
`;

/**
 * What the store holds of some revocations: the history, the id of the server, its time, replicas that are connected, the number
 * of the last change, revocations, lifts, bytes; then record and lift for each field, null where there is none, empty where it
 * is too long. ARGV: fields.
 */
export const READ = script(`${REVOCATIONS}
local reply = head()
for i = 1, #ARGV do add(reply, redis.call('HGET', revocations, ARGV[i])) end
return reply
`);

/** The same for a page of all revocations, with the next cursor before them. ARGV: 1 cursor, 2 count. */
export const PAGE = script(`${REVOCATIONS}
local reply = head()
local page = redis.call('HSCAN', revocations, ARGV[1], 'COUNT', ARGV[2])
reply[#reply + 1] = page[1]
for i = 2, #page[2], 2 do add(reply, page[2][i]) end
return reply
`);

/**
 * Takes an order. Gives 'stored' or 'unchanged' with the record, 'conflict', 'full' or 'history'. One that has ended or was
 * lifted makes way, and so does what is too long to be one. ARGV: 1 history, 2 id, 3 end, 4 content, 5 most entries, 6 most bytes.
 */
export const REVOKE = script(`${CHANGES}
local before = redis.call('HGET', revocations, ARGV[2])
if before and #before > ${MAX_RECORD_BYTES} then before = false end
local lifted = before and liftOf(before)
local at = now
if before then
  local ends, ordered, content = string.match(before, '^(%d+) (%d+) (.*)$')
  if ends and tonumber(ends) > now and not lifted then
    if ends == ARGV[3] and content == ARGV[4] then return {'unchanged', before} end
    return {'conflict'}
  end
  at = math.max(now, tonumber(ordered or 0) + 1)
end
local record = ARGV[3] .. ' ' .. whole(at) .. ' ' .. ARGV[4]
if (lifted or not before) and not room(ARGV[5], ARGV[6], record) then return {'full'} end
put(revocations, ARGV[2], record)
note(ARGV[2])
return {'stored', record}
`);

/**
 * Writes what somebody knows and the store lost, or has in another form, and lifts. An id that has another content is left as it
 * is: both count. Gives 'done', 'full' or 'history'. ARGV: 1 history, 2 most entries, 3 most bytes, then for each: id, digest,
 * record, lift or ''.
 */
export const RESTORE = script(`${CHANGES}
for i = 4, #ARGV, 4 do
  local field, record, lift = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local held = redis.call('HGET', revocations, field)
  if held and held ~= record then
    field = field .. ' ' .. ARGV[i + 1]
    held = redis.call('HGET', revocations, field)
  end
  local changed = lift ~= ''
  if held ~= record then
    if not room(ARGV[2], ARGV[3], record) then return {'full'} end
    put(revocations, field, record)
    changed = true
  end
  if lift ~= '' then put(lifts, redis.sha1hex(record), lift) end
  if changed then note(field) end
end
return {'done'}
`);

/**
 * Drops a page of what has ended, of revocations and then of lifts, for whoever comes first in a while. Gives the next cursor
 * of the page; '0' where there is no more to do. ARGV: 1 history, 2 'revocations' or 'lifts', 3 cursor, 4 count, 5 ms of the while.
 */
export const PURGE = script(`${CHANGES}
local key = ARGV[2] == 'lifts' and lifts or revocations
if ARGV[3] == '0' and ARGV[2] == 'revocations' then
  if now - tonumber(redis.call('HGET', meta, 'purged') or 0) < tonumber(ARGV[5]) then return {'later'} end
  redis.call('HSET', meta, 'purged', whole(now))
end
local page = redis.call('HSCAN', key, ARGV[3], 'COUNT', ARGV[4])
for i = 1, #page[2], 2 do
  local field, value = page[2][i], page[2][i + 1]
  local ends = tonumber(string.match(value, '^(%d+) ') or 0)
  if ends + ${KEPT_MS} < now then
    redis.call('HDEL', key, field)
    redis.call('HINCRBY', meta, 'bytes', -(#field + #value + ${ENTRY_BYTES}))
  end
end
return {'page', page[1]}
`);
