import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each bound of what is kept for lists have a test? One guard after another is deleted, and one condition after another is
 * weakened, those of the scripts too; the tests, with a real Redis, must notice.
 * A word picks the files whose path holds it.
 */

const [, , word = ''] = process.argv;
const sources = globSync('src/state/activity/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts') && file.includes(word),
);
const tests = globSync('src/state/activity/*.test.ts', { cwd: root });

const conditions: readonly Condition[] = [
  ['entry.ts', 'cut(withoutTokens(value.slice(0, LOOKED_AT)), TEXT_BYTES)', 'cut(value, TEXT_BYTES)'],
  ['entry.ts', 'cut(withoutTokens(value.slice(0, LOOKED_AT)), TEXT_BYTES)', 'withoutTokens(value)'],
  ['entry.ts', 'cut(withoutTokens(value.slice(0, LOOKED_AT)).replace', 'cut(value.replace'],
  ['entry.ts', ".replace(/[^ !#-[\\]-~]/g, '?')", ''],
  ['entry.ts', 'text.length * 3 <= ENTRY_BYTES || Buffer', 'true || Buffer'],
  ['entry.ts', 'text.length <= ENTRY_BYTES ? ', 'true ? '],
  ['entry.ts', ' && value <= 8.64e15', ''],
  ['entry.ts', ' && value >= 0', ''],
  ['entry.ts', '.toWellFormed()', ''],
  ['shares.ts', 'share.left === 0 || ', ''],
  ['shares.ts', ' || !this.#anotherIn(nowMs)', ''],
  ['shares.ts', 'if (share.left === this.#most) share.atMs = nowMs;', ''],
  ['shares.ts', 'if (passed < 0) share.atMs = nowMs;\n    else if', 'if'],
  ['shares.ts', 'Math.min(this.#most, share.left + grown)', 'share.left + grown'],
  ['shares.ts', 'share.atMs += grown * REFILL_MS', 'share.atMs = nowMs'],
  ['shares.ts', '    share.omitted = 0;\n', ''],
  ['shares.ts', ' || nowMs < this.#secondEndsMs - 1000', ''],
  ['shares.ts', 'this.#old.get(name) ?? ', ''],
  ['shares.ts', 'this.#young.size >= MAX_SHARES / 2', 'false'],
  ['uses.ts', 'this.#uses.size >= this.#options.workloads', 'false'],
  ['uses.ts', 'this.#taskCount >= this.#maxTasks', 'false'],
  ['uses.ts', 'use.tasks.length >= MAX_TASKS', 'false'],
  ['uses.ts', 'if (first.untilMs >= task.untilMs) return false;', ''],
  ['uses.ts', ' && task.issuer === issuer', ''],
  ['uses.ts', '    this.#taskCount -= before - use.tasks.length;\n', ''],
  ['uses.ts', '        this.#taskCount -= oldest.tasks.length;\n', ''],
  ['uses.ts', '    this.#dropEnded(use, use.lastMs);\n', ''],
  ['uses.ts', '      this.#uses.delete(use.workload);\n', ''],
  ['uses.ts', '    if (changed) this.#options.onUse?.(use);\n', ''],
  ['uses.ts', 'if (first.length > count) first.pop();', ''],
  ['memory.ts', 'tasks.filter(({ untilMs }) => untilMs > now)', 'tasks'],
  ['memory.ts', '[...credentials]', 'credentials'],
  ['ring.ts', 'this.#next - this.#first >= this.#limit || ', ''],
  ['ring.ts', ' || this.#bytes > this.#byteLimit', ''],
  ['ring.ts', ' && read.length < count', ''],
  ['paging.ts', ' || looked >= MAX_LOOKED_AT', ''],
  ['paging.ts', 'reason === null || summary.reason === reason', 'true'],
  ['paging.ts', 'caller === null || summary.caller === caller', 'true'],
  ['paging.ts', 'sinceMs === null || summary.timeMs >= sinceMs', 'true'],
  ['paging.ts', 'filter.result ? [filter.result] : ', ''],
  ['names.ts', "name !== '' && ", ''],
  ['names.ts', 'cursor === cursorBehind(name) && ', ''],
  ['names.ts', ' && name === workloadText(name)', ''],
  ['outbox.ts', 'this.size >= MAX_WAITING_DECISIONS || ', ''],
  ['outbox.ts', ' || this.#bytes > MAX_WAITING_BYTES', ''],
  ['outbox.ts', 'denials.length + allows.length < BATCH && ', ''],
  ['outbox.ts', ' && bytes < BATCH_BYTES', ''],
  ['outbox.ts', 'if (this.#uses.size < MAX_USES) ', ''],
  ['outbox.ts', '      this.#uses.delete(use);\n', ''],
  ['recorder.ts', 'this.#limits.allows > 0 && ', ''],
  ['recorder.ts', 'caller !== null && this.#limits.workloads > 0', 'caller !== null'],
  ['writer.ts', '      for (const use of batch.uses) this.#outbox.addUse(use);\n', ''],
  ['writer.ts', '      if (decisions > 0) onDropped(decisions);\n', ''],
  ['writer.ts', '(now < this.#pausedUntilMs && now >= this.#pausedUntilMs - PAUSE_MS)', 'false'],
  ['stored-use.ts', '.filter(({ untilMs }) => untilMs > nowMs)', ''],
  ['stored-use.ts', '.slice(0, MAX_TASKS)', ''],
  ['scripts.ts', 'tonumber(most) > 0 and used / most', 'false and used / most'],
  ['scripts.ts', "'MAXLEN', '=', ARGV[list], ", ''],
  ['scripts.ts', 'math.max(tonumber(use.lastMs) or 0, tonumber(old.lastMs) or 0)', 'tonumber(use.lastMs)'],
  ['scripts.ts', 'if last > (tonumber(use.lastMs) or 0) then use.owner = old.owner end', ''],
  ['scripts.ts', ' and not known[credential]', ''],
  ['scripts.ts', ' and #credential <= 32', ''],
  ['scripts.ts', ' and #credentials < 8', ''],
  ['scripts.ts', 'if ends > tonumber(ARGV[4]) then', 'if good then'],
  ['scripts.ts', 'if known[name] then known[name].untilMs = math.max(known[name].untilMs, ends)', 'if false then'],
  ['scripts.ts', 'table.sort(tasks, function(one, other) return one.untilMs > other.untilMs end)', ''],
  ['scripts.ts', 'if #kept == ', 'if -1 == '],
  ['scripts.ts', ' or bytes > ', ' or 0 > '],
  ['scripts.ts', 'if over > 0 then', 'if false then'],
  ['scripts.ts', "redis.call('HDEL', KEYS[3], name)", ''],
  ['scripts.ts', "redis.call('ZREM', KEYS[4], name)", ''],
  ['scripts.ts', 'read[#read + 1] = #text <= ', 'read[#read + 1] = 0 <= '],
  ['scripts.ts', 'text and #text <= ', 'text and 0 <= '],
  ['scripts.ts', 'if #name <= ', 'if 0 <= '],
];

process.exitCode = await runMutation({
  name: 'activity',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  tests,
  near: (file) => {
    const own = file.replace(/\.ts$/, '.test.ts');
    if (tests.includes(own)) return [own];
    return tests.filter((test) => (/writer|scripts|stored|redis/.test(file) ? /redis/ : /memory/).test(test));
  },
  explained: {
    'state/activity/entry.ts: if (text.length * 3 <= bytes) return text;': 'saves counting the bytes of short texts',
    'state/activity/uses.ts: if (before === 0) return;': 'saves making a list',
    'state/activity/scripts.ts: read[#read + 1] = #text <=  -> read[#read + 1] = 0 <= ':
      'the reader leaves out what is too long; the script keeps it from being sent',
    'state/activity/scripts.ts: if #name <=  -> if 0 <= ':
      'the reader cuts a name before it asks for its use; the script keeps it from being sent',
    "state/activity/writer.ts: if (word !== 'kept') return new Fault('the store answered with something else');":
      'only another server than Redis answers so',
  },
});
