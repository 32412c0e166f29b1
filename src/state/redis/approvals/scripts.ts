import { MARKED } from '../marked-scripts.ts';
import { logOf, recordKeys } from '../record-scripts.ts';
import { script } from '../scripts.ts';

/**
 * The keys of all scripts here: a request for an approval is a record, and what became of it marks it. After them those that wait
 * for a person, by when that ends.
 */
export const APPROVAL_KEYS = [...recordKeys('approvals', 'approvals:marks'), 'approvals:pending'];
export const APPROVAL_LOG = logOf('approvals');

/**
 * Asks for an approval. Gives 'stored'; 'held' with record and mark of what is there for the same digest; 'crowded' where the
 * caller, or all, have enough that waits; 'skew' where it would have been asked in the future; 'full' or 'history'. ARGV: 1
 * history, 2 field, 3 record, 4 record whose place it takes or '', 5 most records, 6 most bytes, 7 when it is asked, 8 max skew
 * ms, 9 until when it waits, 10 digest of the caller, 11 most of a caller that wait, and of so many places that are left it may
 * have one, 12 most that wait.
 */
export const ASK = script(`${MARKED}
local pending, member = KEYS[6], ARGV[2] .. ' ' .. ARGV[10]
if tonumber(ARGV[7]) > now + tonumber(ARGV[8]) then return {'skew'} end
local before = redis.call('HGET', records, ARGV[2])
if (before or '') ~= ARGV[4] then
  return {'held', short(before) or '', before and short(markOf(before)) or ''}
end
if redis.call('ZCARD', pending) > 2 * tonumber(ARGV[12]) then return {'crowded'} end
local waiting, all, own = redis.call('ZRANGE', pending, 0, -1, 'WITHSCORES'), 0, 0
for i = 1, #waiting, 2 do
  if tonumber(waiting[i + 1]) <= now or waiting[i] == member then redis.call('ZREM', pending, waiting[i])
  else
    all = all + 1
    if string.sub(waiting[i], -#ARGV[10]) == ARGV[10] then own = own + 1 end
  end
end
local most, of = tonumber(ARGV[12]), tonumber(ARGV[11])
if all >= most or own >= math.min(of, math.ceil((most - all) / of)) then return {'crowded'} end
if before then
  local held = markOf(before)
  if held then drop(marks, redis.sha1hex(before), held) end
elseif redis.call('HLEN', records) >= tonumber(ARGV[5]) or not roomFor(ARGV[3], ARGV[6]) then
  return {'full'}
end
put(records, ARGV[2], ARGV[3])
redis.call('ZADD', pending, ARGV[9], member)
note(ARGV[2])
return {'stored'}
`);

/**
 * Writes what became of a request. What opens is written only in the place of the mark that it was judged by, and in time by the
 * clock of the server; what closes, whatever there is, since what only looks like a mark must not keep it out. With it comes the
 * record of a break-glass, where it is one. Gives 'stored'; 'changed' with the mark that there is; 'late'; 'other' where this is
 * not the request of this digest; 'full'; 'history'. ARGV: 1 history, 2 field, 3 record, 4 mark, 5 mark that it was judged by or
 * '', 6 until when it can be granted, 7 digest of the caller where it waits no more; '' names nobody; then for a break-glass: 8
 * field, 9 record, 10 most records, 11 most bytes.
 */
export const DECIDE = script(`${MARKED}
if redis.call('HGET', records, ARGV[2]) ~= ARGV[3] then return {'other'} end
local held = short(markOf(ARGV[3]))
if not isEnd(ARGV[4]) then
  if (held or '') ~= ARGV[5] then return {'changed', held or ''} end
  if tonumber(ARGV[6]) <= now then return {'late'} end
end
if ARGV[8] then
  if redis.call('HLEN', records) >= tonumber(ARGV[10]) or not roomFor(ARGV[9], ARGV[11]) then return {'full'} end
  put(records, ARGV[8], ARGV[9])
  note(ARGV[8])
end
mark(ARGV[3], ARGV[4])
redis.call('ZREM', KEYS[6], ARGV[2] .. ' ' .. ARGV[7])
note(ARGV[2])
return {'stored'}
`);
