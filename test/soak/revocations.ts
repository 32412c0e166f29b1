import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { asShipped } from '../support/as-shipped.ts';
import { CheckClient } from '../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { residentMb } from '../support/load.ts';
import { type Command, Sidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { encode, workload } from '../support/world.ts';
import { AGENT, agentByTxn, askerOf, LEDGER, ledgerReads } from '../support/world-asks.ts';
import { makeWorldKeys, writeMesh } from '../support/world-keys.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_ENTRIES = 100_000;
const STARTS = 3;
const SETTLED_MS = 12_000;
/** More than a start without revocations may take; the latter on a machine with nothing else to do. */
const MOST_MB = 40;
const MOST_MS = 2000;
/** A check that takes longer has waited for the file. */
const MOST_HELD_MS = 100;

/**
 * `npm run soak -- revocations [ENTRIES]`: what so many revocations of a file cost: time and memory of a start, and what checks
 * wait for while the file is read again. The first and the last of them must refuse, whatever was there before.
 */
export async function run([entries = String(DEFAULT_ENTRIES)]: readonly string[]): Promise<SoakResult> {
  const keys = makeWorldKeys();
  const dir = temporaryFolder();
  writeMesh(dir, keys);
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  const faults: string[] = [];
  const expect = (right: boolean, fault: string) => void (right || faults.push(fault));
  write(dir, []);
  const revoking = { ...config, revocations: { file: './revocations.yaml' } };
  const sidecar = await Sidecar.start({ dir, config: revoking, command: withItsMemory });
  const client = new CheckClient(sidecar.check);
  const [ledger, agent] = [encode(ledgerReads()(askerOf(keys))), encode(agentByTxn()(askerOf(keys)))];
  const both = async () => [await reasonOf(client, ledger), await reasonOf(client, agent)].join(' ');
  try {
    const without = await starts(sidecar);
    const others = Array.from({ length: Number(entries) - 2 }, (_, n) => other(n));
    write(dir, [revocation('first', LEDGER), ...others, revocation('last', AGENT)]);
    await sidecar.stop();
    await sidecar.start();
    const loaded = await starts(sidecar);
    expect((await both()) === 'revoked_workload revoked_workload', 'a revocation of the file does not refuse');
    const [ms, mb] = [loaded.ms - without.ms, loaded.mb - without.mb];
    expect(mb <= MOST_MB, `${mb} MB more than without`);
    expect(ms <= MOST_MS, `a start takes ${ms} ms longer`);

    // Meanwhile one check after the other is asked.
    write(dir, [...others, revocation('last', AGENT)]);
    const waits: number[] = [];
    await until(
      'the first revocation is lifted',
      async () => {
        const asked = performance.now();
        const reason = await reasonOf(client, ledger);
        waits.push(performance.now() - asked);
        return reason === 'permitted' ? true : null;
      },
      60_000,
    );
    const sorted = waits.toSorted((a, b) => a - b);
    const held = Math.round(sorted.at(-1)!);
    expect((await reasonOf(client, agent)) === 'revoked_workload', 'more was lifted than the file says');
    expect(held <= MOST_HELD_MS, `a check waited ${held} ms while the file was read`);
    const after = await settledMb(sidecar.pid);
    const line = `${entries} revocations: a start takes ${ms} ms and ${mb} MB more (${without.ms} ms, ${without.mb} MB without); ${waits.length} checks while they are read again, the longest ${held} ms; ${after} MB after it`;
    return { line, faults };
  } finally {
    client.close();
    await sidecar.stop();
    removeFolder(dir);
  }
}

/** The median of some starts, and the memory of the last. */
async function starts(sidecar: Sidecar): Promise<{ readonly ms: number; readonly mb: number }> {
  const found: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    await sidecar.stop();
    const began = performance.now();
    await sidecar.start();
    found.push(Math.round(performance.now() - began));
  }
  const ms = found.toSorted((a, b) => a - b)[STARTS >> 1]!;
  return { ms, mb: await settledMb(sidecar.pid) };
}

/** Node gives the memory of a thread that ended back after eight seconds. */
async function settledMb(pid: number): Promise<number> {
  const found: number[] = [];
  const end = performance.now() + SETTLED_MS;
  await until('the end of the start', () => {
    found.push(residentMb(pid));
    return performance.now() > end ? true : null;
  });
  return Math.min(...found);
}

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** With the memory that the program asks for in its first line. */
const withItsMemory: Command = (args) => ({ file: 'env', args: [...asShipped(main), main, ...args] });

const common = { until: '2099-12-31T00:00:00Z', reason: 'leaked in a log, see INC-1', by: 'security@prod.example' };
const revocation = (id: string, path: string) => ({ id, workload: workload(path), ...common });

/** A revocation of a token or of a workload that nobody asks with. */
function other(n: number) {
  const id = `INC-${n}`;
  if (n % 2 === 0) return { id, workload: `spiffe://prod.example/ns/team-${n % 100}/sa/agent-${n}`, ...common };
  const jti = `0193-${n}-abcdef-0123456789`;
  return { id, token: { issuer: 'https://tts.prod.example', jti }, issuedUpTo: '2026-11-30T12:00:00Z', ...common };
}

function write(dir: string, entries: readonly object[]): void {
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, `${name}.new`), text);
    renameSync(join(dir, `${name}.new`), join(dir, name));
  };
  put('revocations.jsonl', entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  put(
    'revocations.yaml',
    entries.length === 0 ? 'revocations: []\n' : 'revocations: []\nrevocationsFile: revocations.jsonl\n',
  );
}

async function reasonOf(client: CheckClient, ask: Uint8Array): Promise<string> {
  const { denied } = decodeResponse(await client.call(ask, 20_000));
  return denied === null ? 'permitted' : (JSON.parse(denied.body) as { reason: string }).reason;
}
