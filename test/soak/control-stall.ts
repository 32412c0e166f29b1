import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { workload } from '../support/world.ts';
import { ledgerReads } from '../support/world-asks.ts';
import type { SoakResult } from './run.ts';
import { longestPiece } from './stall.ts';

const SIZES = [100_000, 1_000_000];
const REVOCATIONS = 100_000;
const TRIALS = 5;
/** What one piece of a call may keep the serving thread busy, in milliseconds of its CPU. */
const MOST_MS = 5;
const idOf = (n: number): string => workload(`/ns/n${n % 500}/sa/w${n}`);
const TEAMS = ['payments', 'support', 'platform'];

/**
 * `npm run soak -- control-stall [WORKLOADS …]`: how long each call of the control API keeps the thread that answers checks from
 * everything else at a time, with a hundred thousand and a million workloads in the inventory and a hundred thousand
 * revocations. Of some trials of a call the best counts: what garbage takes is not the call's.
 */
export async function run(sizes: readonly string[]): Promise<SoakResult> {
  const faults: string[] = [];
  const said: string[] = [];
  for (const size of sizes.length === 0 ? SIZES : sizes.map(Number)) {
    let worst = { ms: 0, name: '' };
    for (const [name, pieces] of await piecesOf(size)) {
      const ms = Math.min(...pieces);
      if (ms > worst.ms) worst = { ms, name };
      if (ms > MOST_MS)
        faults.push(`${size} workloads: ${name}: ${pieces.map((each) => each.toFixed(1)).join(', ')} ms`);
      if (process.env.SOAK_VERBOSE !== undefined)
        process.stderr.write(`${size} ${name}: ${pieces.map((each) => each.toFixed(1)).join(', ')} ms\n`);
    }
    said.push(`${size} workloads ${worst.ms.toFixed(1)} ms (${worst.name})`);
  }
  return { line: `longest piece of any call of the control API: ${said.join('; ')}`, faults };
}

interface Call {
  readonly method?: 'POST';
  readonly path: string;
  readonly body?: unknown;
}

const until = new Date(Date.now() + 86_400_000).toISOString();
const revoking = (subject: object, path = '/revocations?dryRun=true'): Call => ({
  method: 'POST',
  path,
  body: { ...subject, until, reason: 'soak', confirm: true },
});

const CALLS: Readonly<Record<string, (size: number, trial: number) => Call>> = {
  'GET /state': () => ({ path: '/state' }),
  'GET /openapi.json': () => ({ path: '/openapi.json' }),
  'GET /revocations': () => ({ path: '/revocations?limit=200' }),
  'GET /revocations of one subject': (_, trial) => ({ path: `/revocations?kind=key&subject=nobody-${trial}` }),
  'GET /revocations/ID': (_, trial) => ({ path: `/revocations/r-${REVOCATIONS - 1 - trial}` }),
  'GET /decisions': () => ({ path: '/decisions?limit=200' }),
  'GET /decisions of nobody': () => ({ path: `/decisions?workload=${workload('/ns/none/sa/none')}` }),
  'GET /workloads': () => ({ path: '/workloads?limit=200' }),
  'GET /workloads of a team': () => ({ path: '/workloads?limit=200&owner=support' }),
  'GET /workloads of no team': () => ({ path: '/workloads?limit=200&owner=none' }),
  'GET /workloads behind a cursor': (size) => ({
    path: `/workloads?limit=200&cursor=${Buffer.from(JSON.stringify(['workloads', 'id', idOf(size - 1)])).toString('base64url')}`,
  }),
  'GET /workloads with reach': () => ({ path: '/workloads?limit=1&reach=true' }),
  'dryRun of a workload': () => revoking({ workload: idOf(7) }),
  'dryRun of a prefix': () => revoking({ under: workload('/ns/n7') }),
  'dryRun of a prefix that is not whole': () => revoking({ under: workload('/ns/n') }),
  'dryRun of a trust domain': () => revoking({ under: 'spiffe://prod.example' }),
  'dryRun of a team': () => revoking({ owner: 'payments' }),
  'dryRun of a task': () => revoking({ task: { issuer: 'spiffe://prod.example', id: 'T-1' } }),
  'dryRun of a subject': () => revoking({ subject: { issuer: 'spiffe://prod.example', subject: idOf(3) } }),
  'dryRun of a key': () => revoking({ key: 'k'.repeat(43) }),
  revoke: (_, trial) => revoking({ id: `order-${trial}`, workload: idOf(trial) }, '/revocations'),
  lift: (_, trial) => ({ method: 'POST', path: `/revocations/order-${trial}/lift`, body: { reason: 'soak' } }),
  'POST /explain': (_, trial) => ({
    method: 'POST',
    path: '/explain',
    body: { caller: idOf(trial), request: 'GET payments.internal/api/status' },
  }),
};

/** The longest piece of each trial of each call. */
async function piecesOf(size: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const world = await startControlWorld({
    over: 'tls',
    policies: ALL_TO_OPERATOR,
    edit: (config) => {
      Object.assign(config, { revocations: { file: './revocations.yaml' } });
      config.limits = { ...config.limits, drainDelay: '0s' };
    },
    prepare: (folder) => {
      const inventory = join(folder, 'inventory.yaml');
      writeFileSync(inventory, `workloadsFile: workloads.jsonl\n${readFileSync(inventory, 'utf8')}`);
      const facts = { kind: 'agent', external: false, relay: true };
      writeLines(join(folder, 'workloads.jsonl'), size, (n) => ({ id: idOf(n), ...facts, owner: TEAMS[n % 3] }));
      writeFileSync(join(folder, 'revocations.yaml'), 'revocations: []\nrevocationsFile: revocations.jsonl\n');
      writeLines(join(folder, 'revocations.jsonl'), REVOCATIONS, (n) => ({
        id: `r-${n}`,
        key: String(n).padStart(43, 'K'),
        until,
        reason: 'soak',
        by: 'soak',
      }));
    },
  });
  const { hostname, port } = new URL(world.control ?? '');
  const { pem: cert, pkcs8Pem: key } = world.svid(OPERATOR);
  const client = new Worker(CLIENT, { eval: true, workerData: { hostname, port, cert, key } });
  const ask = (call: Call): Promise<number> =>
    new Promise((resolve) => {
      client.once('message', resolve);
      client.postMessage(call);
    });
  const pieces = new Map<string, number[]>();
  try {
    await world.send(ledgerReads()(world));
    for (const [name, call] of Object.entries(CALLS)) {
      const own: number[] = [];
      for (let trial = 0; trial < TRIALS; trial++) {
        let status = 0;
        own.push(
          await longestPiece(async () => {
            status = await ask(call(size, trial));
          }),
        );
        if (status >= 500 || status === 0) throw new Error(`${name}: status ${status}`);
      }
      pieces.set(name, own);
    }
    return pieces;
  } finally {
    await client.terminate();
    await world.stop();
  }
}

/** Asks in a thread of its own: what a client costs is not the server's. */
const CLIENT = `
const { parentPort, workerData: { hostname, port, cert, key } } = require('node:worker_threads');
const { request, Agent } = require('node:https');
const agent = new Agent({ cert, key, rejectUnauthorized: false, keepAlive: true, maxSockets: 1 });
parentPort.on('message', ({ method = 'GET', path, body }) => {
  const text = body === undefined ? null : JSON.stringify(body);
  const headers = text === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const sending = request({ hostname, port, agent, method, path, headers }, (response) => {
    response.resume();
    response.on('end', () => parentPort.postMessage(response.statusCode));
  });
  sending.on('error', () => parentPort.postMessage(0));
  sending.end(text ?? undefined);
});`;

function writeLines(file: string, count: number, line: (n: number) => object): void {
  const out = openSync(file, 'w');
  for (let at = 0; at < count; at += 10_000) {
    const some = Array.from({ length: Math.min(10_000, count - at) }, (_, n) => JSON.stringify(line(at + n)));
    writeSync(out, `${some.join('\n')}\n`);
  }
  closeSync(out);
}
