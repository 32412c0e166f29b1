import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each rule of registered tasks have a test? One guard after another is deleted, and one condition after another is
 * weakened, those of the scripts too; the tests, with a real Redis, must notice.
 */

const sources = [
  ...globSync('src/state/{tasks,redis/tasks}/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts')),
  'src/state/redis/marked-scripts.ts',
  'src/check/registered.ts',
  'src/state/signature.ts',
];
const tests = [
  ...globSync('src/state/{tasks,redis/tasks}/*.test.ts', { cwd: root }),
  'src/check/registered.test.ts',
  'src/state/lift.test.ts',
  'test/cases/registered.test.ts',
];

const conditions: readonly Condition[] = [
  ['task-table.ts', 'parent === null || ', ''],
  ['task-table.ts', ' || parent.registeredAtMs > below.registeredAtMs', ''],
  ['task-table.ts', "state === 'active' && below.parent", 'below.parent'],
  ['task-table.ts', '    this.#uncount(this.#tasks.get(text));\n    this.#tasks.set', '    this.#tasks.set'],
  ['task-table.ts', 'ended !== null || ', ''],
  ['task-table.ts', ' || nowMs >= endsAtMs', ''],
  ['task-table.ts', 'leaseUntilMs !== null && nowMs >= leaseUntilMs', 'false'],
  ['orders.ts', 'Math.min(asked.endsAtMs, parent.endsAtMs)', 'asked.endsAtMs'],
  ['orders.ts', 'before !== null && before.keptUntilMs > pastMs', 'before !== null'],
  ['orders.ts', 'before.keptUntilMs > pastMs', 'before.keptUntilMs > nowMs'],
  ['process-registry.ts', '    this.#past(nowMs);\n', ''],
  ['process-registry.ts', 'Math.min(this.#leastAheadMs, nowMs - elapsed)', 'nowMs - elapsed'],
  ['orders.ts', 'before !== null && before.keptUntilMs > pastMs', 'false'],
  ['orders.ts', 'contentOf(task) === contentOf(order)', 'true'],
  ['orders.ts', 'table.size + begins.size >= all', 'table.size + begins.size > all'],
  ['orders.ts', 'table.countOf(workload) + begins.countOf(workload) >= perWorkload', 'false'],
  ['orders.ts', ' + begins.countOf(workload)', ''],
  ['orders.ts', 'Math.min(nowMs + leaseMs, endsAtMs)', 'nowMs + leaseMs'],
  ['task-mark.ts', "mark.kind === 'lease' && !(isOurs && isInTime(record, mark))", "mark.kind === 'lease' && !isOurs"],
  ['task-mark.ts', '!(isOurs && isInTime(record, mark))', '!isInTime(record, mark)'],
  ['task-mark.ts', 'atMs < beforeMs && ', ''],
  ['task-mark.ts', ' && untilMs <= Math.min(atMs + task.leaseMs, task.endsAtMs)', ''],
  ['task-mark.ts', 'isOurs ? Math.min(mark.openMs, task.endsAtMs) : task.endsAtMs', 'mark.openMs'],
  ['task-mark.ts', 'JSON.stringify([namespace, ', 'JSON.stringify(['],
  ['task-mirror.ts', ' && !(await isBelieved(namespace, record, trustedKeys()))', ' && false'],
  ['task-mirror.ts', 'task.registeredAtMs < first || ', 'true || '],
  ['task-mirror.ts', 'task.registeredAtMs < first || ', ''],
  ['task-mirror.ts', 'known === null || known.keptUntilMs <= this.#parts.now()', 'known === null'],
  ['task-mirror.ts', "if (task.ended !== null) return said.kind === 'end';", ''],
  ['task-mirror.ts', 'if (said.untilMs <= task.leaseUntilMs!) return said.untilMs === task.leaseUntilMs;', ''],
  ['task-mirror.ts', ' || this.table.find(key.issuer, key.id)!.keptUntilMs <= nowMs', ''],
  ['tasks/scripts.ts', "if endOf(before, beforeMark) > now then return {'held', before, beforeMark or ''} end", ''],
  ['tasks/scripts.ts', "if held and isEnd(held) then return {'over', held} end", ''],
  ['tasks/scripts.ts', "if tonumber(ARGV[5]) <= now then return {'lapsed'} end", ''],
  ['tasks/scripts.ts', "if redis.call('HGET', records, ARGV[2]) ~= ARGV[3] then return {'other'} end", ''],
  ['marked-scripts.ts', '  if isEnd(mark) or isEnd(held) then return isEnd(mark) end\n', ''],
  ['marked-scripts.ts', 'isEnd(held) then return isEnd(mark) end', 'isEnd(held) then return not isEnd(held) end'],
  ['marked-scripts.ts', ' or tonumber(number) > tonumber(heldNumber)', ' or true'],
  ['marked-scripts.ts', ' and #text <= ', ' and 0 <= '],
  ['marked-scripts.ts', "    field = field .. ' ' .. ARGV[i + 1]\n", ''],
  ['task-registry.ts', 'const release = this.#begins.reserve(judged.order.workloads);', 'const release = () => {};'],
  ['registered.ts', 'task.purpose !== known.purpose && !widerPurposes', '!widerPurposes'],
  ['registered.ts', ' && !widerPurposes(task.purpose).includes(known.purpose)', ''],
];

process.exitCode = await runMutation({
  name: 'tasks',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: (file) => {
    if (file.includes('check/')) return tests.filter((test) => test.includes('registered'));
    return tests.filter((test) =>
      (/redis|mark|mirror|record|signature/.test(file) ? /redis|lift|mirror/ : /process|key/).test(test),
    );
  },
  explained: {
    'state/tasks/task-mirror.ts: if (before.record === text) return false;':
      'a beginning is not before itself, and one that nobody has to remember is not learned again',
  },
});
