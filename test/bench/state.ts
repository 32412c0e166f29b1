import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { RedisState } from '../../src/state/redis/store.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { proofTime, secondAfterStart } from '../support/proof-time.ts';
import { Redis } from '../support/redis.ts';
import { signs } from '../support/redis-books.ts';
import { openRegistry } from '../support/redis-registries.ts';
import { claimOn, storeOptions } from '../support/redis-states.ts';
import { begun } from '../support/registering.ts';
import { Sidecar } from '../support/sidecar.ts';
import { encode } from '../support/world.ts';
import { agentByDpop, agentByTxn, askerOf } from '../support/world-asks.ts';
import { makeWorldKeys, writeMesh } from '../support/world-keys.ts';
import { micros, type Spread, spread } from './figures.ts';
import { drive, type Spent } from './load/drive.ts';

/** Claims one after the other, and at once. */
const CLAIMS = 2000;
const AT_ONCE = 100;

/**
 * What a proof costs with either store, in CPU of the sidecar and of the server, and how long a claim takes: rounds of both
 * in turn. False when an answer was wrong.
 */
export async function stateFigures({ rounds, checks }: { rounds: number; checks: number }): Promise<boolean> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  const folders = [temporaryFolder(), temporaryFolder()] as const;
  const start = (dir: string, state: object) => {
    writeMesh(dir, keys);
    const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
    const limits = { ...config.limits, rememberedProofs: 1_000_000, concurrentChecks: 4096 };
    return Sidecar.start({ dir, tcp: true, config: { ...config, state, limits } });
  };
  const memory = await start(folders[0], { store: 'memory' });
  const shared = await start(folders[1], { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' });
  try {
    await secondAfterStart();
    const ask = () => encode(agentByDpop({ claims: { iat: Math.floor(proofTime() / 1000) } })(askerOf(keys)));
    const spent: readonly (readonly [name: string, sidecar: Sidecar, rounds: Spent[]])[] = [
      ['memory', memory, []],
      ['redis', shared, []],
    ];
    // One round more than is counted: the first compiles.
    for (let round = 0; round <= rounds; round++) {
      for (const [, sidecar, list] of spent) {
        const { check, pid } = sidecar;
        if (!('port' in check)) throw new Error('the sidecar listens on a socket');
        const server = { name: 'a sidecar', port: check.port, pid, stop: sidecar.stop };
        const one = await drive(server, ask, { checks }, 'allow');
        if (round > 0) list.push(one);
      }
    }
    const [mine, theirs] = spent.map(([, , list]) => spread(list.map(micros))) as [Spread, Spread];
    for (const [at, [name]] of spent.entries()) {
      const [lowest, median, highest] = [mine, theirs][at]!.map((value) => value.toFixed(1));
      process.stdout.write(`bench a check with a proof, ${name.padEnd(8)}${median} CPU µs (${lowest} to ${highest})\n`);
    }
    process.stdout.write(`bench a claim in the store adds ${(theirs[1] - mine[1]).toFixed(1)} CPU µs to a check\n`);
    await latencies(redis);
    return spent.every(([, , list]) => list.every(({ wrong }) => wrong === 0));
  } finally {
    await memory.stop();
    await shared.stop();
    await redis.remove();
    folders.forEach(removeFolder);
  }
}

/** What budgets cost a check, in CPU of a sidecar with a store: rounds of tasks with all of them, with one, and with none, in turn. */
export async function budgetFigures({ rounds, checks }: { rounds: number; checks: number }): Promise<boolean> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  const dir = temporaryFolder();
  writeMesh(dir, keys);
  const { registry, stop } = await openRegistry(storeOptions(redis, { namespace: 'default' }), { keys: signs });
  const [none, most] = [{ calls: null, writes: null, resources: null }, 1_000_000_000];
  const kinds = [
    ['no budget', none],
    ['a budget of calls', { ...none, calls: most }],
    ['budgets of calls and resources', { ...none, calls: most, resources: most }],
  ] as const;
  for (const [id, budgets] of kinds) await begun(registry, { id: id.replaceAll(' ', '-'), budgets });
  await stop();
  writeFileSync(join(dir, 'orders.pem'), signs.trusted[0]!.export({ type: 'spki', format: 'pem' }));
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' };
  const limits = { ...config.limits, rememberedProofs: 1_000_000, concurrentChecks: 4096 };
  const control = { trustedKeys: ['orders.pem'] };
  const sidecar = await Sidecar.start({ dir, tcp: true, config: { ...config, state, limits, control } });
  try {
    const { check, pid } = sidecar;
    if (!('port' in check)) throw new Error('the sidecar listens on a socket');
    const server = { name: 'a sidecar', port: check.port, pid, stop: sidecar.stop };
    const spent = kinds.map(([name]) => {
      const claims = { txn: name.replaceAll(' ', '-') };
      const asked = agentByTxn({ claims })(askerOf(keys));
      return { name, ask: () => encode(asked), rounds: [] as Spent[] };
    });
    for (let round = 0; round <= rounds; round++) {
      for (const { ask, rounds: list } of spent) {
        const one = await drive(server, ask, { checks }, 'allow');
        if (round > 0) list.push(one);
      }
    }
    for (const { name, rounds: list } of spent) {
      const [lowest, median, highest] = spread(list.map(micros)).map((value) => value.toFixed(1));
      process.stdout.write(`bench a check in a task with ${name}: ${median} CPU µs (${lowest} to ${highest})\n`);
    }
    return spent.every(({ rounds: list }) => list.every(({ wrong }) => wrong === 0));
  } finally {
    await sidecar.stop();
    await redis.remove();
    removeFolder(dir);
  }
}

async function latencies(redis: Redis): Promise<void> {
  const options = storeOptions(redis, { namespace: 'latency', maxEntries: 1_000_000 });
  const state = await RedisState.start({ options, clock: systemClock, onEvent: () => {} });
  for (const atOnce of [1, AT_ONCE]) {
    const times: number[] = [];
    for (let n = 0; n < CLAIMS; n += atOnce) {
      await Promise.all(
        Array.from({ length: atOnce }, async (_, i) => {
          const began = performance.now();
          await claimOn(state, `${atOnce}-${n + i}`);
          times.push(performance.now() - began);
        }),
      );
    }
    const [, median] = spread(times);
    const p99 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
    process.stdout.write(`bench a claim, ${atOnce} at once: p50 ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms\n`);
  }
  await state.stop();
}
