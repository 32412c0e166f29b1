import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of the shared store have a test? In a copy of the sources, one guard after another is deleted, and one
 * condition after another is weakened, those of its scripts too; the tests, with a real Redis, must notice.
 * A word picks the files whose path holds it.
 */

const [, , word = ''] = process.argv;
const sources = globSync('src/state/redis/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts') && file.includes(word),
);
const tests = globSync('src/state/redis/*.test.ts', { cwd: root });

const conditions: readonly Condition[] = [
  ['scripts.ts', "if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end", ''],
  ['scripts.ts', 'if known ~= ARGV[1] or string', 'if string'],
  ['scripts.ts', ' or string.sub(known, 1, #id) ~= id', ''],
  ['scripts.ts', "if math.abs(now - ARGV[4]) > tonumber(ARGV[5]) then return {'skew', now} end", ''],
  [
    'scripts.ts',
    'check == ARGV[2] and tonumber(ARGV[4]) <= tonumber(deadline)',
    'tonumber(ARGV[4]) <= tonumber(deadline)',
  ],
  ['scripts.ts', ' and tonumber(ARGV[4]) <= tonumber(deadline)', ''],
  ['scripts.ts', "if first then return {'replayed', first} end", ''],
  ['scripts.ts', "if not string.find(value, ' shared', 1, true) then", 'if false then'],
  ['scripts.ts', '#once > 0 and same == #once', 'same == #once'],
  ['scripts.ts', "if limit(n) == '' then first", 'if true then first'],
  ['scripts.ts', "for n = 1, wanted do if tonumber(ends(n)) <= now then return {'ended'} end end", ''],
  ['scripts.ts', "if used >= counts(n) then return {'spent', n} end", ''],
  ['scripts.ts', 'used >= counts(n)', 'used > counts(n)'],
  ['scripts.ts', 'elseif not held then used', 'else used'],
  ['scripts.ts', 'own + #more > share', 'own > share'],
  ['scripts.ts', ' or share(4, new, ARGV[7])', ''],
  ['scripts.ts', "redis.call('PEXPIREAT', key(n), ends(n))", ''],
  ['scripts.ts', "local mine = redis.call('GET', key(n)) == ARGV[1]", 'local mine = true'],
  ['scripts.ts', "if limit(n) == 'check' then counted = mine end", ''],
  ['scripts.ts', " and redis.call('HGET', key(n), member(n)) then", ' then'],
  ['scripts.ts', "redis.call('HDEL', key(n), member(n))", ''],
  ['scripts.ts', "redis.call('HDEL', KEYS[c], slots[i])", "redis.call('HLEN', KEYS[c])"],
  ['scripts.ts', 'if of ~= id or ', 'if '],
  ['scripts.ts', ' or (last == id and tonumber(since) < tonumber(lastSince))', ''],
  ['scripts.ts', '(last == id and tonumber', '(last and tonumber'],
  ['scripts.ts', ' or known == ARGV[4]', ''],
  ['scripts.ts', "if math.abs(now - ARGV[1]) > tonumber(ARGV[2]) then return {'skew', known or '', now} end", ''],
  ['scripts.ts', "'-' .. string.match(info, 'run_id:(%x+)')", "'-'"],
  ['session.ts', 'ours && this.#session?.history.id === known', 'this.#session?.history.id === known'],
  ['session.ts', 'beginningOf(id) + MAX_SKEW_MS', 'beginningOf(id)'],
  ['session.ts', '    if (outOfStep) this.#inDoubt = id;\n', ''],
  ['session.ts', "outOfStep || result === 'skew'", "result === 'skew'"],
  ['session.ts', 'serverMs < sentAt - MAX_SKEW_MS || ', ''],
  ['session.ts', ' || serverMs > this.#parts.clock.now() + MAX_SKEW_MS', ''],
  ['store.ts', '[...claims, ...touches].some', 'claims.some'],
  ['store.ts', '[...claims, ...touches].some', 'touches.some'],
  ['claims.ts', 'Math.ceil(until + MAX_SKEW_MS)', 'Math.ceil(until)'],
  ['claims.ts', '(claims.every((claim) => Number.isSafeInteger(endOf(claim)))', '(true'],
  ['claims.ts', '  misfitOf(touches) ??\n', ''],
  ['claims.ts', 'records.length === count && ', ''],
  ['scripts.ts', "if judged ~= '' and sensitivity(touched(n, 0)) > tonumber(judged) then return {'grown'} end", ''],
  ['scripts.ts', "(redis.call('HGET', touched(n, 0), 'version') or '-') ~= version", 'false'],
  ['scripts.ts', ' or share(6, longer, ARGV[8])', ''],
  ['scripts.ts', 'if ends < needed then', 'if ends == 0 then'],
  ['scripts.ts', "if not live(before) then redis.call('HSET', account, 'version', ARGV[9]) end", ''],
  ['scripts.ts', 'if not live(before) then redis', 'if not before then redis'],
  ['scripts.ts', "or live(redis.call('HGET', KEYS[n], 'all')) then", 'then'],
  ['scripts.ts', 'if #fields[i] == 16 and live(fields[i + 1]) then record', 'if #fields[i] == 16 then record'],
  ['store.ts', "replicas === 0 || (result.result !== 'fresh' && result.result !== 'same')", 'true'],
  ['link.ts', 'rejectUnauthorized: true', 'rejectUnauthorized: false'],
  ['link.ts', '    ...(serverName !== null && { servername: serverName }),\n', ''],
  ['replica-wait.ts', 'have >= this.#replicas ? null', 'true ? null'],
];

process.exitCode = await runMutation({
  name: 'state',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions: word === '' ? conditions : [],
  tests,
  waits: true,
  near: (file) => {
    const own = file.replace(/\.ts$/, '.test.ts');
    return tests.includes(own) ? [own] : tests.filter((test) => /history|store|deadlines|lies/.test(test));
  },
  explained: {
    'state/redis/feed.ts: if (ownMs < this.#sweepAt) return;':
      'saves looking for what has ended in all that is known with each answer',
    "state/redis/session.ts: outOfStep || result === 'skew' -> result === 'skew'":
      'the script compares the same clocks: only one that is set while it runs is out of step afterwards',
    "state/redis/writer.ts: if (asked === 0) return { result, atMs, replicas: 0, covers: 'store' };":
      'saves asking for no replica, which is answered at once',
    "state/redis/scripts.ts: '-' .. string.match(info, 'run_id:(%x+)') -> '-'":
      'Redis 7.0 gives a primary a new replication id at each start; the run id is for servers that restore it',
  },
});
