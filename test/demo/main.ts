import { parseArgs } from 'node:util';
import { findEnvoy } from '../support/envoy-binary.ts';
import { Estate } from '../support/estate.ts';
import { needRedis } from '../support/redis-binary.ts';
import { dpopRows } from './dpop.ts';
import { curlLines, summary, untilStopped } from './epilogue.ts';
import { playFleet } from './fleet.ts';
import { handingRows, issueTasks } from './handing.ts';
import { controlListener, orderRows, reachBySvid, takeOrders } from './ordering.ts';
import { startPeople } from './people.ts';
import { heading, type Played, play } from './play.ts';
import { playReuse } from './reuse.ts';
import { printMatrix, sayReuse, wrongCells } from './reuse-print.ts';
import { readRevocations, revocationRows } from './revoking.ts';
import { LEDGER, rows } from './rows.ts';
import { playSpire } from './spire.ts';
import { stolenRows, watchBehaviour } from './stolen.ts';
import { table } from './table.ts';
import { taskRows } from './tasks.ts';

/** `npm run demo [-- --keep] [-- --spire] [-- --fleet]`: exit code 0 only if every answer was right. */
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({ options: { keep: flag, spire: flag, fleet: flag } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);

await findEnvoy();
if (values.fleet) {
  const missing = await needRedis();
  if (missing !== null) say(missing);
  process.exit(missing === null && (await playFleet(say)) ? 0 : 1);
}
if (values.spire) process.exit((await playSpire(say, values.keep)) ? 0 : 1);
const people = values.keep ? await startPeople() : null;
const orders = people?.prepare(takeOrders) ?? takeOrders;
const behaviour = await watchBehaviour();
const estate = await Estate.start({
  envoy: 'uds',
  listen: controlListener,
  prepare: (dir, ca) => ({
    ...issueTasks(dir, ca),
    ...readRevocations(dir, ca),
    ...orders(dir, ca),
    ...behaviour(dir, ca),
  }),
});
// The last two rows kill the sidecar and bring it back.
const all = rows.toSpliced(
  -2,
  0,
  ...dpopRows(),
  ...revocationRows(),
  ...taskRows(reachBySvid),
  ...handingRows(reachBySvid),
  ...orderRows(),
  ...stolenRows(),
);
const openEnvoy = await estate.base.envoy('test-permissive', estate.upstream);
try {
  say(
    '\nclient ──mTLS──▶ Envoy ──▶ service        Envoy asks cedar-ext-authz about every request, over a Unix socket.\n',
  );
  const played: Played[] = [];
  for (const row of all) played.push(await play(row, { estate, openEnvoy }));
  say(
    table(
      heading,
      played.map(({ cells }) => cells),
    ),
  );
  say(await summary(estate.sidecar));
  say('\nEvery credential will be reused. What becomes of it (docs/reuse.md says how each cell is played):\n');
  const reuse = await playReuse();
  say(printMatrix(reuse.running));
  say(
    `\nAfter a restart of the sidecar, ${reuse.restarted.length} cells again: what was used, or came to an end, before it is refused behind it.`,
  );
  for (const line of wrongCells(reuse.restarted)) say(line);
  if (people !== null) await keepRunning(people);
  const right = played.filter((one) => one.right).length;
  say(`\ndemo: ${right} of ${all.length} right`);
  const isReuseRight = sayReuse([...reuse.running, ...reuse.restarted], say);
  process.exitCode = right === all.length && isReuseRight ? 0 : 1;
} finally {
  await openEnvoy.stop();
  await estate.stop();
  await people?.stop();
}

async function keepRunning({ steps }: NonNullable<typeof people>): Promise<void> {
  const { refund, text } = await curlLines(estate, estate.base, LEDGER);
  say(text);
  say(steps(estate.base.dir, refund));
  await untilStopped(say);
}
