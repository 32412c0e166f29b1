import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import { CheckClient } from '../support/check-client.ts';
import { ALL_TO_OPERATOR, CONTROL, OPERATOR } from '../support/control-world.ts';
import { type EventReader, readEvents } from '../support/event-reader.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/ports.ts';
import { Sidecar } from '../support/sidecar.ts';
import { jwtSvid } from '../support/tokens.ts';
import { encode, HOST, workload } from '../support/world.ts';
import { makeWorldKeys, type WorldKeys, writeMesh } from '../support/world-keys.ts';
import { ratio } from './figures.ts';
import { cpuBetween, cpuOf, drive, type Spent } from './load/drive.ts';

const A_MINUTE = 10_000;
const SECONDS = 6;
const CALLERS = 50;
const print = (text: string): boolean => process.stdout.write(`bench ${text}\n`);

/**
 * What a check costs with somebody who is told each decision that is kept, by what it costs with nobody: at 10,000 denials a
 * minute, of which all are kept and told, and as fast as they can be answered, of which 500 a second are. Each is measured at a
 * sidecar of its own, since one that was looked at goes on looking for a while. False where an answer was wrong.
 */
export async function viewerFigures({ rounds, checks }: { rounds: number; checks: number }): Promise<boolean> {
  const keys = makeWorldKeys();
  // Each has a share of its own of what is kept.
  const messages = Array.from({ length: CALLERS }, (_, n) =>
    encode({ svid: keys.ca.svid(workload(`/ns/load/sa/w${n}`)), host: HOST, path: '/nowhere' }),
  );
  await using started = new AsyncDisposableStack();
  const start = async () => {
    const dir = started.adopt(temporaryFolder(), removeFolder);
    return await measured(started, await startSidecar(dir, keys), messages, checks);
  };
  const sidecars = { alone: await start(), viewed: await start() };
  let isRight = true;
  for (const kind of ['paced', 'fast'] as const) {
    const spent: Record<keyof typeof sidecars, Spent[]> = { alone: [], viewed: [] };
    let told = 0;
    for (let round = 0; round <= rounds; round++) {
      const { alone, viewed } = sidecars;
      const each = {
        alone: alone[kind],
        viewed: () => withViewer(viewed.view, viewed[kind], (events) => (told += round > 0 ? events : 0)),
      };
      for (const which of round % 2 === 0 ? (['alone', 'viewed'] as const) : (['viewed', 'alone'] as const)) {
        const one = await each[which]();
        isRight &&= one.wrong === 0;
        if (round > 0) spent[which].push(one);
      }
    }
    const seconds = spent.viewed.reduce((sum, one) => sum + one.seconds, 0);
    print(
      `viewer, ${kind}: ${ratio(spent.viewed, spent.alone).toFixed(3)} of the CPU of a check without one; ${(told / seconds).toFixed(0)} decisions told a second`,
    );
  }
  return isRight;
}

/** A sidecar with the two loads. */
async function measured(
  started: AsyncDisposableStack,
  { sidecar, view }: Awaited<ReturnType<typeof startSidecar>>,
  messages: readonly Uint8Array[],
  checks: number,
) {
  const { check, pid, stop } = started.adopt(sidecar, async (one) => void (await one.stop()));
  if (!('port' in check)) throw new Error('the sidecar listens on a socket');
  const { port } = check;
  const client = started.adopt(new CheckClient(check), (one) => one.close());
  let sent = 0;
  const next = () => messages[sent++ % CALLERS]!;
  const fast = () => drive({ name: 'a sidecar', port, pid, stop }, next, { checks }, 'deny');
  const paced = async (): Promise<Spent> => {
    const [cpu, began] = [cpuOf(pid), performance.now()];
    const count = (A_MINUTE / 60) * SECONDS;
    for (let n = 1; n <= count; n++) {
      await client.call(next());
      await pause(Math.max(0, began + (n * 1000 * SECONDS) / count - performance.now()));
    }
    const seconds = (performance.now() - began) / 1000;
    return { checks: count, wrong: 0, seconds, cpuMs: cpuBetween(cpu, cpuOf(pid)), loadShare: 0 };
  };
  return { view, fast, paced };
}

async function withViewer(
  view: () => Promise<EventReader>,
  run: () => Promise<Spent>,
  told: (events: number) => void,
): Promise<Spent> {
  const reader = await view();
  await reader.first('the beginning', () => true);
  const spent = await run();
  told(reader.named('decisions').length);
  reader.leave();
  // Until the sidecar looks no more.
  await pause(1000);
  return spent;
}

async function startSidecar(dir: string, keys: WorldKeys) {
  writeMesh(dir, keys);
  mkdirSync(join(dir, 'policies', 'control'));
  writeFileSync(join(dir, 'policies', 'control', 'operators.cedar'), ALL_TO_OPERATOR);
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  const port = await freePort();
  const sidecar = await Sidecar.start({
    dir,
    tcp: true,
    listen: { control: { address: `127.0.0.1:${port}` } },
    config: {
      ...config,
      control: { audience: CONTROL },
      // A hundredth is the share of one caller.
      state: { ...config.state, activity: { denials: 1_000_000 } },
      limits: { ...config.limits, concurrentChecks: 4096 },
    },
  });
  const view = () => {
    const token = jwtSvid({ key: keys.domain, sub: workload(OPERATOR), aud: CONTROL });
    const headers = { authorization: `Bearer ${token}`, accept: 'text/event-stream' };
    const asking = request({ host: '127.0.0.1', port, path: '/events?of=decisions', headers, agent: false });
    asking.on('error', () => {});
    asking.end();
    return readEvents(asking);
  };
  return { sidecar, view };
}
