import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import { CHANGES } from './record-scripts.ts';
import { script } from './scripts.ts';

/**
 * What begins a script that changes records whose marks go further one by one: a mark begins with until when it is remembered, and
 * how far it goes; 0 is the end, and nothing goes further. What is too long to be a record or a mark counts as none.
 */
export const MARKED = `${CHANGES}
local function short(text) return text and #text <= ${MAX_RECORD_BYTES} and text or nil end
local function isEnd(mark) return string.find(mark, '^%d+ 0 ') ~= nil end
local function isLater(mark, held)
  if isEnd(mark) or isEnd(held) then return isEnd(mark) end
  local number, heldNumber = string.match(mark, '^%d+ (%d+) '), string.match(held, '^%d+ (%d+) ')
  return heldNumber == nil or tonumber(number) > tonumber(heldNumber)
end
local function mark(record, text) put(marks, redis.sha1hex(record), text) end
`;

/**
 * Writes what somebody knows and the store lost, or has in another form, and ends. A field that has another record is left as it
 * is: both are read. No mark is replaced by one that goes less far; an end is by another one, since what only looks like one must
 * not keep it out. Gives 'done', 'full' or 'history'. ARGV: 1 history, 2 most records, 3 most bytes, then for each: field, digest, record, mark or ''.
 */
export const RESTORE_MARKED = script(`${MARKED}
for i = 4, #ARGV, 4 do
  local field, record, text = ARGV[i], ARGV[i + 2], ARGV[i + 3]
  local before = redis.call('HGET', records, field)
  if before and before ~= record then
    field = field .. ' ' .. ARGV[i + 1]
    before = redis.call('HGET', records, field)
  end
  local changed = false
  if before ~= record then
    if redis.call('HLEN', records) >= tonumber(ARGV[2]) or not roomFor(record, ARGV[3]) then return {'full'} end
    put(records, field, record)
    changed = true
  end
  local held = short(markOf(record))
  if text ~= '' and held ~= text and (not held or isLater(text, held)) then
    mark(record, text)
    changed = true
  end
  if changed then note(field) end
end
return {'done'}
`);
