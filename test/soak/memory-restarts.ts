import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CheckClient } from '../support/check-client.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { decodeResponse } from '../support/golden-wire.ts';
import { Sidecar } from '../support/sidecar.ts';
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

interface Sent {
  readonly ask: Ask;
  readonly at: number;
  allows: number;
}

/**
 * `npm run soak -- memory-restarts [RESTARTS]`: a sidecar with the memory store is killed and started again while proofs are
 * in flight, and gets the proofs of the processes before it once more. None may be allowed twice.
 */
export async function run([restarts = String(DEFAULT_RESTARTS)]: readonly string[]): Promise<SoakResult> {
  const keys = makeWorldKeys();
  const dir = temporaryFolder();
  writeMesh(dir, keys);
  const { listen: _, audit: __, ...config } = parse(readFileSync(join(dir, 'config.yaml'), 'utf8'));
  const sidecar = await Sidecar.start({ dir, config });
  const sent: Sent[] = [];
  const faults: string[] = [];
  let [allowed, tried, refused] = [0, 0, 0];
  try {
    for (let n = 0; n < Number(restarts); n++) {
      const client = new CheckClient(sidecar.check);
      const send = async (one: Sent): Promise<void> => {
        const { reason, nonce } = await answerOf(client, one.ask);
        if (reason === 'permitted') {
          allowed++;
          if (++one.allows > 1) faults.push(`restart ${n}: a proof was allowed ${one.allows} times`);
        } else refused++;
        if (reason !== 'task_proof_nonce' || nonce === null) return;
        const again = { ask: proofOf(keys, nonce), at: Date.now(), allows: 0 };
        sent.push(again);
        if ((await answerOf(client, again.ask)).reason === 'permitted') {
          allowed++;
          again.allows++;
        }
      };
      const recent = sent.filter(({ at }) => Date.now() - at < WINDOW_MS);
      for (const one of recent.toSorted(() => Math.random() - 0.5).slice(0, TRIED)) {
        tried++;
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
  const second = faults.length;
  const line = `${restarts} restarts, ${allowed} allows, ${refused} refusals, ${tried} uses of proofs of processes before, ${second} second allows`;
  if (allowed === 0) faults.push('nothing was allowed');
  return { line, faults: faults.slice(0, 20) };
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
