import { MARKED } from '../marked-scripts.ts';
import { logOf, recordKeys } from '../record-scripts.ts';
import { script } from '../scripts.ts';

/** The keys of all scripts here: the beginning of a task is a record, and its last lease, or its end, marks it. */
export const TASK_KEYS = recordKeys('tasks', 'tasks:marks');
export const TASK_LOG = logOf('tasks');

/**
 * Begins a task. Gives 'stored'; 'held' with record and mark of what is remembered by its name; 'skew' where it would have begun
 * in the future: then its budgets would look newer than a history that forgot them; 'full' or 'history'. ARGV: 1 history, 2 field,
 * 3 record, 4 most records, 5 most bytes, 6 when it begins, 7 max skew ms.
 */
export const REGISTER = script(`${MARKED}
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
export const EXTEND = script(`${MARKED}
if redis.call('HGET', records, ARGV[2]) ~= ARGV[3] then return {'other'} end
local held = short(markOf(ARGV[3]))
if held and isEnd(held) then return {'over', held} end
if tonumber(ARGV[5]) <= now then return {'lapsed'} end
mark(ARGV[3], ARGV[4])
note(ARGV[2])
return {'stored'}
`);
