import { createHash } from 'node:crypto';
import { Refusal } from '../../base/outcome.ts';
import { type Quarantine, Quarantines } from '../../behaviour/quarantines.ts';
import { type Assessment, looksStolen } from '../../behaviour/signals.ts';
import type { KnownWorkload, WorkloadBook } from '../../behaviour/workload-book.ts';
import type { Behaviour } from '../../check/behaviour.ts';
import type { Target } from '../../inventory/model.ts';
import type { Audit } from '../../observe/audit.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { type Revocation, subjectKey } from '../../state/revocation.ts';
import type { RevocationBook } from '../../state/revocation-book.ts';

/** Where a quarantine is told of. */
export interface QuarantineReports {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Pick<Audit, 'change'>;
}

/** How often an order that was not taken is given again. */
const AGAIN_MS = 1000;

/** An order that is, or is to be, in the book of revocations. */
interface Order {
  readonly revocation: Revocation;
  /** The book has shown it: where it does so no more before its end, a person lifted it. */
  listed: boolean;
  givenMs: number;
}

/**
 * Turns what looks stolen into revocations that end: whoever shares the book refuses the workload, as caller and in chains, until
 * then or until a person lifts it.
 */
export class Quarantining {
  readonly #book: WorkloadBook;
  readonly #revocations: RevocationBook;
  readonly #isShared: boolean;
  readonly #reports: QuarantineReports;
  readonly #quarantines = new Quarantines();
  readonly #orders = new Map<string, Order>();
  #alarmedMs = Number.NEGATIVE_INFINITY;

  /** `isShared`: the book outlives this process, and others write to it. */
  constructor(book: WorkloadBook, revocations: RevocationBook, isShared: boolean, reports: QuarantineReports) {
    this.#book = book;
    this.#revocations = revocations;
    this.#isShared = isShared;
    this.#reports = reports;
  }

  /** Goes on with those from before a start, where nothing but the file of baselines remembers them. */
  resume(nowMs: number): void {
    if (this.#isShared) return;
    for (const known of this.#book.workloads()) {
      const quarantine = this.#quarantines.resume(known, nowMs);
      if (quarantine !== null) this.#give(quarantine, nowMs);
    }
  }

  running(nowMs: number): readonly Quarantine[] {
    return this.#quarantines.running(nowMs);
  }

  untilMs(known: KnownWorkload, nowMs: number): number | null {
    return this.#quarantines.of(known, nowMs)?.untilMs ?? null;
  }

  /** Only what is not public is held back, and the request that crosses is refused already. */
  readonly check: Behaviour['quarantine'] = ({ found, known }, { resource }, nowMs) => {
    if (!crosses(found, resource)) return null;
    const running = this.#quarantines.of(known, nowMs);
    if (running !== null && this.#isLifted(known)) {
      this.#quarantines.lifted(known);
      this.#orders.delete(known.id);
      return null;
    }
    const quarantine = running ?? this.#quarantines.begin(known, found, this.#book.load.entries, nowMs);
    if (quarantine === null) {
      this.#reports.metrics.counted('authz_behaviour_quarantines_held_back_total');
      if (Math.abs(nowMs - this.#alarmedMs) < AGAIN_MS) return null;
      this.#alarmedMs = nowMs;
      this.#reports.log.error('too many workloads look stolen', { workload: known.id });
      return null;
    }
    const order = this.#orders.get(known.id);
    if (running === null || order === undefined) this.#give(quarantine, nowMs);
    else if (!order.listed && Math.abs(nowMs - order.givenMs) >= AGAIN_MS) this.#order(order, nowMs);
    if (running === null) {
      const { workload, untilMs, reason } = quarantine;
      this.#reports.metrics.counted('authz_behaviour_quarantines_total');
      this.#reports.log.warn('workload quarantined', { workload, until: new Date(untilMs).toISOString(), reason });
    }
    return new Refusal('revoked_workload', `by the revocation ${this.#orders.get(known.id)?.revocation.id}`);
  };

  /** A request of the workload was refused before it was assessed: the book has the order by now. */
  look({ id }: KnownWorkload): void {
    const order = this.#orders.get(id);
    if (order !== undefined && !order.listed) order.listed = this.#revocations.get(order.revocation.id) !== null;
  }

  #isLifted(known: KnownWorkload): boolean {
    this.look(known);
    const order = this.#orders.get(known.id);
    return order?.listed === true && this.#revocations.get(order.revocation.id) === null;
  }

  #give({ workload, beganMs, untilMs, reason }: Quarantine, nowMs: number): void {
    const digest = createHash('sha256').update(`${workload} ${beganMs} ${untilMs}`).digest('base64url');
    const subject = subjectKey('workload', workload);
    const id = `quarantine-${digest.slice(0, 20)}`;
    const revocation = { id, kind: 'workload' as const, subject, issuedUpToMs: null, untilMs, reason, by: 'behaviour' };
    const order: Order = { revocation, listed: false, givenMs: nowMs };
    for (const [name, { revocation: ended }] of this.#orders) if (ended.untilMs <= nowMs) this.#orders.delete(name);
    this.#orders.set(workload, order);
    this.#order(order, nowMs);
  }

  #order(order: Order, nowMs: number): void {
    order.givenMs = nowMs;
    const { id, subject } = order.revocation;
    void this.#revocations.revoke(order.revocation, nowMs).then((result) => {
      if (!('covers' in result)) {
        const detail = 'detail' in result ? result.detail : result.result;
        return this.#reports.log.error('quarantine not ordered', { revocation: id, subject, detail });
      }
      order.listed ||= this.#revocations.get(id) !== null;
      if (result.covers === 'this process' && result.result === 'stored')
        this.#reports.audit.change({ event: 'revocations-changed', added: [id], changed: [], lifted: [] });
    });
  }
}

/** Whether so much was noticed, at something that is not public, that a quarantine begins. */
const crosses = (found: Assessment, { sensitivity }: Target['resource']): boolean =>
  looksStolen(found) && sensitivity > 0;

/** Whether a request would be refused for a quarantine: the same rules and bounds, and nobody is held back. */
export function shadowQuarantine(book: WorkloadBook): Behaviour['wouldQuarantine'] {
  const quarantines = new Quarantines(true);
  return ({ found, known }, { resource }, nowMs) => {
    if (quarantines.of(known, nowMs) !== null) return true;
    if (!crosses(found, resource)) return false;
    return quarantines.begin(known, found, book.load.entries, nowMs) !== null;
  };
}
