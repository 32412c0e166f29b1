import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/** Does each rule of the notices to people have a test? Guards are deleted and conditions weakened; the tests must notice. */

const sources = globSync(['src/control/notices/*.ts', 'src/app/control/notices.ts'], { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts'),
);
const tests = globSync(['src/control/notices/*.test.ts', 'src/app/control/notices.test.ts'], { cwd: root });

const conditions: readonly Condition[] = [
  ['approval-watch.ts', 'closing !== null || glass', 'glass'],
  ['approval-watch.ts', 'glass !== null || nowMs', 'nowMs'],
  ['approval-watch.ts', 'review !== null || ', ''],
  ['receiver.ts', ' || isAlwaysTold(notice)', ''],
  ['receiver.ts', ' && !isAlwaysTold(notice)', ''],
  ['approval-watch.ts', 'glass !== null || nowMs >= untilMs', 'glass !== null'],
  ['approval-watch.ts', 'if (!this.#told.has(notice.id)) ', ''],
  ['body.ts', ".replaceAll('@', '(at)')", ''],
  ['body.ts', ".replaceAll('<', '&lt;')", ''],
  ['notice.ts', '.slice(0, MOST_NAMES)', ''],
  ['notice.ts', '.toWellFormed()', ''],
  ['post.ts', 'status >= 200 && status < 300', 'status >= 200 && status < 400'],
  ['post.ts', ', signal]', ']'],
  ['receiver.ts', 'this.#pauses > 0 ? 1 : MAX_POSTING', 'MAX_POSTING'],
  ['receiver.ts', 'this.#waiting.size < MAX_WAITING ? null : ', 'this.#waiting.size < 2 * MAX_WAITING ? null : '],
  ['receiver.ts', "format === 'slack' && ", 'false && '],
  ['receiver.ts', "format === 'slack' && ", ''],
  ['receiver.ts', "if (posted.result !== 'delivered') words?.release();", ''],
  ['receiver.ts', 'waiting.release?.()', ''],
  ['receiver.ts', 'Math.max(ownMs, askedMs ?? 0)', 'ownMs'],
  ['receiver.ts', '* (1 + JITTER * random())', ''],
  ['signature.ts', 'isWhole && ', ''],
  ['signature.ts', 'secret.length >= LEAST_BYTES && ', ''],
  ['signature.ts', ' && secret.length <= MOST_BYTES', ''],
];

process.exitCode = await runMutation({
  name: 'notices',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: (file) => tests.filter((test) => test.endsWith(file.replace(/\.ts$/, '.test.ts'))),
  explained: {
    'control/notices/receiver.ts: if (!this.#waiting.has(waiting)) return;':
      'of two answers at one time, the second would be told of twice',
  },
});
