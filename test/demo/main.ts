import { once } from 'node:events';
import { parseArgs } from 'node:util';
import type { Answer } from '../support/client.ts';
import { findEnvoy } from '../support/envoy-binary.ts';
import { Estate } from '../support/estate.ts';
import type { AuditLine } from '../support/sidecar.ts';
import { curlLines, summary } from './epilogue.ts';
import { playReuse } from './reuse.ts';
import { printMatrix } from './reuse-print.ts';
import { LEDGER, type Row, rows, type Stage } from './rows.ts';
import { table } from './table.ts';

/** `npm run demo [-- --keep]`: exit code 0 only if every answer was right. */
const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const say = (text: string): void => void process.stdout.write(`${text}\n`);

await findEnvoy();
const estate = await Estate.start({ envoy: 'uds' });
const openEnvoy = await estate.base.envoy('test-permissive', estate.upstream);
try {
  say(
    '\nclient ──mTLS──▶ Envoy ──▶ service        Envoy asks cedar-ext-authz about every request, over a Unix socket.\n',
  );
  const played: Played[] = [];
  for (const row of rows) played.push(await play(row, { estate, openEnvoy }));
  const heading = ['who', 'task', 'request', 'expected', 'got', 'why', 'ms', ''];
  say(
    table(
      heading,
      played.map(({ cells }) => cells),
    ),
  );
  say(await summary(estate.sidecar));
  say('\nEvery credential will be reused. What becomes of it (docs/reuse.md says how each cell is played):\n');
  const reuse = await playReuse();
  say(printMatrix(reuse));
  if (values.keep) await keepRunning();
  const right = played.filter((one) => one.right).length;
  const cellsRight = reuse.filter(({ wrong }) => wrong === null).length;
  say(`\ndemo: ${right} of ${rows.length} right`);
  say(`reuse: ${cellsRight} of ${reuse.length} cells right`);
  process.exitCode = right === rows.length && cellsRight === reuse.length ? 0 : 1;
} finally {
  await openEnvoy.stop();
  await estate.stop();
}

interface Played {
  readonly right: boolean;
  readonly cells: readonly string[];
}

async function play(row: Row, stage: Stage): Promise<Played> {
  const known = new Set(auditedDecisions(stage));
  const seenBefore = stage.estate.upstream.seen.length;
  const answer = await row.play(stage);
  const line = stage.estate.sidecar.audit().findLast(({ decision }) => decision !== undefined && !known.has(decision));
  const seen = stage.estate.upstream.seen.slice(seenBefore);
  const { expected } = row;
  const travelled = expected.status === 200 || expected.status === 101;
  const right =
    answer.status === expected.status &&
    answer.reason === expected.reason &&
    seen.length === (travelled ? 1 : 0) &&
    (row.also === undefined || row.also(seen[0]));
  const cells = [
    row.who,
    row.task,
    row.request,
    String(expected.status),
    String(answer.status),
    why(answer, line),
    answer.ms.toFixed(0),
    right ? '✓' : `✗ expected ${expected.reason ?? expected.status}`,
  ];
  return { right, cells };
}

/** The permits of an allow, the reason and the forbidding policies of a denial; Envoy's own word where nobody was asked. */
function why(answer: Answer, line: AuditLine | undefined): string {
  if (line === undefined) return answer.status === 503 ? 'Envoy fails closed' : 'Envoy refuses the path';
  const hops = line.hops as readonly { readonly permits: readonly string[]; readonly forbids: readonly string[] }[];
  const policies = hops.flatMap((hop) => (line.result === 'allow' ? hop.permits : hop.forbids));
  if (line.result === 'allow') return policies.join(', ');
  return [line.reason, policies.length === 0 ? '' : `(${[...new Set(policies)].join(', ')})`].join(' ').trim();
}

function auditedDecisions({ estate: { sidecar } }: Stage): readonly string[] {
  return sidecar.audit().flatMap(({ decision }) => decision ?? []);
}

async function keepRunning(): Promise<void> {
  say(curlLines(estate, LEDGER));
  await once(process, 'SIGINT');
}
