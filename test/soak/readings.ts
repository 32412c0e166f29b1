import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { readingsClient } from '../support/readings/clients.ts';
import { hostOf, ReadingsEstate } from '../support/readings/estate.ts';
import { type Spelled, spelledRequests } from '../support/readings/generate.ts';
import { type Decided, differenceOf } from '../support/readings/oracle.ts';
import { type Kind, kinds } from '../support/readings/services.ts';
import { Random } from '../support/tools/random.ts';
import type { SoakResult } from './run.ts';

const PAIRS = 100_000;
/** On a machine that is busy, fewer pairs rather than a longer run. */
const SECONDS = 1400;
const AT_ONCE = 24;
/** Kinds of request of which this share was served at least: else little was compared. */
const LEAST_SERVED = 0.02;

/** A request that was sent, and the decision of the denial that answered it, where one did. */
interface Sent {
  readonly spelled: Spelled;
  readonly denied: string | null;
}

/**
 * `npm run soak -- readings [PAIRS [SECONDS]]`: what the audit says was decided is what the service read, or nothing reached it.
 * Requests in many spellings go through a real Envoy to services of several kinds. SOAK_SEED repeats a run.
 */
export async function run([count = String(PAIRS), limit = String(SECONDS)]: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.SOAK_SEED ?? Date.now() % 2 ** 31);
  const estate = await ReadingsEstate.start();
  try {
    const started = performance.now();
    const { sent, unsent } = await sendAll(estate, seed, { count: Number(count), seconds: Number(limit) });
    const seconds = (performance.now() - started) / 1000;
    const { differences, served } = await compare(estate, sent);
    const denied = sent.filter((pair) => pair.denied !== null).length;
    const faults = [...served]
      .filter(([, number]) => number < (LEAST_SERVED * sent.length) / kinds.length)
      .map(([kind, number]) => `only ${number} requests were served by ${kind}: little was compared`);
    const line =
      `readings: ${sent.length} pairs, ${differences.length} differences; served ` +
      `${[...served].map(([kind, number]) => `${number} by ${kind}`).join(', ')}; ${denied} denied, ${unsent} not sent, ` +
      `${seconds.toFixed(1)} s (${Math.round(sent.length / seconds)}/s), seed ${seed}`;
    return { line, faults: [...faults, ...differences].slice(0, 20) };
  } finally {
    await estate.stop();
  }
}

async function sendAll(
  estate: ReadingsEstate,
  seed: number,
  { count, seconds }: { readonly count: number; readonly seconds: number },
): Promise<{ readonly sent: readonly Sent[]; readonly unsent: number }> {
  const shown = estate.base.svid('/ns/payments/sa/ledger');
  const shipped = readingsClient(estate.envoy.port, shown);
  const lenient = readingsClient(estate.lenientPort, shown);
  const requests = spelledRequests(new Random(seed));
  const sent: Sent[] = [];
  let unsent = 0;
  const end = performance.now() + seconds * 1000;
  const worker = async (): Promise<void> => {
    while (sent.length < count && performance.now() < end) {
      const spelled = requests.next().value as Spelled;
      try {
        const body = await (spelled.lenient ? lenient : shipped).send(spelled, hostOf(spelled.kind));
        sent.push({ spelled, denied: decisionIn(body) });
      } catch {
        unsent++;
        if (unsent > count) throw new Error('most requests cannot be sent');
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  } finally {
    shipped.close();
    lenient.close();
  }
  return { sent, unsent };
}

/** The decision that a denial of the sidecar names; null in the body of a service. */
function decisionIn(body: string): string | null {
  return body.startsWith('{') ? ((JSON.parse(body) as { readonly decision?: string }).decision ?? null) : null;
}

/** All that reached a service beside what was decided of it, and all denials beside what reached a service. */
async function compare(
  estate: ReadingsEstate,
  sent: readonly Sent[],
): Promise<{ readonly differences: readonly string[]; readonly served: ReadonlyMap<Kind, number> }> {
  const decided = await decisions(estate.base.sidecar.auditFile);
  const byPair = new Map(sent.map((pair) => [pair.spelled.pair, pair]));
  const differences: string[] = [];
  const served = new Map<Kind, number>();
  for (const [kind, service] of estate.services) {
    const reached = await service.reached();
    served.set(kind, reached.length);
    for (const seen of reached) {
      const pair = byPair.get(seen.headers['x-pair'] ?? '');
      const line = decided.get(seen.headers['x-authz-decision'] ?? '');
      const denied = pair !== undefined && pair.denied !== null ? 'it reached the service and was denied' : null;
      const why = denied ?? (line === undefined ? 'it was not decided' : differenceOf(kind, seen, line));
      if (why !== null) differences.push(`${why}: ${JSON.stringify(pair?.spelled ?? seen)}`);
    }
  }
  for (const { spelled, denied } of sent) {
    if (denied === null || decided.get(denied)?.result === 'deny') continue;
    differences.push(`a denial is none in the audit: ${JSON.stringify(spelled)}`);
  }
  return { differences, served };
}

/** The decisions of an audit file by their ids. */
async function decisions(file: string): Promise<ReadonlyMap<string, Decided>> {
  const found = new Map<string, Decided>();
  for await (const text of createInterface({ input: createReadStream(file) })) {
    const line = JSON.parse(text) as Decided & { readonly decision?: string };
    if (line.decision !== undefined) found.set(line.decision, line);
  }
  return found;
}
