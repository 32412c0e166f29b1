import { randomBytes } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { readBaselines, writeBaselines } from '../../behaviour/baseline-file.ts';
import { NewApis } from '../../behaviour/new-apis.ts';
import { WorkloadBook } from '../../behaviour/workload-book.ts';
import { answeredOf, type Behaviour } from '../../check/behaviour.ts';
import type { CheckResult } from '../../check/decision.ts';
import type { Config } from '../../config/schema.ts';
import type { BehaviourBook } from '../../control/http/parts.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Target } from '../../inventory/model.ts';
import type { SnapshotHolder } from '../../policy/load/holder.ts';
import type { RevocationBook } from '../../state/revocation-book.ts';
import { knownBehaviour } from './known.ts';
import { type QuarantineReports, Quarantining, shadowQuarantine } from './quarantine.ts';

/** How often it is kept. */
const KEEP_MS = 300_000;

/** What is usual for workloads, learned while they are served. */
export interface BehaviourPart {
  readonly stage: Behaviour;
  /** Learns from each check, once it is answered. */
  readonly listener: (result: CheckResult) => void;
  /** For the control API. */
  readonly known: BehaviourBook;
  /** Fills in what is a fill level. */
  readonly measure: () => void;
  missing(): readonly string[];
  status(): Readonly<Record<string, unknown>>;
  stop(): Promise<void>;
}

/** Throws where the file that keeps it holds something else. `clock` gives milliseconds since the epoch. */
export async function startBehaviour(
  { behaviour: { mode, workloads, file } }: Config,
  policy: SnapshotHolder,
  revocations: { readonly book: RevocationBook; readonly isShared: boolean },
  reports: QuarantineReports,
  clock: () => number,
): Promise<BehaviourPart> {
  const seed = randomBytes(4).readUInt32LE();
  const book = file === null ? new WorkloadBook(workloads, seed) : await readBaselines(file, workloads, seed);
  if (book instanceof Fault) throw new Error(`behaviour.file: ${book.detail}`);
  const { log, metrics } = reports;
  const quarantining = new Quarantining(book, revocations.book, revocations.isShared, reports);
  if (mode === 'act') quarantining.resume(clock());
  let writtenAtMs: number | null = null;
  let fault: Fault | null = null;
  let writing = Promise.resolve();
  const write = (): Promise<void> => {
    if (file === null) return writing;
    writing = writing.then(async () => {
      fault = await writeBaselines(file, book);
      if (fault === null) writtenAtMs = clock();
      else log.error('behaviour file not written', { file, cause: fault.detail });
    });
    return writing;
  };
  const keeping = setInterval(() => void write(), KEEP_MS).unref();
  const fresh = new NewApis(policy.current()?.inventory.known.apis ?? new Set());
  policy.events.on('loaded', ({ inventory }) => fresh.load(inventory.known.apis, clock()));
  const assess = (caller: Caller, { resource, effect }: Target, client: string | null, nowMs: number) => {
    const { id, groups } = caller.workload;
    // Names of the inventory, which no caller can multiply.
    const api = resource.apis.at(-1) ?? resource.host.name;
    const request = { api, isNewApi: fresh.has(api, nowMs), writes: effect === 'write', client };
    return book.assess({ id: id.text, trustDomain: id.trustDomain, groups }, request, nowMs);
  };
  return {
    stage: {
      mode: mode === 'act' ? 'act' : 'observe',
      assess,
      quarantine: quarantining.check,
      wouldQuarantine: shadowQuarantine(book),
    },
    listener: ({ decided: { outcome, trail }, time }) => {
      const { behaviour, caller, target } = trail.found;
      const answered = answeredOf(outcome, trail);
      // What was refused before it was assessed counts too, where it was proven who asked.
      const early =
        behaviour === undefined && outcome instanceof Refusal && caller !== undefined && target !== undefined;
      const assessed = early ? assess(caller, target, null, time) : behaviour;
      if (assessed === undefined) return;
      book.learn(assessed, answered, time, mode === 'learn');
      if (early) quarantining.look(assessed.known);
    },
    known: knownBehaviour(book, quarantining, mode),
    measure: () => {
      metrics.cache('behaviour', book.load);
      metrics.gauges({ authz_behaviour_quarantined: quarantining.running(clock()).length });
    },
    missing: () => [],
    status: () => ({
      behaviour: {
        mode,
        workloads: book.load.entries,
        quarantined: quarantining.running(clock()).length,
        survivesRestart: revocations.isShared || file !== null,
        file:
          file === null
            ? null
            : {
                writtenAt: writtenAtMs === null ? null : new Date(writtenAtMs).toISOString(),
                fault: fault?.detail ?? null,
              },
      },
    }),
    stop: () => {
      clearInterval(keeping);
      return write();
    },
  };
}
