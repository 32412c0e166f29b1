import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { writeBaselines } from '../../../src/behaviour/baseline-file.ts';
import { WorkloadBook } from '../../../src/behaviour/workload-book.ts';
import { CheckClient } from '../check-client.ts';
import { checkBytes } from '../check-request.ts';
import { SidecarEstate } from '../estate.ts';
import { temporaryFolder } from '../folder.ts';
import { connectionOf, usualHeaders } from '../load.ts';
import { type Owner, playOrdinary, SEED_OF_HASHES, workloadsOf } from './simulation.ts';
import { caught, type SimulatedRequest } from './traffic.ts';

const HOST = 'svc.internal';
/** An attack is to be refused within so many requests of its own. */
const SOON = 50;
/** Seconds between two requests of an ordinary workload, on average: far within its bursts, far beyond its usual rate. */
const EVERY_SECONDS = 0.4;

/** What a real sidecar did with what was learned by a virtual clock. */
export interface RealFigures {
  ordinary: number;
  refused: number;
  readonly found: Map<string, number>;
  readonly faults: string[];
}

/** Gives what the workloads of a seed learned to a real sidecar with `act`: ordinary requests for some seconds, then attacks. */
export async function playReal(seconds: number): Promise<RealFigures> {
  const size = { seeds: 1, workloads: 20, requests: 60_000 };
  const owners = workloadsOf(1, size);
  const book = new WorkloadBook(size.workloads, SEED_OF_HASHES);
  playOrdinary(book, owners, null);
  const file = join(temporaryFolder(), 'behaviour.jsonl');
  const unwritten = await writeBaselines(file, book);
  if (unwritten !== null) throw new Error(unwritten.detail);
  const estate = await SidecarEstate.start({ prepare: (dir) => prepared(dir, file, owners) });
  const client = new CheckClient(estate.sidecar.check);
  const figures: RealFigures = { ordinary: 0, refused: 0, found: new Map(), faults: [] };
  const svids = new Map(owners.map(({ who }) => [who.id, estate.ca.svid(who.id)]));
  const send = async ({ who }: Owner, { api, writes, client: address }: Omit<SimulatedRequest, 't'>) => {
    const attributes = connectionOf(who.id, svids.get(who.id)!, address);
    const path = `/${api.slice(HOST.length + 1)}`;
    const method = writes ? 'POST' : 'GET';
    const shape = { host: HOST, path, method, headers: usualHeaders, attributes };
    return (await client.check(checkBytes(shape))).status.code === 0;
  };
  const picked = ({ apis, random }: Owner) => apis[Math.floor(random() ** 2.5 * apis.length)]!;
  const usual = (owner: Owner) => ({
    api: picked(owner),
    writes: false,
    refused: false,
    client: owner.client,
    isNewApi: false,
  });
  try {
    const end = performance.now() + seconds * 1000;
    await Promise.all(
      owners.map(async (owner) => {
        while (performance.now() < end) {
          await pause(2000 * EVERY_SECONDS * owner.random());
          figures.ordinary++;
          if (!(await send(owner, usual(owner)))) figures.refused++;
        }
      }),
    );
    let next = 0;
    for (const among of [0, 1])
      for (const [name, attack] of Object.entries(caught)) {
        const owner = owners[next++]!;
        let refusedAt = 0;
        for (let i = 0; i < SOON && refusedAt === 0; i++) {
          for (let n = 0; n < among; n++) await send(owner, usual(owner));
          if (!(await send(owner, { ...attack(owner, i), isNewApi: false }))) refusedAt = i + 1;
        }
        const title = among === 0 ? name : `${name}, 1 : ${among} among the owner's`;
        if (refusedAt === 0) figures.faults.push(`not refused within ${SOON} requests: ${title}`);
        else figures.found.set(title, refusedAt);
      }
    if (figures.refused > 0) figures.faults.push(`${figures.refused} ordinary requests refused`);
    return figures;
  } finally {
    client.close();
    await estate.stop();
  }
}

/** An estate of these workloads alone, in which all is permitted that guardrails do not forbid. */
function prepared(dir: string, file: string, owners: readonly Owner[]) {
  rmSync(join(dir, 'policies'), { recursive: true });
  const names = new Set(owners.flatMap(({ requests }) => requests.map(({ api }) => api.slice(HOST.length + 1))));
  for (const { apis } of owners) for (const api of apis) names.add(api.slice(HOST.length + 1));
  for (let n = 0; n < SOON; n++) names.add(`hidden${n}`);
  const lines = [
    'teams: [team]',
    'workloads:',
    '  - { under: spiffe://prod.example/seed1, owner: team, kind: service, relay: false }',
    'resources:',
    `  - host: ${HOST}`,
    '    servedBy: [spiffe://prod.example/ns/payments/sa/envoy]',
    '    owner: team',
    '    sensitivity: confidential',
    '    apis:',
    ...[...names].map((name) => `      - { name: ${name}, path: /${name} }`),
  ];
  writeFileSync(join(dir, 'inventory.yaml'), `${lines.join('\n')}\n`);
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies', 'all.cedar'), '@id("all")\npermit (principal, action, resource);\n');
  return {
    hosts: [HOST],
    policy: { folder: './policies', inventory: './inventory.yaml' },
    behaviour: { mode: 'act', file },
  };
}
