import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { revocationSchema } from '../../src/state/revocation-entry.ts';
import { CheckClient } from '../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { residentMb } from '../support/load.ts';
import { Redis } from '../support/redis.ts';
import { openBook, signs } from '../support/redis-books.ts';
import { storeOptions } from '../support/redis-states.ts';
import { revocables } from '../support/revocables.ts';
import { at, HOUR_MS } from '../support/revoking.ts';
import { Sidecar } from '../support/sidecar.ts';
import { type Ask, encode, type MeshConfig } from '../support/world.ts';
import { askerOf, ledgerReads } from '../support/world-asks.ts';
import { makeWorldKeys, type WorldKeys, writeMesh } from '../support/world-keys.ts';
import { micros, quantile, spread } from './figures.ts';
import { drive, type Spent } from './load/drive.ts';

const TRIALS = 200;
const MANY = 100_000;
const STARTS = 5;

const print = (text: string): boolean => process.stdout.write(`bench ${text}\n`);

/** The reasons that a sidecar gives. */
export function asking({ check }: Sidecar) {
  const client = new CheckClient(check);
  const reasonOf = async (ask: Ask): Promise<string> => {
    const { denied } = decodeResponse(await client.call(encode(ask), 5000));
    return denied === null ? 'permitted' : (JSON.parse(denied.body) as { reason: string }).reason;
  };
  const becomes = async (ask: () => Ask, wanted: string): Promise<void> => {
    while ((await reasonOf(ask())) !== wanted);
  };
  return { reasonOf, becomes, close: () => client.close() };
}

/** Says how long something took, in milliseconds. */
export function printTimes(what: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const [p50, p99, most] = [quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1)!].map((ms) => ms.toFixed(1));
  print(`${what}, ${times.length} trials: p50 ${p50} ms, p99 ${p99} ms, most ${most} ms`);
}

/** A sidecar with the store of this server, which believes the orders of this bench. */
export function startSidecar(
  dir: string,
  keys: WorldKeys,
  redis: Redis,
  edit: (config: MeshConfig) => void = () => {},
): Promise<Sidecar> {
  writeMesh(dir, keys);
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  edit(config);
  const trusted = signs.trusted[0]!.export({ type: 'spki', format: 'pem' }).toString();
  writeFileSync(join(dir, 'lifts.pem'), trusted);
  return Sidecar.start({
    dir,
    tcp: true,
    config: {
      ...config,
      state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' },
      control: { trustedKeys: ['lifts.pem'] },
      limits: { ...config.limits, concurrentChecks: 4096 },
    },
  });
}

/**
 * How soon a sidecar refuses what another one was ordered to revoke, by each kind in turn, and what a hundred thousand
 * revocations in the store cost: at the start, in memory, and for a check. False when an answer was wrong.
 */
export async function revocationFigures({ rounds, checks }: { rounds: number; checks: number }): Promise<boolean> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  const folders = [temporaryFolder(), temporaryFolder()] as const;
  const sidecar = await startSidecar(folders[0], keys, redis);
  try {
    await latencies(sidecar, keys, redis);
    const none = await starts(sidecar);
    await fill(redis);
    const many = await starts(sidecar);
    const [ms, mb] = [many.readyMs - none.readyMs, many.mb - none.mb];
    print(`${MANY} revocations in the store: ready ${ms.toFixed(0)} ms later, ${mb.toFixed(1)} MB more resident`);
    const empty = await Redis.start();
    await empty.age('default');
    const bare = await startSidecar(folders[1], keys, empty);
    try {
      return await costs([sidecar, bare], keys, rounds, checks);
    } finally {
      await bare.stop();
      await empty.remove();
    }
  } finally {
    await sidecar.stop();
    await redis.remove();
    folders.forEach(removeFolder);
  }
}

async function latencies(sidecar: Sidecar, keys: WorldKeys, redis: Redis): Promise<void> {
  const options = storeOptions(redis, { namespace: 'default' });
  const other = await openBook(options, signs);
  const { becomes, close } = asking(sidecar);
  const times: number[] = [];
  const kinds = Object.entries(revocables);
  const asker = askerOf(keys);
  try {
    for (let trial = 0; trial < TRIALS; trial++) {
      const [reason, { ask, entry }] = kinds[trial % kinds.length]!;
      const sent = ask(asker);
      await becomes(() => ask(asker), 'permitted');
      const order = { id: `trial-${trial}`, until: at(Date.now() + HOUR_MS), reason: 'r', by: 'b' };
      const began = performance.now();
      await other.book.revoke(revocationSchema.parse({ ...order, ...entry(asker, sent) }), Date.now());
      // What a proof is made for is made anew each time; the certificate is the one that was revoked.
      await becomes(() => (reason === 'revoked_certificate' ? sent : ask(asker)), reason);
      times.push(performance.now() - began);
      await other.book.lift({ id: order.id, reason: 'r', by: 'b', atMs: Date.now() });
    }
  } finally {
    close();
    await other.stop();
  }
  printTimes('from an order to the first refusal of another sidecar', times);
}

/** As many as the store takes. */
async function fill(redis: Redis): Promise<void> {
  const script = `
    for n = 1, ${MANY} do
      local subject = 'workload spiffe://prod.example/ns/agents/sa/agent-' .. n
      local json = cjson.encode({'INC-' .. n, subject, cjson.null, 'prompt injection, see the incident', 'security@prod.example'})
      redis.call('HSET', KEYS[1], 'INC-' .. n, ARGV[1] .. ' 1700000000000 ' .. string.gsub(json, '\\\\/', '/'))
    end`;
  await redis.admin('EVAL', script, '1', 'authz:{default}:revocations', String(Date.now() + HOUR_MS));
}

async function starts(sidecar: Sidecar): Promise<{ readonly readyMs: number; readonly mb: number }> {
  const [times, sizes] = [[] as number[], [] as number[]];
  for (let n = 0; n <= STARTS; n++) {
    await sidecar.stop();
    const began = performance.now();
    await sidecar.start();
    // The first one reads files that no start has read before.
    if (n === 0) continue;
    times.push(performance.now() - began);
    sizes.push(residentMb(sidecar.pid));
  }
  return { readyMs: spread(times)[1], mb: spread(sizes)[1] };
}

async function costs(sidecars: readonly Sidecar[], keys: WorldKeys, rounds: number, checks: number): Promise<boolean> {
  const message = encode(ledgerReads()(askerOf(keys)));
  const spent: readonly Spent[][] = sidecars.map(() => []);
  // One round more than is counted: the first compiles.
  for (let round = 0; round <= rounds; round++)
    for (const [at, { check, pid, stop }] of sidecars.entries()) {
      if (!('port' in check)) throw new Error('the sidecar listens on a socket');
      const one = await drive({ name: 'a sidecar', port: check.port, pid, stop }, () => message, { checks }, 'allow');
      if (round > 0) spent[at]!.push(one);
    }
  const [more, less] = sidecars.map(({ pid }) => residentMb(pid));
  print(`${MANY} revocations in the store: ${more! - less!} MB more resident after these checks`);
  const [many, none] = spent.map((list) => spread(list.map(micros))[1]);
  print(`a check with ${MANY} revocations: ${many!.toFixed(1)} CPU µs, with none ${none!.toFixed(1)} CPU µs`);
  return spent.flat().every(({ wrong }) => wrong === 0);
}
