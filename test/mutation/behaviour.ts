import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each guard of what is noticed about callers have a test? `node test/mutation/behaviour.ts [WORD]` takes the files whose path
 * holds the word.
 */

const [, , word = ''] = process.argv;
const isOurs = (file: string): boolean => !file.endsWith('.test.ts') && file.includes(word);
const sources = globSync(['src/behaviour/*.ts', 'src/check/behaviour.ts', 'src/app/behaviour/*.ts'], {
  cwd: root,
}).filter(isOurs);
const quick = globSync(['src/behaviour/*.test.ts', 'src/check/behaviour.test.ts', 'src/app/behaviour/*.test.ts'], {
  cwd: root,
});
const slow = ['test/e2e/behaviour.test.ts', 'test/control/behaviour.test.ts', 'test/control/baseline.test.ts'];

const conditions: readonly Condition[] = [
  ['behaviour/assess.ts', 'Math.min(LONGEST_GAP_MS, Math.max(0, gap))', 'Math.max(0, gap)'],
  ['behaviour/assess.ts', 'Math.min(LONGEST_GAP_MS, Math.max(0, gap))', 'Math.min(LONGEST_GAP_MS, gap)'],
  ['behaviour/assess.ts', ' || baseline.get(place.calm) === 0', ''],
  ['behaviour/assess.ts', 'before === 0 ? usual : Math.min(usual, 2 * Math.max(before, floorOf(at)))', 'usual'],
  ['behaviour/assess.ts', 'if (!isCalm) return;', ''],
  ['behaviour/assess.ts', 'if (isRefused) addToBloom', 'if (false) addToBloom'],
  ['behaviour/assess.ts', 'true, seen.weight);', 'true);'],
  ['behaviour/assess.ts', 'ownMs > ms && ', ''],
  ['behaviour/assess.ts', ' && baseline.get(place.requests) > requests', ''],
  ['behaviour/workload-book.ts', 'return isNewApi || isDeployed ? ', 'return isDeployed ? '],
  ['behaviour/workload-book.ts', 'return isNewApi || isDeployed ? ', 'return isNewApi ? '],
  ['behaviour/workload-book.ts', 'domain.size > (largest?.size ?? 0)', 'largest === null'],
  ['behaviour/workload-book.ts', 'if (isKnown(other.baseline!))', 'if (other.baseline)'],
  ['behaviour/quarantines.ts', 'this.#begunMs.length >= IN_AN_HOUR || ', ''],
  ['behaviour/quarantines.ts', ' || this.running(nowMs).length >= most', ''],
  ['behaviour/quarantines.ts', 'isLate ? 0 : ', ''],
  ['behaviour/quarantines.ts', ' || untilMs > nowMs + LONGEST_MS', ''],
  ['behaviour/signals.ts', ' && evidence >= STOLEN.evidence', ''],
  ['behaviour/signals.ts', 'risk >= STOLEN.risk && ', ''],
  ['behaviour/quarantine.ts', ' && sensitivity > 0', ''],
  ['behaviour/quarantine.ts', 'new Quarantines(true)', 'new Quarantines()'],
  ['behaviour/quarantine.ts', 'if (this.#isShared) return;', ''],
  ['check/behaviour.ts', "if (mode !== 'act') {", 'if (false) {'],
  ['check/behaviour.ts', 'forbids.length > 0 && ', ''],
];

process.exitCode = await runMutation({
  name: 'behaviour',
  mutants: sources.flatMap((file) => [...weakenedGuards(root, file, conditions)]),
  conditions: word === '' ? conditions : [],
  tests: [...quick, ...slow],
  waits: true,
  near: (file) => quick.filter((test) => test.startsWith(`${file.split('/').slice(0, -1).join('/')}/`)),
  explained: {},
});
