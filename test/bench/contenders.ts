import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { Engine } from '../../src/policy/decide/engine.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import { SnapshotHolder } from '../../src/policy/load/holder.ts';
import { bundleDocument, type Issued, TestCa } from '../support/ca.ts';
import { checkBytes } from '../support/check-request.ts';
import { exampleIdentity, PAYMENTS, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { connectionOf, cpuMs, residentMb, usualHeaders } from '../support/load.ts';
import { question, settings } from '../support/policy.ts';
import { Program } from '../support/process.ts';
import { Sidecar } from '../support/sidecar.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { until } from '../support/until.ts';
import { type Amount, drive } from './drive.ts';

/** What is compared: something that can be kept busy for a while, and says what that cost. */
export interface Contender {
  readonly name: string;
  /** Busy for so many seconds; every answer is looked at. */
  readonly busy: (seconds: number) => Promise<Spent>;
}

/** What a number of checks cost: CPU of the server in milliseconds, seconds by the clock. */
export interface Spent {
  readonly checks: number;
  readonly cpuMs: number;
  readonly seconds: number;
  readonly wrong: number;
}

export interface Contest {
  readonly contenders: readonly Contender[];
  /** Resident memory of the sidecar. */
  readonly memoryMb: () => number;
  readonly stop: () => Promise<void>;
}

export const LEDGER = workload('/ns/payments/sa/ledger');
export const AGENT = workload('/ns/agents/sa/billing-agent');
const INVOICE = '/api/invoices/42';
const root = join(import.meta.dirname, '..', '..');

/** Everything side by side: the same machine, the same minutes, the same request. */
export async function assemble(): Promise<Contest> {
  const dir = temporaryFolder();
  const ca = TestCa.root(TRUST_DOMAIN);
  const issuer = new TaskIssuer(TRUST_DOMAIN);
  const sidecar = await startSidecar(dir, ca, issuer);
  const socket = join(dir, 'floor.sock');
  const floor = await startFloor(socket);
  const cedar = await openCedar();

  const check = (name: string, message: () => Uint8Array): Contender => ({
    name,
    busy: (seconds) => asked(sidecar, message, { seconds }),
  });
  const [ledger, agent] = [ca.svid(LEDGER), ca.svid(AGENT)];
  const byLedger = request(LEDGER, ledger);
  const inTask = (): Uint8Array => request(AGENT, agent, { 'txn-token': issuer.txnToken({ workload: AGENT }) });
  const inOneTask = inTask();
  return {
    contenders: [
      {
        name: 'floor: grpc-js and protobuf, says yes',
        busy: (seconds) => asked({ check: { socket }, pid: floor.pid }, () => byLedger, { seconds }),
      },
      { name: 'Cedar alone, in a loop', busy: (seconds) => Promise.resolve(judged(cedar.snapshot, seconds)) },
      check('check, certificate remembered', () => byLedger),
      // The cost of a new key is the client's, and no certificate is like another without one.
      check('check, certificate never seen', () => request(LEDGER, ca.svid(LEDGER, { keys: ledger.keys }))),
      check('check, task token seen before', () => inOneTask),
      check('check, task token never seen', inTask),
    ],
    memoryMb: () => residentMb(sidecar.pid),
    stop: async () => {
      await cedar.close();
      await floor.stop();
      await sidecar.stop();
      removeFolder(dir);
    },
  };
}

/** The product with the example's policies, and with a task issuer; from the sources of `tree`. */
export function startSidecar(dir: string, ca: TestCa, issuer: TaskIssuer, tree = root): Promise<Sidecar> {
  cpSync(join(tree, 'cedar', 'example'), dir, { recursive: true });
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundleDocument([ca])));
  const config = {
    hosts: [PAYMENTS],
    identity: exampleIdentity({ mode: 'sanitize-set' }),
    task: issuer.configure(dir),
    policy: { folder: './policies', inventory: './inventory.yaml' },
    limits: { deadline: '30s' },
  };
  return Sidecar.start({ dir, config: inWordsOf(tree, config), main: join(tree, 'src', 'main.ts') });
}

/** The configuration as a tree reads it: one from before keys were renamed has a schema with the old ones. */
function inWordsOf(tree: string, config: Record<string, unknown>): Record<string, unknown> {
  if (!/^ +serves: s$/m.test(readFileSync(join(tree, 'src', 'config', 'schema.ts'), 'utf8'))) return config;
  const old = new Map([
    ['hosts', 'serves'],
    ['local', 'ours'],
    ['legacyClaimNames', 'oldNames'],
  ]);
  return JSON.parse(
    JSON.stringify(config).replace(/"(\w+)":/g, (key, name) => (old.has(name) ? `"${old.get(name)}":` : key)),
  );
}

/** The CheckRequest of a read by a workload. */
export function request(id: string, svid: Issued, headers: Readonly<Record<string, string>> = {}): Uint8Array {
  return checkBytes({
    path: INVOICE,
    headers: { ...usualHeaders, ...headers },
    attributes: connectionOf(id, svid),
  });
}

/** Keeps a server busy for that long, and says what that cost it. */
export async function asked(
  { check, pid }: Pick<Sidecar, 'check' | 'pid'>,
  message: () => Uint8Array,
  amount: Amount,
  allow?: boolean,
): Promise<Spent> {
  const before = cpuMs(pid);
  const driven = await drive(check, message, amount, allow);
  return { ...driven, cpuMs: cpuMs(pid) - before };
}

async function startFloor(socket: string): Promise<Program> {
  const floor = new Program('the floor', process.execPath, [join(import.meta.dirname, 'floor.ts'), socket]);
  await until('the floor', async () => {
    floor.assertRunning();
    return floor.stdout.includes('serving') ? 'serving' : null;
  });
  return floor;
}

/** The policies that the sidecar has, in this process. */
async function openCedar(): Promise<{ snapshot: Snapshot<Inventory>; close: () => Promise<void> }> {
  const engine = new Engine();
  const example = join(root, 'cedar', 'example');
  const holder = await SnapshotHolder.open({
    paths: {
      folder: join(example, 'policies'),
      inventory: join(example, 'inventory.yaml'),
      guardrails: join(root, 'cedar', 'guardrails'),
    },
    settings: { ...settings, trustDomains: [TRUST_DOMAIN], headers: [] },
    engine,
    clock: Date.now,
  });
  const snapshot = holder.current();
  if (snapshot === null) throw new Error(`no snapshot: ${JSON.stringify(holder.status().problems)}`);
  return {
    snapshot,
    close: async () => {
      await holder.close();
      engine.close();
    },
  };
}

function judged(snapshot: Snapshot<Inventory>, seconds: number): Spent {
  const asks = question(snapshot.inventory, LEDGER, `GET payments.internal${INVOICE}`);
  const [before, start] = [process.cpuUsage(), performance.now()];
  let checks = 0;
  let wrong = 0;
  while (performance.now() - start < seconds * 1000) {
    checks++;
    if (snapshot.decide(asks).result !== 'allow') wrong++;
  }
  const { user, system } = process.cpuUsage(before);
  return { checks, wrong, seconds: (performance.now() - start) / 1000, cpuMs: (user + system) / 1000 };
}
