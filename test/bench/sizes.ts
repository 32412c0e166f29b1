import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/base/fault.ts';
import { TestCa } from '../support/ca.ts';
import { TRUST_DOMAIN, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { residentMb } from '../support/load.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { ending } from '../support/started.ts';
import { actClaim, TaskIssuer } from '../support/task-issuer.ts';
import { micros, ratio, rounded, type Spread, spread } from './figures.ts';
import { drive, type Source, type Spent } from './load/drive.ts';
import { request } from './messages.ts';
import { contender, type ProductOptions, startProduct, type Tree } from './servers/servers.ts';

const CALLERS = 6;
/** Workloads beyond which they are written as lines of their own, since the inventory is at most 4 MiB. */
const IN_THE_INVENTORY = 20_000;
/** Policies in one file: what a person would still open. */
const IN_A_FILE = 200;
/** The key of the inventory that names such a file. */
const LINES_KEY = 'workloadsFile';
const STATUS = { path: '/api/status' };

/** One size, compared with the smallest of its kind, which is up beside it and measured in the same minutes. */
export interface SizeRow {
  readonly what: 'policies' | 'workloads' | 'hops';
  readonly size: number;
  /** CPU microseconds a check. */
  readonly micros: Spread;
  readonly ofSmallest: number;
  /** Milliseconds to readiness on one core, and resident memory before the first check and after the last, in MB. */
  readonly readyMs: number;
  readonly idleMb: number;
  readonly loadedMb: number;
}

export interface Sizes {
  readonly rows: readonly SizeRow[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

export interface SizesOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUp: number;
  /** Leaves out all above. */
  readonly most: number;
}

/** An estate of some size: its files, and what is asked. */
interface Estate {
  readonly write: (dir: string) => void;
  /** The messages of one window. */
  readonly begin: () => Source;
}

/**
 * `npm run bench -- sizes [--rounds N] [--seconds N] [--warm-up N] [--most N]`: what a check costs in larger estates. Six
 * callers take turns, all of whose verdicts are remembered. With policies, each workload has one of its own.
 */
export async function measureSizes(tree: Tree, options: SizesOptions, told: (row: SizeRow) => void): Promise<Sizes> {
  const [ca, issuer] = [TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN)];
  const kinds: Readonly<Record<SizeRow['what'], readonly [sizes: readonly number[], of: (size: number) => Estate]>> = {
    policies: [
      [6, 50, 1000, 10_000],
      (size) => ({
        write: (dir) => {
          writeWorkloads(dir, size);
          writePolicies(dir, size);
        },
        begin: () => asCallers(ca, size),
      }),
    ],
    workloads: [
      [10, 10_000, 100_000, 1_000_000],
      (size) => ({ write: (dir) => writeWorkloads(dir, size), begin: () => asCallers(ca, size) }),
    ],
    hops: [
      [1, 2, 3, 4],
      (size) => ({ write: (dir) => writeWorkloads(dir, CALLERS), begin: chained(ca, issuer, size) }),
    ],
  };
  const rows: SizeRow[] = [];
  const notes: string[] = [];
  const readsLines = readFileSync(join(tree.root, 'src', 'inventory', 'schema.ts'), 'utf8').includes(LINES_KEY);
  for (const [what, [sizes, of]] of Object.entries(kinds) as [SizeRow['what'], (typeof kinds)['hops']][]) {
    await using started = new AsyncDisposableStack();
    const start = async (size: number): Promise<Sized> => await startSized(started, of(size), { ca, issuer, tree });
    const smallest = await start(sizes[0]!);
    for (const size of sizes.filter((one) => one <= options.most)) {
      if (what === 'workloads' && size > IN_THE_INVENTORY && !readsLines) {
        notes.push(`${size.toLocaleString('en')} workloads: left out, since an inventory is one file of at most 4 MiB`);
        continue;
      }
      try {
        const sized = size === sizes[0] ? smallest : await start(size);
        rows.push({ what, size, ...(await measure(sized, smallest, options)) });
        told(rows.at(-1)!);
        if (sized !== smallest) await sized.sidecar.stop();
      } catch (error) {
        const said = messageOf(error);
        const [, problem = said.split('\n')[0]] = /"problems":\["([^"]+)"/.exec(said) ?? [];
        notes.push(`${size.toLocaleString('en')} ${what}: ${problem}`);
      }
    }
  }
  return { rows, notes };
}

/** A sidecar with an estate, as it was when it became ready. */
interface Sized {
  readonly sidecar: Sidecar;
  readonly begin: Estate['begin'];
  readonly readyMs: number;
  readonly idleMb: number;
}

async function startSized(
  started: AsyncDisposableStack,
  { write, begin }: Estate,
  product: Pick<ProductOptions, 'ca' | 'issuer' | 'tree'>,
): Promise<Sized> {
  const dir = started.adopt(temporaryFolder(), removeFolder);
  const before = performance.now();
  const sidecar = ending(started, await startProduct({ ...product, dir, prepare: write }));
  return { sidecar, begin, readyMs: Math.round(performance.now() - before), idleMb: residentMb(sidecar.pid) };
}

/** The two side by side, the smallest first; itself alone when it is the smallest. */
async function measure(
  sized: Sized,
  smallest: Sized,
  { rounds, seconds, warmUp }: SizesOptions,
): Promise<Omit<SizeRow, 'what' | 'size'>> {
  const window = async ({ sidecar, begin }: Sized, time: number): Promise<Spent> => {
    const spent = await drive(contender('the sidecar', sidecar), begin(), { seconds: time }, 'allow');
    if (spent.wrong > 0) throw new Error(`${spent.wrong} answers were wrong`);
    return spent;
  };
  await window(sized, warmUp);
  const [mine, theirs]: [Spent[], Spent[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    theirs.push(await window(smallest, seconds));
    mine.push(sized === smallest ? theirs.at(-1)! : await window(sized, seconds));
  }
  return {
    micros: spread(mine.map(micros)).map((one) => rounded(one, 1)) as unknown as Spread,
    ofSmallest: rounded(ratio(mine, theirs)),
    readyMs: sized.readyMs,
    idleMb: sized.idleMb,
    loadedMb: residentMb(sized.sidecar.pid),
  };
}

const idOf = (n: number): string => workload(`/ns/bench/sa/w-${n}`);

/** Six of the workloads, evenly spread. */
function callers(count: number): readonly string[] {
  return Array.from({ length: CALLERS }, (_, n) => idOf(Math.floor((n * count) / CALLERS)));
}

function asCallers(ca: TestCa, count: number): Source {
  const asks = callers(count).map((id) => request(id, ca.svid(id), {}, STATUS));
  let at = 0;
  return () => asks[at++ % asks.length]!;
}

/** Reads within a task that was handed on by so many workloads, the caller among them. */
function chained(ca: TestCa, issuer: TaskIssuer, hops: number): () => Source {
  const chain = callers(CALLERS).slice(0, hops);
  const caller = chain.at(-1)!;
  const svid = ca.svid(caller);
  const claims = hops === 1 ? {} : { act: actClaim(chain) };
  return () => {
    const token = issuer.txnToken({ workload: caller, mutation: { claims } });
    const message = request(caller, svid, { 'txn-token': token }, STATUS);
    return () => message;
  };
}

/** All may hand tasks on. Where they are many, beside the inventory, an entry a line. */
function writeWorkloads(dir: string, count: number): void {
  const file = join(dir, 'inventory.yaml');
  const text = readFileSync(file, 'utf8');
  const facts = { kind: 'agent', external: false, relay: true, owner: 'payments' };
  const lines = Array.from({ length: Math.max(count, CALLERS) }, (_, n) => JSON.stringify({ id: idOf(n), ...facts }));
  if (count > IN_THE_INVENTORY) {
    writeFileSync(file, `${LINES_KEY}: workloads.jsonl\n${text}`);
    writeFileSync(join(dir, 'workloads.jsonl'), `${lines.join('\n')}\n`);
  } else {
    // JSON is YAML.
    const entries = lines.map((line) => `  - ${line}\n`).join('');
    writeFileSync(file, text.replace('\nworkloads:\n', `\nworkloads:\n${entries}`));
  }
}

/** In place of the example's: each for one workload. */
function writePolicies(dir: string, count: number): void {
  const folder = join(dir, 'policies');
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  const all = Array.from(
    { length: count },
    (_, n) =>
      `@id("bench-${n}")\npermit (principal == Mesh::Workload::"${idOf(n)}", action in Mesh::Action::"read", ` +
      `resource in Mesh::Api::"payments.internal/status");\n`,
  );
  for (let at = 0; at < count; at += IN_A_FILE)
    writeFileSync(join(folder, `p-${at}.cedar`), all.slice(at, at + IN_A_FILE).join(''));
}
