import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Engine } from '../../src/policy/decide/engine.ts';
import { SnapshotHolder } from '../../src/policy/load/holder.ts';
import { formatProblem } from '../../src/source/problem.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { settings } from '../support/policy.ts';
import type { SoakResult } from './run.ts';

const [POLICIES, WORKLOADS, HOSTS, RELOADS] = [1000, 2000, 20, 5];
/** What one piece of a reload may keep the serving thread busy, in milliseconds of its CPU. */
const MOST_MS = 50;
const root = join(import.meta.dirname, '..', '..');

/**
 * How long a reload keeps the serving thread from everything else at a time: of a thousand policies, each for one workload
 * and one host, and of as many that hold everywhere, with two thousand workloads.
 */
export async function run(): Promise<SoakResult> {
  const faults: string[] = [];
  const said: string[] = [];
  for (const [name, policy] of Object.entries({ scoped, open })) {
    const longest = await longestPieces(policy);
    for (const ms of longest) if (ms > MOST_MS) faults.push(`${name}: one piece took ${ms.toFixed(1)} ms`);
    said.push(`${name} ${longest.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  }
  return { line: `longest piece of ${RELOADS} reloads of ${POLICIES} policies: ${said.join('; ')}`, faults };
}

const idOf = (n: number): string => `spiffe://prod.example/ns/n${n % 50}/sa/w${n}`;
const hostOf = (n: number): string => `h${n % HOSTS}.internal`;
const body = (n: number, version: number): string =>
  `when { principal.kind == Mesh::Kind::"service" && resource.sensitivity < ${1 + ((n + version) % 3)} };`;
const scoped = (n: number): string =>
  `principal == Mesh::Workload::"${idOf(n)}", action in Mesh::Action::"read", resource in Mesh::Host::"${hostOf(n)}"`;
const open = (): string => 'principal, action, resource';

/** Of each reload, the longest time on the CPU between two turns of the event loop. */
async function longestPieces(scope: (n: number) => string): Promise<readonly number[]> {
  const dir = temporaryFolder();
  const folder = join(dir, 'policies');
  const inventory = join(dir, 'inventory.yaml');
  mkdirSync(folder);
  writeFileSync(inventory, inventoryText());
  const write = (version: number): void => {
    const texts = Array.from({ length: POLICIES }, (_, n) => `@id("p${n}") permit (${scope(n)}) ${body(n, version)}`);
    writeFileSync(join(folder, 'all.cedar'), texts.join('\n'));
  };
  write(0);
  const engine = new Engine();
  const holder = await SnapshotHolder.open({
    paths: { folder, inventory, guardrails: join(root, 'cedar', 'guardrails') },
    settings: { ...settings, headers: [], allowWarnings: true },
    engine,
    clock: Date.now,
    pollMs: 3_600_000,
  });
  const longest: number[] = [];
  try {
    for (let version = 1; version <= RELOADS; version++) {
      write(version);
      const before = holder.status().revision;
      longest.push(await longestPiece(() => holder.refresh()));
      const { revision, problems } = holder.status();
      if (revision === before) throw new Error(`not loaded: ${problems.map(formatProblem).join('; ')}`);
    }
  } finally {
    await holder.close();
    engine.close();
    removeFolder(dir);
  }
  return longest;
}

/** The longest time on the CPU of this thread between two turns of the event loop, while some work is under way. */
export async function longestPiece(work: () => Promise<void>): Promise<number> {
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let [last, longest] = [cpuMs(), 0];
  const look = (): void => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const ticking = setInterval(look, 1);
  await work();
  await pause(20);
  clearInterval(ticking);
  return longest;
}

function inventoryText(): string {
  const workloads = Array.from(
    { length: WORKLOADS },
    (_, n) => `  - { id: "${idOf(n)}", owner: payments, kind: service, relay: false }`,
  );
  const apis = Array.from({ length: 20 }, (_, n) => `      - { name: a${n}, path: "/a${n}/{x}" }`);
  const hosts = Array.from({ length: HOSTS }, (_, n) =>
    [`  - host: ${hostOf(n)}`, '    owner: payments', '    sensitivity: internal', '    apis:', ...apis].join('\n'),
  );
  return ['teams: [payments]', 'workloads:', ...workloads, 'resources:', ...hosts, ''].join('\n');
}
