import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { build, root, sourcesOf } from '../bench/servers/servers.ts';
import { CheckClient } from '../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { type Command, Sidecar } from '../support/sidecar.ts';
import { type Ask, encode } from '../support/world.ts';
import { agentByDpop, agentByWimse, askerOf } from '../support/world-asks.ts';
import { makeWorldKeys, type WorldKeys, writeMesh } from '../support/world-keys.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_RESTARTS = 1000;
/** Proofs that are sent between two restarts, some of which are in flight at the second. */
const PROOFS = 24;
/** How many of them are answered before the sidecar is killed. */
const ANSWERED = 12;
/** A proof is no longer valid then. */
const WINDOW_MS = 70_000;
/** Of the proofs of earlier processes, so many are tried with each. */
const TRIED = 60;
/** Sidecars that are restarted side by side, each with proofs of its own: while one starts, others answer. */
const LANES = 4;
/** From so many restarts on, it pays to build the program first. */
const MANY = 100;
/** Half of a start is what the engine of policies is compiled for, which decides faster then. */
const QUICK_START = '--liftoff-only';

interface Sent {
  readonly ask: Ask;
  readonly at: number;
  allows: number;
}

/** What was seen of one sidecar, or of all. */
interface Seen {
  allowed: number;
  refused: number;
  tried: number;
  readonly faults: string[];
}

/**
 * `npm run soak -- memory-restarts [RESTARTS]`: sidecars with the memory store are killed and started again while proofs are
 * in flight, and get the proofs of the processes before them once more. None may be allowed twice.
 */
export async function run([restarts = String(DEFAULT_RESTARTS)]: readonly string[]): Promise<SoakResult> {
  const keys = makeWorldKeys();
  const built = temporaryFolder();
  const began = performance.now();
  try {
    const tree = Number(restarts) >= MANY ? await build(built) : sourcesOf(root);
    let left = Number(restarts);
    const main = join(tree.root, tree.main);
    const seen = await Promise.all(Array.from({ length: LANES }, () => lane(keys, main, () => left-- > 0)));
    const sum = (of: (one: Seen) => number): number => seen.reduce((total, one) => total + of(one), 0);
    const faults = seen.flatMap((one) => one.faults);
    const seconds = Math.round((performance.now() - began) / 1000);
    const allowed = sum((one) => one.allowed);
    const line = `${restarts} restarts, ${allowed} allows, ${sum((one) => one.refused)} refusals, ${sum((one) => one.tried)} uses of proofs of processes before, ${faults.length} second allows; ${seconds} s`;
    return { line, faults: allowed === 0 ? ['nothing was allowed'] : faults.slice(0, 20) };
  } finally {
    removeFolder(built);
  }
}

/** One sidecar, restarted while `more` says so. */
async function lane(keys: WorldKeys, main: string, more: () => boolean): Promise<Seen> {
  const dir = temporaryFolder();
  writeMesh(dir, keys);
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  const command: Command = (args) => ({ file: process.execPath, args: [QUICK_START, main, ...args] });
  const sidecar = await Sidecar.start({ dir, config, command });
  const sent: Sent[] = [];
  const seen: Seen = { allowed: 0, refused: 0, tried: 0, faults: [] };
  try {
    while (more()) {
      const client = new CheckClient(sidecar.check);
      const send = async (one: Sent): Promise<void> => {
        const { reason, nonce } = await answerOf(client, one.ask);
        if (reason === 'permitted') count(one, seen);
        else seen.refused++;
        if (reason !== 'task_proof_nonce' || nonce === null) return;
        const again = { ask: proofOf(keys, nonce), at: Date.now(), allows: 0 };
        sent.push(again);
        if ((await answerOf(client, again.ask)).reason === 'permitted') count(again, seen);
      };
      const recent = sent.filter(({ at }) => Date.now() - at < WINDOW_MS);
      for (const one of recent.toSorted(() => Math.random() - 0.5).slice(0, TRIED)) {
        seen.tried++;
        await send(one);
      }
      await whileKilled(
        sidecar,
        Array.from({ length: PROOFS }, (_, k) => {
          const one = { ask: k % 4 === 0 ? wimseOf(keys) : proofOf(keys, null), at: Date.now(), allows: 0 };
          sent.push(one);
          return () => send(one);
        }),
      );
      client.close();
      sent.splice(0, sent.length - recent.length - 2 * PROOFS);
      await sidecar.start();
    }
  } finally {
    await sidecar.stop();
    removeFolder(dir);
  }
  return seen;
}

function count(one: Sent, seen: Seen): void {
  seen.allowed++;
  if (++one.allows > 1) seen.faults.push(`a proof was allowed ${one.allows} times`);
}

/** Sends all at once, and kills the sidecar when some are answered; what gets no answer was not allowed. */
async function whileKilled(sidecar: Sidecar, sending: readonly (() => Promise<void>)[]): Promise<void> {
  let answered = 0;
  const enough = Promise.withResolvers<void>();
  const all = sending.map((send) =>
    send().then(
      () => {
        if (++answered === ANSWERED) enough.resolve();
      },
      () => {},
    ),
  );
  await Promise.race([enough.promise, Promise.all(all)]);
  await sidecar.kill();
  await Promise.all(all);
}

async function answerOf(client: CheckClient, ask: Ask) {
  const { denied } = decodeResponse(await client.call(encode(ask), 20_000));
  const nonce = denied?.headers.find(({ key }) => key.toLowerCase() === 'dpop-nonce')?.value ?? null;
  const reason = denied === null ? 'permitted' : (JSON.parse(denied.body) as { reason: string }).reason;
  return { reason, nonce };
}

const proofOf = (keys: WorldKeys, nonce: string | null): Ask =>
  agentByDpop(nonce === null ? {} : { claims: { nonce } })(askerOf(keys));
const wimseOf = (keys: WorldKeys): Ask => agentByWimse()(askerOf(keys));
