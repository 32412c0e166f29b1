import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { messageOf } from '../../base/fault.ts';
import { atOnce, type Steps } from '../../base/slices.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { restoreInventory } from '../../inventory/load.ts';
import { type Problem, problemAtStart } from '../../source/problem.ts';
import type { Engine } from '../decide/engine.ts';
import { Snapshot } from '../decide/snapshot.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import { revisionOf, type Sources } from '../text/sources.ts';
import type { JudgedEmergency } from './emergency.ts';
import type { EmergencyWork } from './emergency-worker.ts';

/** A snapshot that the engine has parsed. */
export interface Loaded {
  readonly snapshot: Snapshot<Inventory>;
  readonly warnings: readonly Problem[];
}

/** Sources that were not loaded. `transient`: not for what they hold, so the same sources may pass later. */
export interface Rejection {
  readonly problems: readonly Problem[];
  readonly transient: boolean;
}

/** Time within which sources are judged: ten thousand policies take some 15 s of CPU, which a busy machine stretches. */
const VALIDATION_TIMEOUT_MS = 180_000;
const EMERGENCY_TIMEOUT_MS = 20_000;

/**
 * Judges sources in a throw-away worker thread and has the engine parse them, or says what is wrong with
 * them. The serving instance sees only text that passed: a trap, a hang or a lack of memory ends the worker alone.
 */
export async function loadSnapshot(engine: Engine, sources: Sources): Promise<Loaded | Rejection> {
  const validated = await validateApart(sources);
  return 'problems' in validated ? validated : installInTurns(engine, sources, validated);
}

/** Loads sources that were judged already, by `validate` or its worker. */
export function install(engine: Engine, sources: Sources, validated: ValidatedPolicies): Loaded | Rejection {
  return atOnce(installing(engine, sources, validated));
}

/** The same, with a turn of the event loop after each piece: what is served meanwhile does not wait for all of it. */
export async function installInTurns(
  engine: Engine,
  sources: Sources,
  validated: ValidatedPolicies,
): Promise<Loaded | Rejection> {
  const pieces = installing(engine, sources, validated);
  for (let piece = pieces.next(); ; piece = pieces.next()) {
    if (piece.done) return piece.value;
    await turn();
  }
}

function* installing(engine: Engine, sources: Sources, validated: ValidatedPolicies): Steps<Loaded | Rejection> {
  const inventory = restoreInventory(validated.inventory);
  if (inventory === null) return transient('the inventory that was judged cannot be read again');
  yield;
  const { headers } = sources.settings;
  const revision = revisionOf(withWorkloads(sources, validated));
  const snapshot = new Snapshot({ revision, inventory, headers, validated, engine });
  yield;
  for (const fault of snapshot.prepare()) {
    if (fault !== null) return transient(fault);
    yield;
  }
  return { snapshot, warnings: validated.warnings };
}

/** The sources with what was read of `workloads.jsonl`, so that it is not read again for the next judgement. */
export function withWorkloads(sources: Sources, { inventory, workloads: digest }: ValidatedPolicies): Sources {
  const table = inventory.tables[1];
  if (sources.workloads === undefined || digest === null || table === undefined) return sources;
  return { ...sources, workloads: { ...sources.workloads, loaded: { digest, table } } };
}

/** What `validate` says of sources, from a worker thread of its own with memory and time bounded. */
export async function validateApart(sources: Sources): Promise<ValidatedPolicies | Rejection> {
  // Its stack is smaller than that of the serving thread: what it can evaluate, the serving thread can.
  const resourceLimits = { maxOldGenerationSizeMb: 1024, stackSizeMb: 1 };
  try {
    const verdict = await answerApart('validation-worker', sources, resourceLimits, VALIDATION_TIMEOUT_MS);
    return Array.isArray(verdict)
      ? { problems: verdict, transient: false }
      : (verdict as ValidatedPolicies | Rejection);
  } catch (error) {
    return transient(`policy validation failed (${messageOf(error)}); make the policies smaller or simpler`);
  }
}

function transient(message: string): Rejection {
  return { problems: [problemAtStart('policies', message)], transient: true };
}

/** What is said of files of emergency forbids, from a worker thread of its own; null where one of them ends it, or takes too long. */
export async function judgeEmergencyApart(work: EmergencyWork): Promise<JudgedEmergency | null> {
  const resourceLimits = { maxOldGenerationSizeMb: 256, stackSizeMb: 1 };
  const verdict = answerApart('emergency-worker', work, resourceLimits, EMERGENCY_TIMEOUT_MS);
  return (await verdict.catch(() => null)) as JudgedEmergency | null;
}

/** What a worker thread of its own posts about `workerData`. Rejects, and says why, where it ends without that or takes longer. */
async function answerApart(
  name: string,
  workerData: unknown,
  resourceLimits: ResourceLimits,
  timeoutMs: number,
): Promise<unknown> {
  const file = new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
  const worker = new Worker(file, { workerData, resourceLimits });
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  try {
    const [answer] = await Promise.race([
      once(worker, 'message', { signal: stop.signal }),
      once(worker, 'exit', { signal: stop.signal }).then(() => {
        throw new Error('the worker ended without a verdict');
      }),
    ]);
    return answer;
  } catch (error) {
    throw stop.signal.aborted ? new Error(`took more than ${timeoutMs} ms`) : error;
  } finally {
    clearTimeout(timer);
    stop.abort();
    await worker.terminate();
  }
}
