import { workload } from '../support/estate.ts';
import { until } from '../support/until.ts';
import { askedForNonce, dpopAgent, dpopTask } from './dpop.ts';
import type { Fleet } from './fleet-estate.ts';
import { cedarExtAuthz } from './ordering.ts';
import { heading, type Played, play } from './play.ts';
import { printMatrix, sayReuse } from './reuse-print.ts';
import { allowed, denied, LEDGER, type Row, type Stage, send } from './rows.ts';
import { table } from './table.ts';
import { agentTasks, asking, ofTask } from './tasks.ts';

/**
 * Two sidecars with one Redis, each behind an Envoy of its own, and a control process: what one of them has seen used, the
 * other refuses, and an order holds in both. Whether every answer was right.
 */
export async function playFleet(say: (text: string) => void): Promise<boolean> {
  const isRight = await playRows(say);
  say('\nWhat was stolen at one sidecar, and is used at the other:\n');
  const reuse = await (await import('./reuse-fleet.ts')).playReuseInFleet();
  say(`${printMatrix(reuse)}\n`);
  const isReuseRight = sayReuse(reuse, say);
  return isRight && isReuseRight;
}

async function playRows(say: (text: string) => void): Promise<boolean> {
  // What it needs is on PATH only now.
  const fleet = await (await import('./fleet-estate.ts')).Fleet.start();
  try {
    say(`
client ──mTLS──▶ Envoy 1 ──▶ service ◀── Envoy 2 ◀──mTLS── client
                   │                        │
               sidecar 1 ──────▶ Redis ◀──── sidecar 2
                                   ▲
                  operator ──mTLS──▶ control process
`);
    const stages = fleet.estates.map((estate): Stage => ({ estate, openEnvoy: estate.envoy }));
    const played: Played[] = [];
    for (const { at, ...row } of fleetRows(fleet)) {
      const { right, cells } = await play(row, stages[at - 1]!);
      played.push({ right, cells: [`sidecar ${at}`, ...cells] });
    }
    say(
      table(
        ['at', ...heading],
        played.map(({ cells }) => cells),
      ),
    );
    const right = played.filter((one) => one.right).length;
    say(`\ndemo of a fleet: ${right} of ${played.length} right`);
    return right === played.length;
  } finally {
    await fleet.stop();
  }
}

/** A row, and the sidecar that it is played at. */
type FleetRow = Row & { readonly at: 1 | 2 };

function fleetRows({ estates, control }: Fleet): readonly FleetRow[] {
  const agent = dpopAgent();
  const path = '/api/invoices/42';
  const ledger = { who: 'ledger (service)', task: '–', request: `GET ${path}`, expected: allowed };
  const reads = async ({ estate }: Stage) => send(estate.envoy, await estate.svid(LEDGER), { path });
  /** Once both sidecars know of so many. */
  const known = async (gauge: string, count: number): Promise<void> => {
    for (const { sidecar } of estates)
      await until('the order', async () => ((await sidecar.metric(gauge)) === count ? true : null));
  };
  /** An order of the operator, and the request once both sidecars know of it. */
  const after =
    (revocations: number, ...order: readonly string[]) =>
    async (stage: Stage) => {
      await cedarExtAuthz(...order, '--reason', 'shown in the demo', ...control.reach);
      await known('authz_revocations', revocations);
      return await reads(stage);
    };
  const tasks = agentTasks(control.reachAs);
  /** What the agent orders about its task, and its request once both sidecars know of it. */
  const within = (active: number, order: () => Promise<unknown>) => async (stage: Stage) => {
    await order();
    await known('authz_tasks', active);
    return await tasks.ask('t-42', stage);
  };
  const again = (stage: Stage) => tasks.ask('t-42', stage);
  const begun = { ...ofTask, request: `${asking}, task begun`, expected: allowed };
  const ended = { ...ofTask, request: `${asking}, task ended`, expected: denied('task_ended') };
  const revoked = { ...ledger, request: `GET ${path}, revoked`, expected: denied('revoked_workload') };
  const lifted = { ...ledger, request: `GET ${path}, lifted` };
  const replayed = denied('task_proof_replayed', 401);
  return [
    { at: 1, ...ledger, play: reads },
    { at: 2, ...ledger, play: reads },
    { at: 1, ...dpopTask, request: `GET ${path}, first DPoP proof`, ...askedForNonce, play: agent.ask },
    { at: 1, ...dpopTask, request: `GET ${path}, proof with the nonce`, expected: allowed, play: agent.ask },
    { at: 2, ...dpopTask, request: `GET ${path}, the same proof`, expected: replayed, play: agent.again },
    { at: 1, ...dpopTask, request: `GET ${path}, the same proof`, expected: replayed, play: agent.again },
    { at: 2, ...dpopTask, request: `GET ${path}, a new proof, same nonce`, expected: allowed, play: agent.ask },
    { at: 1, ...revoked, play: after(1, 'revoke', 'workload', workload(LEDGER), '--id', 'INC-2042', '--until', '1h') },
    { at: 2, ...revoked, play: reads },
    { at: 1, ...lifted, play: after(0, 'lift', 'INC-2042') },
    { at: 2, ...lifted, play: reads },
    { at: 1, ...begun, play: within(1, () => tasks.begin('t-42')) },
    { at: 2, ...begun, play: again },
    { at: 1, ...ended, play: within(0, () => tasks.end('t-42')) },
    { at: 2, ...ended, play: again },
  ];
}
