import { cpSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { checkout, hasCommit } from '../support/checkout.ts';
import { type Answer, ask } from '../support/client.ts';
import { type Envoy, type EnvoyTree, endpointsOf } from '../support/envoy.ts';
import { PAYMENTS } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { Redis } from '../support/redis.ts';
import { finish } from '../support/run.ts';
import { Sidecar } from '../support/sidecar.ts';
import { ids, places, routeTwoHosts, ThiefEstate } from '../support/thief-estate.ts';
import type { Headers } from '../support/thief-tokens.ts';
import { until } from '../support/until.ts';
import { startUpstream } from '../support/upstream.ts';
import type { SoakResult } from './run.ts';

/** The version before this one. */
const PREVIOUS = 'ce56292';
const DEFAULT_REQUESTS = 20_000;
const PER_SECOND = 200;
const CLIENTS = 32;
const CLUSTER = 'cedar-ext-authz';
/** One request in so many has a proof that is used once, which the store keeps. */
const PROOF_EVERY = 4;
/** What a process leaves in its folder, and another one makes for itself. */
const OWN = /\.(sock|jsonl|log)$|\/envoy/;
const mainOf = (tree: string): string => join(tree, 'src', 'main.ts');
const here = join(import.meta.dirname, '..', '..');

/**
 * `npm run soak -- upgrade [short] [COMMIT]`: two sidecars of COMMIT behind a real Envoy, with one real Redis, are replaced one after the
 * other by those of this tree, and then back, each on its own configuration, audit file and socket, while 200 requests a second go
 * through Envoy, 20,000 each way: none may fail, no proof is taken twice, whichever version took it first, and both versions verify
 * the audit files. `short` sends requests while sidecars are replaced, and no longer.
 */
export async function run(args: readonly string[]): Promise<SoakResult> {
  const short = args.includes('short');
  const commit = args.find((arg) => arg !== 'short') ?? PREVIOUS;
  if (!(await hasCommit(commit))) return { line: `SKIPPED: this checkout has no history with ${commit}`, faults: [] };
  const [old, now] = [mainOf(await checkout(commit)), mainOf(here)];
  const requests = short ? 0 : DEFAULT_REQUESTS;
  await using started = new AsyncDisposableStack();
  const redis = await Redis.start();
  started.defer(() => redis.remove());
  await redis.age('default');
  // A machine that runs every test at once answers late, and this is not about that.
  const patience = { timeout: '5s', maxStale: '1m' };
  const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, ...patience };
  const estate = await ThiefEstate.start({ state, limits: { deadline: '30s', drainDelay: '3s' } });
  started.defer(async () => void (await estate.stop()));
  const pair = new Pair(estate);
  started.defer(() => pair.stop());
  await pair.start(old);
  const upstream = await startUpstream();
  started.defer(() => upstream.close());
  const envoy = await estate.base.envoy('uds', upstream, (tree) => {
    routeTwoHosts(tree);
    askAll(tree, pair.sockets);
  });
  started.defer(async () => void (await envoy.stop()));
  await bothHealthy(envoy);

  const load = new Load(estate, envoy);
  const began = performance.now();
  for (const [way, main] of [
    ['up', now],
    ['down', old],
  ] as const) {
    const sending = load.send(way, requests);
    for (const which of [0, 1]) {
      const used = await until('a proof that was used', () => load.lastProof);
      await pair.replace(which, main);
      await bothHealthy(envoy);
      await load.replay(used);
    }
    await sending();
  }
  const faults = [...load.faults, ...pair.faults, ...(await pair.verify([old, now]))];
  const seconds = (performance.now() - began) / 1000;
  const retries = await envoy.stat(`cluster.${CLUSTER}.upstream_rq_retry`);
  const { sent, proofs, replays, failed, slowestMs } = load;
  const line = `${commit} to this tree and back: ${sent.up} requests up and ${sent.down} down at ${Math.round((sent.up + sent.down) / seconds)}/s, ${failed} failed; ${proofs} proofs used once, ${replays} replayed and refused; 4 replacements in place, ${retries} retries, slowest answer ${Math.round(slowestMs)} ms, ${pair.lines} lines of audit verified by both versions`;
  return { line, faults: faults.slice(0, 20) };
}

/** Envoy asks at all sockets. */
function askAll(tree: EnvoyTree, sockets: readonly string[]): void {
  const endpoints = endpointsOf(tree, CLUSTER);
  endpoints.splice(0, endpoints.length, ...sockets.map((path) => ({ endpoint: { address: { pipe: { path } } } })));
}

const bothHealthy = (envoy: Envoy) =>
  until('both sidecars healthy', async () =>
    (await envoy.stat(`cluster.${CLUSTER}.membership_healthy`)) === 2 ? true : null,
  );

/** The configuration without the keys that only this tree knows: whoever upgrades adds them afterwards. */
const knownToBoth = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(config, (key, value) => (key === 'resources' ? undefined : value)));

/** Two sidecars, each with a folder of its own that outlives its processes. */
class Pair {
  readonly faults: string[] = [];
  lines = 0;
  readonly #dirs: readonly [string, string];
  readonly #config: Readonly<Record<string, unknown>>;
  #sidecars: Sidecar[] = [];
  #first: ThiefEstate | null;

  constructor(estate: ThiefEstate) {
    this.#first = estate;
    this.#config = knownToBoth(estate.base.config);
    this.#dirs = [temporaryFolder(), temporaryFolder()];
    for (const dir of this.#dirs) {
      const from = estate.base.dir;
      cpSync(from, dir, { recursive: true, filter: (path) => !OWN.test(path.slice(from.length)) });
    }
  }

  get sockets(): readonly string[] {
    return this.#dirs.map((dir) => join(dir, 'check.sock'));
  }

  async start(main: string): Promise<void> {
    await this.#first?.base.sidecar.stop();
    this.#first = null;
    for (const dir of this.#dirs) this.#sidecars.push(await Sidecar.start({ dir, config: this.#config, main }));
  }

  /** Ends one as an operator does, and starts the other version in its place. */
  async replace(which: number, main: string): Promise<void> {
    const code = await this.#sidecars[which]!.stop();
    if (code !== 0) this.faults.push(`a sidecar ended with ${code}`);
    this.#sidecars[which] = await Sidecar.start({ dir: this.#dirs[which]!, config: this.#config, main });
  }

  /** Ends both; each version has to find each audit file whole. */
  async verify(mains: readonly string[]): Promise<string[]> {
    const faults: string[] = [];
    for (const sidecar of this.#sidecars) {
      await sidecar.stop();
      this.lines += sidecar.audit().length;
      for (const main of mains) {
        const { code, stderr } = await finish(process.execPath, [main, 'audit', 'verify', sidecar.auditFile]);
        if (code !== 0) faults.push(`${main} audit verify ended with ${code}: ${stderr.slice(0, 400)}`);
      }
    }
    return faults;
  }

  async stop(): Promise<void> {
    for (const sidecar of this.#sidecars) await sidecar.stop();
    this.#dirs.forEach(removeFolder);
  }
}

/** Callers of two kinds: by certificate alone, and with a token and a proof that is used once. */
class Load {
  readonly faults: string[] = [];
  readonly sent = { up: 0, down: 0 };
  /** The headers of the last request with a proof that was answered. */
  lastProof: Headers | null = null;
  proofs = 0;
  replays = 0;
  failed = 0;
  slowestMs = 0;
  readonly #estate: ThiefEstate;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

  constructor(estate: ThiefEstate, envoy: Envoy) {
    this.#estate = estate;
    this.#port = envoy.port;
  }

  /** Begins to send; what it returns waits until so many requests are answered, and for all that were sent. */
  send(way: 'up' | 'down', requests: number): () => Promise<void> {
    const began = performance.now();
    let replacing = true;
    const client = async (): Promise<void> => {
      while (replacing || this.sent[way] < requests) {
        const n = this.sent[way]++;
        await pause(Math.max(0, began + (n * 1000) / PER_SECOND - performance.now()));
        await this.#one(way, n);
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    return async () => {
      replacing = false;
      await clients;
    };
  }

  async #one(way: string, n: number): Promise<void> {
    const headers = n % PROOF_EVERY === 0 ? this.#proof() : {};
    const found = await this.#ask(headers).catch((error: unknown) => String(error));
    if (typeof found !== 'string' && found.status === 200) {
      this.slowestMs = Math.max(this.slowestMs, found.ms);
      if (headers.dpop === undefined) return;
      this.proofs++;
      this.lastProof = headers;
      return;
    }
    this.failed++;
    const what = typeof found === 'string' ? found : `${found.status} ${found.body}`;
    this.faults.push(`request ${n} ${way}: ${what}`);
  }

  /** Sends once more what one version took, now that another one answers too: at both. */
  async replay(headers: Headers): Promise<void> {
    for (let n = 0; n < 4; n++) {
      const { status, reason } = await this.#ask(headers);
      if (reason === 'task_proof_replayed') this.replays++;
      else this.faults.push(`a proof that was used: ${status} ${reason}`);
    }
  }

  #proof(): Headers {
    const { tokens } = this.#estate;
    return tokens.withDpop(tokens.keyBound(ids.agent), places.payout);
  }

  #ask(headers: Headers): Promise<Answer> {
    const { svids } = this.#estate;
    const proven = headers.dpop !== undefined;
    const who = proven ? { svid: svids.agent, path: places.payout } : { svid: svids.ledger, path: places.invoice };
    const agent = this.#agent;
    return ask({ ...who, agent, port: this.#port, host: PAYMENTS, headers });
  }
}
