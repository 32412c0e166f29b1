import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/** Does each rule of the streams of events have a test? Guards are deleted and conditions weakened; the tests must notice. */

const sources = globSync(
  ['src/control/events/*.ts', 'src/control/fair-places.ts', 'src/control/api/{event-sources,events}.ts'],
  { cwd: root },
).filter((file) => !file.endsWith('.test.ts'));
const tests = [
  ...globSync(['src/control/events/*.test.ts', 'src/control/fair-places.test.ts'], { cwd: root }),
  'test/control/console/events.test.ts',
];

const conditions: readonly Condition[] = [
  ['event-stream.ts', 'about.length > 0 && about.every((resource) => this.#rights.maySee(resource))', 'true'],
  ['event-stream.ts', 'if (!this.#viewer.kinds.has(event.kind)) continue;', ''],
  ['event-stream.ts', 'if (rights === null) return this.end();', 'if (rights === null) return;'],
  ['event-stream.ts', "place === null ? this.#event('reset', '{}') : ", ''],
  ['event-stream.ts', 'if (!isTaken) response.destroy();', ''],
  ['event-stream.ts', "text = this.#event('reset', '{}');", ''],
  ['event-streams.ts', 'place.stream?.end();', ''],
  ['event-streams.ts', "|| response.req.method === 'HEAD'", ''],
  ['event-streams.ts', 'for (const { stream } of this.#places.held()) stream?.end();', ''],
  ['fair-places.ts', 'if (size > most) ', ''],
  ['judged.ts', ' && nowMs - known.sinceMs < JUDGED_MS', ''],
  ['feed.ts', 'if (!isWhole) this.#add(null);', ''],
  ['feed.ts', ' || this.#bytes > MOST_BYTES', ''],
  ['feed.ts', 'name === this.#running?.name && ', ''],
  ['feed.ts', ' && place <= this.end', ''],
  ['feed.ts', 'this.keeps(place) && ', ''],
  ['events.ts', 'return seeingNow.verdict(0).allowed ? seeingNow : null;', 'return seeingNow;'],
  ['events.ts', 'if (rights instanceof ApiProblem) return null;', 'if (rights instanceof ApiProblem) return seeing;'],
];

process.exitCode = await runMutation({
  name: 'events',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: () => tests,
  explained: {},
});
