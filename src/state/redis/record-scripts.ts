import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import { PREAMBLE, script } from './scripts.ts';

/** What an entry takes beside its field and value: measured, and rounded up. */
const ENTRY_BYTES = 128;
/** Notifications that are kept; whoever missed more reads everything. */
const KEPT_NOTES = 10_000;
/** Entries that have ended stay for a while: not every clock is right. */
const KEPT_MS = 60_000;

/** The keys of the scripts of one kind of records, in their order: the history, the records, their marks, numbers, changes. */
export const recordKeys = (records: string, marks: string): readonly string[] => [
  'history',
  records,
  marks,
  `${records}:meta`,
  logOf(records),
];

/** The stream of their changes. */
export const logOf = (records: string): string => `${records}:log`;

/**
 * A record is a field of a hash, which is the truth; what marks it is a field of another one, named by the digest of the record;
 * a number without gaps counts the changes of both, and a stream names the field of each change by its number.
 * A replica that answers late enough is as good as none.
 */
const RECORDS = `${PREAMBLE}
local records, marks, meta, log = KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function whole(number) return string.format('%.0f', number) end
local function markOf(record) return redis.call('HGET', marks, redis.sha1hex(record)) end
local function head()
  local _, replicas = string.gsub(info, 'state=online,offset=%d+,lag=[012]%D', '')
  local seq = tonumber(redis.call('HGET', meta, 'seq') or 0)
  local bytes = tonumber(redis.call('HGET', meta, 'bytes') or 0)
  return {known or '', id, now, replicas, seq, redis.call('HLEN', records), redis.call('HLEN', marks), bytes}
end
local function short(text) return text and #text > ${MAX_RECORD_BYTES} and '' or text end
local function add(reply, record)
  reply[#reply + 1] = short(record)
  reply[#reply + 1] = short(record and markOf(record) or false)
end
`;

/**
 * What begins a script that changes records. ARGV: 1 the history in which it may. `used`: bytes that all of them take; `put` and
 * `drop` count them; `endOf` says when a record ends; `note` tells of a change. Where numbers were set back, a change gets one that
 * stands on no note yet: whoever has read the old note of a number would not read a new one.
 */
export const CHANGES = `${RECORDS}
if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end
local function used()
  if redis.call('HLEN', records) + redis.call('HLEN', marks) == 0 then redis.call('HSET', meta, 'bytes', 0) end
  return tonumber(redis.call('HGET', meta, 'bytes') or 0)
end
local function roomFor(value, bytes) return used() + #value + ${ENTRY_BYTES} <= tonumber(bytes) end
local function put(key, field, value)
  local old = redis.call('HGET', key, field)
  redis.call('HSET', key, field, value)
  redis.call('HINCRBY', meta, 'bytes', #value - (old and #old or -(#field + ${ENTRY_BYTES})))
end
local function drop(key, field, value)
  redis.call('HDEL', key, field)
  redis.call('HINCRBY', meta, 'bytes', -(#field + #value + ${ENTRY_BYTES}))
end
local function endOf(record, mark)
  return tonumber(string.match(mark or '', '^(%d+) ') or string.match(record, '^(%d+) ') or 0)
end
local function note(field)
  local seq = redis.call('HINCRBY', meta, 'seq', 1)
  local added = redis.pcall('XADD', log, 'MAXLEN', '~', ${KEPT_NOTES}, whole(seq) .. '-0', 'f', field)
  if added.err then
    local last = redis.pcall('XREVRANGE', log, '+', '-', 'COUNT', 1)
    local number = not last.err and last[1] and tonumber(string.match(last[1][1], '^%d+')) or 0
    if number < ${Number.MAX_SAFE_INTEGER} / 2 then seq = math.max(seq, number) + 1 end
    redis.call('HSET', meta, 'seq', whole(seq))
    redis.call('DEL', log)
    redis.call('XADD', log, whole(seq) .. '-0', 'f', field)
  end
end
`;

/**
 * What the store holds of some records: the history, the id of the server, its time, replicas that are connected, the number
 * of the last change, records, marks, bytes; then record and mark for each field, null where there is none, empty where it
 * is too long. ARGV: fields.
 */
export const READ = script(`${RECORDS}
local reply = head()
for i = 1, #ARGV do add(reply, redis.call('HGET', records, ARGV[i])) end
return reply
`);

/** The same for a page of all records, with the next cursor before them. ARGV: 1 cursor, 2 count. */
export const PAGE = script(`${RECORDS}
local reply = head()
local page = redis.call('HSCAN', records, ARGV[1], 'COUNT', ARGV[2])
reply[#reply + 1] = page[1]
for i = 2, #page[2], 2 do add(reply, page[2][i]) end
return reply
`);

/**
 * Drops a page of what has ended, of records and then of marks, for whoever comes first in a while. Both begin with when they
 * end; a mark says it for its record. Gives the next cursor of the page; '0' where there is no more to do. ARGV: 1 history,
 * 2 'records' or 'marks', 3 cursor, 4 count, 5 ms of the while.
 */
export const PURGE = script(`${CHANGES}
local ofMarks = ARGV[2] == 'marks'
if ARGV[3] == '0' and not ofMarks then
  if now - tonumber(redis.call('HGET', meta, 'purged') or 0) < tonumber(ARGV[5]) then return {'later'} end
  redis.call('HSET', meta, 'purged', whole(now))
end
local key = ofMarks and marks or records
local page = redis.call('HSCAN', key, ARGV[3], 'COUNT', ARGV[4])
for i = 1, #page[2], 2 do
  local field, value = page[2][i], page[2][i + 1]
  if endOf(value, not ofMarks and markOf(value)) + ${KEPT_MS} < now then drop(key, field, value) end
end
return {'page', page[1]}
`);
