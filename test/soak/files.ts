import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CheckClient } from '../support/check-client.ts';
import { checkBytes } from '../support/check-request.ts';
import { SidecarEstate, workload } from '../support/estate.ts';
import { connectionOf, usualHeaders } from '../support/load.ts';
import { until } from '../support/until.ts';
import { ENDPOINTS } from './edits/scripts.ts';
import { KINDS, type Kind, type Running, Writer } from './edits/writer.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_SCRIPTS = 300;
/** Side by side: most of a script is waiting. */
const ESTATES = 2;
const guardrails = join(import.meta.dirname, '..', '..', 'cedar', 'guardrails');
const IN_FLIGHT = 4;
const BETWEEN_CHECKS_MS = 20;
/**
 * `npm run soak -- files [SCRIPTS [FAULTS]]`: policies, guardrails, tests, the inventory and a team's folder are written, cut, moved,
 * renamed and removed in random orders while requests run. By the audit no decision came from anything but the old or the
 * new set, whole; after pauses that are too long for that, the new set is what is served in the end, and nothing else is
 * installed once the files hold it. FILES_SEED repeats it.
 */
export async function run([scripts = String(DEFAULT_SCRIPTS), most = '10']: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.FILES_SEED ?? Date.now() % 2 ** 31);
  const began = performance.now();
  const tally: Tally = { counts: new Map(), faults: [], checks: 0 };
  const share = Math.ceil(Number(scripts) / ESTATES);
  await Promise.all(
    Array.from({ length: ESTATES }, (_, at) => playScripts(share, seed + at, { tally, most: Number(most) })),
  );
  const { counts, faults, checks } = tally;
  const played = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const line = `files: ${played} scripts, ${faults.length} wrong (${kinds}; ${checks} checks in ${seconds} s, seed ${seed})`;
  return { line, faults };
}

/** What was played over all estates. */
interface Tally {
  readonly counts: Map<Kind | 'slow machine', number>;
  readonly faults: string[];
  checks: number;
}

/** So many scripts about one estate, up to so many faults over all. */
async function playScripts(
  total: number,
  seed: number,
  { tally, most }: { readonly tally: Tally; readonly most: number },
): Promise<void> {
  const { counts, faults } = tally;
  const estate = await SidecarEstate.start({
    prepare: (dir) => {
      cpSync(guardrails, join(dir, 'guardrails'), { recursive: true });
      const policy = { folder: './policies', inventory: './inventory.yaml', guardrails: { folder: './guardrails' } };
      return { policy };
    },
  });
  const writer = new Writer(estate, seed);
  const checks = startChecks(estate);
  try {
    await writer.begin();
    for (let n = 0; n < total && faults.length < most; n++) {
      // The last quarter in the layout of a ConfigMap, which takes another folder.
      const kind = n >= Math.ceil((total * 3) / 4) ? 'symlink' : KINDS[n % 3]!;
      const { strict, found } = await writer.play(n, kind, checks);
      const counted = strict || kind === 'long pauses' ? kind : 'slow machine';
      counts.set(counted, (counts.get(counted) ?? 0) + 1);
      faults.push(...found);
    }
  } finally {
    faults.push(...(await checks.stop()));
    tally.checks += checks.sent();
    await estate.stop();
  }
}

interface Checks extends Running {
  sent(): number;
  /** Ends them; what went wrong. */
  stop(): Promise<string[]>;
}

/** Reads of every invoice by two callers, and of one by an agent that a guardrail stops, without end. */
function startChecks({ sidecar, ca }: SidecarEstate): Checks {
  const client = new CheckClient(sidecar.check);
  const callers = Object.entries({
    ledger: workload('/ns/payments/sa/ledger'),
    reader: workload('/ns/support/sa/reader'),
    agent: workload('/ns/agents/sa/billing-agent'),
  }).map(([name, id]) => ({ name, attributes: connectionOf(id, ca.svid(id)) }));
  const faults: string[] = [];
  let [sent, answered, running] = [0, 0, true];
  const worker = async (): Promise<void> => {
    while (running) {
      const n = sent++;
      const { name, attributes } = callers[n % callers.length]!;
      const invoice = ENDPOINTS[Math.floor(n / callers.length) % ENDPOINTS.length]!;
      const http = { id: `${name} ${invoice} ${n}` };
      try {
        await client.check(checkBytes({ path: `/api/invoices/${invoice}`, headers: usualHeaders, attributes, http }));
      } catch (error) {
        faults.push(`check ${n}: ${error instanceof Error ? error.message : String(error)}`);
      }
      answered++;
      await pause(BETWEEN_CHECKS_MS);
    }
  };
  const workers = Array.from({ length: IN_FLIGHT }, worker);
  return {
    rounds: async (count) => {
      const wanted = answered + count * IN_FLIGHT;
      await until('more checks', () => (answered >= wanted ? true : null));
    },
    sent: () => sent,
    stop: async () => {
      running = false;
      await Promise.all(workers);
      client.close();
      return faults.splice(0).slice(0, 10);
    },
  };
}
