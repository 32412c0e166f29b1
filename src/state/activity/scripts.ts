import { script } from '../redis/scripts.ts';
import { ENTRY_BYTES, WORKLOAD_BYTES } from './entry.ts';
import { MAX_TASKS } from './model.ts';

/** Beyond this part of the server's memory nothing is kept for lists: what is left is for what decides. */
const FULL_SHARE = 0.9;
/** Of the tasks of one workload so many bytes are kept. */
const TASK_BYTES = 1280;
const TASK_EXTRA = 48;
/** The most that one workload takes as text, with its tasks. */
const USE_BYTES = 3072;

/**
 * Keeps decisions and last uses; a last use is merged with what other sidecars wrote of the workload. Gives 'kept' with how
 * many denials, allows and workloads there are now; 'full' where the server is, and then nothing was kept. KEYS: 1 denials,
 * 2 allows, 3 uses, 4 their names, 5 their times. ARGV: 1 most denials, 2 most allows, 3 most workloads, 4 the caller's ms,
 * 5 how many denials come, 6 how many allows, then their texts, then names and uses in turn.
 */
export const KEEP = script(`
local memory = redis.call('INFO', 'memory')
local used, most = string.match(memory, 'used_memory:(%d+)'), string.match(memory, 'maxmemory:(%d+)')
if tonumber(most) > 0 and used / most > ${FULL_SHARE} then return {'full'} end
local at = 7
for list = 1, 2 do
  local count = tonumber(ARGV[4 + list])
  for n = 1, count do
    if n < count then redis.call('XADD', KEYS[list], '*', 'd', ARGV[at])
    else redis.call('XADD', KEYS[list], 'MAXLEN', '=', ARGV[list], '*', 'd', ARGV[at]) end
    at = at + 1
  end
end
local function object(text)
  local good, value = pcall(cjson.decode, text or '')
  return good and type(value) == 'table' and value or {}
end
local function listed(value) return type(value) == 'table' and value or {} end
for i = at, #ARGV, 2 do
  local use, old = object(ARGV[i + 1]), object(redis.call('HGET', KEYS[3], ARGV[i]))
  local last = math.max(tonumber(use.lastMs) or 0, tonumber(old.lastMs) or 0)
  if last > (tonumber(use.lastMs) or 0) then use.owner = old.owner end
  local credentials, tasks, known = {}, {}, {}
  for _, from in ipairs({use, old}) do
    for _, credential in ipairs(listed(from.credentials)) do
      if type(credential) == 'string' and #credential <= 32 and not known[credential] and #credentials < 8 then
        known[credential] = true
        credentials[#credentials + 1] = credential
      end
    end
    for _, task in ipairs(listed(from.tasks)) do
      local good = type(task) == 'table' and type(task.issuer) == 'string' and type(task.id) == 'string'
      local ends = good and tonumber(task.untilMs) or 0
      local name = good and task.issuer .. ' ' .. task.id
      if ends > tonumber(ARGV[4]) then
        if known[name] then known[name].untilMs = math.max(known[name].untilMs, ends)
        else
          known[name] = {issuer = task.issuer, id = task.id, untilMs = ends}
          tasks[#tasks + 1] = known[name]
        end
      end
    end
  end
  table.sort(tasks, function(one, other) return one.untilMs > other.untilMs end)
  local kept, bytes = {}, 0
  for _, task in ipairs(tasks) do
    bytes = bytes + #task.issuer + #task.id + ${TASK_EXTRA}
    if #kept == ${MAX_TASKS} or bytes > ${TASK_BYTES} then break end
    kept[#kept + 1] = task
  end
  local merged = {owner = use.owner, lastMs = last, credentials = credentials, tasks = kept}
  redis.call('HSET', KEYS[3], ARGV[i], cjson.encode(merged))
  redis.call('ZADD', KEYS[4], 0, ARGV[i])
  redis.call('ZADD', KEYS[5], string.format('%.0f', last), ARGV[i])
end
local over = redis.call('ZCARD', KEYS[5]) - ARGV[3]
if over > 0 then
  for _, name in ipairs(redis.call('ZRANGE', KEYS[5], 0, math.min(over, 1000) - 1)) do
    redis.call('HDEL', KEYS[3], name)
    redis.call('ZREM', KEYS[4], name)
    redis.call('ZREM', KEYS[5], name)
  end
end
return {'kept', redis.call('XLEN', KEYS[1]), redis.call('XLEN', KEYS[2]), redis.call('ZCARD', KEYS[5])}
`);

/**
 * Entries of a list, the newest first: id and text in turn. Whatever is too long to be one of ours is left empty. KEYS: the
 * list. ARGV: 1 the end, 2 the beginning, 3 how many.
 */
export const LIST = script(`
local read = {}
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])) do
  local text = entry[2][1] == 'd' and entry[2][2] or ''
  read[#read + 1] = entry[1]
  read[#read + 1] = #text <= ${ENTRY_BYTES} and text or ''
end
return read
`);

/** The uses of these names; empty where there is none, or something too long. KEYS: the uses. ARGV: names. */
export const USES = script(`
local read = {}
for i, text in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do
  read[i] = text and #text <= ${USE_BYTES} and text or ''
end
return read
`);

/** Names in their order, without those that are too long. KEYS: the names. ARGV: 1 where they begin, 2 how many to skip, 3 how many. */
export const NAMES = script(`
local read = {}
for _, name in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], '+', 'BYLEX', 'LIMIT', ARGV[2], ARGV[3])) do
  if #name <= ${WORKLOAD_BYTES} then read[#read + 1] = name end
end
return read
`);

/** Writes what a process keeps, and gives what was written before it; empty where that was nothing. KEYS: the place. ARGV: the text. */
export const AGREE = script(`
local before = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return before and string.sub(before, 1, 128) or ''
`);
