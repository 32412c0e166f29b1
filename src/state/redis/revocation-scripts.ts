import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import { CHANGES, recordKeys } from './record-scripts.ts';
import { script } from './scripts.ts';

/** The keys of all scripts here: a revocation is a record, and a lift marks it. */
export const REVOCATION_KEYS = recordKeys('revocations', 'lifts');

const ROOM = `${CHANGES}
local function room(entries, bytes, value)
  return redis.call('HLEN', records) + redis.call('HLEN', marks) < tonumber(entries) and roomFor(value, bytes)
end
`;

/**
 * Takes an order. Gives 'stored' or 'unchanged' with the record, 'conflict', 'full' or 'history'. One that has ended or was
 * lifted makes way, and so does what is too long to be one. ARGV: 1 history, 2 id, 3 end, 4 content, 5 most entries, 6 most bytes.
 */
export const REVOKE = script(`${ROOM}
local before = redis.call('HGET', records, ARGV[2])
if before and #before > ${MAX_RECORD_BYTES} then before = false end
local lifted = before and markOf(before)
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
put(records, ARGV[2], record)
note(ARGV[2])
return {'stored', record}
`);

/**
 * Writes what somebody knows and the store lost, or has in another form, and lifts. An id that has another content is left as it
 * is: both count. Gives 'done', 'full' or 'history'. ARGV: 1 history, 2 most entries, 3 most bytes, then for each: id, digest,
 * record, lift or ''.
 */
export const RESTORE = script(`${ROOM}
for i = 4, #ARGV, 4 do
  local field, record, lift = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local held = redis.call('HGET', records, field)
  if held and held ~= record then
    field = field .. ' ' .. ARGV[i + 1]
    held = redis.call('HGET', records, field)
  end
  local changed = lift ~= ''
  if held ~= record then
    if not room(ARGV[2], ARGV[3], record) then return {'full'} end
    put(records, field, record)
    changed = true
  end
  if lift ~= '' then put(marks, redis.sha1hex(record), lift) end
  if changed then note(field) end
end
return {'done'}
`);
