import { MAX_RECORD_BYTES } from '../../store-mirror.ts';
import { CHANGES, recordKeys } from '../record-scripts.ts';
import { script } from '../scripts.ts';

/** The keys of all scripts here: the beginning of a task is a record, and its last lease, or its end, marks it. */
export const TASK_KEYS = recordKeys('tasks', 'tasks:marks');

/** What is too long to be a record or a mark counts as none. */
const TASKS = `${CHANGES}
local function short(text) return text and #text <= ${MAX_RECORD_BYTES} and text or nil end
local function isEnd(mark) return string.find(mark, '^%d+ 0 ') ~= nil end
local function isLater(mark, held)
  if isEnd(mark) or isEnd(held) then return isEnd(mark) end
  local untilMs, heldMs = string.match(mark, '^%d+ (%d+) '), string.match(held, '^%d+ (%d+) ')
  return heldMs == nil or tonumber(untilMs) > tonumber(heldMs)
end
local function mark(record, text) put(marks, redis.sha1hex(record), text) end
`;

/**
 * Begins a task. Gives 'stored'; 'held' with record and mark of what is remembered by its name; 'skew' where it would have begun
 * in the future: then its budgets would look newer than a history that forgot them; 'full' or 'history'. ARGV: 1 history, 2 field,
 * 3 record, 4 most records, 5 most bytes, 6 when it begins, 7 max skew ms.
 */
export const REGISTER = script(`${TASKS}
if tonumber(ARGV[6]) > now + tonumber(ARGV[7]) then return {'skew'} end
local before = short(redis.call('HGET', records, ARGV[2]))
if before then
  local beforeMark = short(markOf(before))
  if endOf(before, beforeMark) > now then return {'held', before, beforeMark or ''} end
  if beforeMark then drop(marks, redis.sha1hex(before), beforeMark) end
elseif redis.call('HLEN', records) >= tonumber(ARGV[4]) or not roomFor(ARGV[3], ARGV[5]) then
  return {'full'}
end
put(records, ARGV[2], ARGV[3])
note(ARGV[2])
return {'stored'}
`);

/**
 * Gives a task another lease while the one that is known has not run out by the clock of the server. Gives 'stored'; 'over'
 * with the end that there is; 'lapsed'; 'other' where this is not the task by this name; 'history'. ARGV: 1 history, 2 field,
 * 3 record, 4 lease, 5 when the one before runs out.
 */
export const EXTEND = script(`${TASKS}
if redis.call('HGET', records, ARGV[2]) ~= ARGV[3] then return {'other'} end
local held = short(markOf(ARGV[3]))
if held and isEnd(held) then return {'over', held} end
if tonumber(ARGV[5]) <= now then return {'lapsed'} end
mark(ARGV[3], ARGV[4])
note(ARGV[2])
return {'stored'}
`);

/**
 * Writes what somebody knows and the store lost, or has in another form, and ends. A name that has another task is left as it
 * is: both are read, and the first one counts. No lease is replaced by an earlier one, and no end by a lease; by another end, since
 * what only looks like one must not keep it out. Gives 'done', 'full' or 'history'. ARGV: 1 history, 2 most records, 3 most bytes, then for each: field, digest, record, mark or ''.
 */
export const RESTORE_TASKS = script(`${TASKS}
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
