import { setTimeout as pause } from 'node:timers/promises';
import { Refusal } from '../../../src/base/outcome.ts';
import { grantedUse } from '../../../src/check/approvals.ts';
import type { ApprovalOrder } from '../../../src/state/approvals/order.ts';
import { stateOfRequest } from '../../../src/state/approvals/request-state.ts';
import type { Use } from '../../../src/state/model.ts';
import { redeem } from '../../../src/state/redemption.ts';
import type { RedisApprovals } from '../../../src/state/redis/approvals/store-approvals.ts';
import type { RedisState } from '../../../src/state/redis/store.ts';
import { approvalOrder, BOB, yes } from '../../support/approvals.ts';
import { keepAsking } from './keep-asking.ts';

/** What one sidecar has of a store that approvals need. */
export interface ApprovalSidecar {
  readonly state: RedisState;
  readonly book: RedisApprovals;
}

/** Requests that agents make at a time, those that wait for a person, and how many are made in all: a store remembers 1,000. */
const LIVE = 12;
const MOST_WAITING = 20;
const MOST_MADE = 500;
/** Between two requests that are new, at least. */
const MAKE_EVERY_MS = 30;
const DECIDE_EVERY_MS = 15;
const DEADLINE_MS = 1000;
const LOOK_EVERY_MS = 20;
const KNOWN_WAITS = 100;
const USES = [1, 1, 3, 7];
const BRIEF_MS = 1500;
const LONG_MS = 600_000;
/** As much as policies can let people give. */
const TERMS = { quorum: 1, uses: 20, forMs: 8 * 3_600_000 } as const;

/** What a person said of one request, as far as it may have been taken. */
interface Terms {
  readonly uses: number;
  readonly endsAtMs: number;
  /** What was permitted by it, and not given back. */
  allows: number;
}

/** A request of an agent, which it makes again and again. */
interface Asked {
  readonly order: ApprovalOrder;
  /** By the ids of requests for an approval: those of which a person has said yes. */
  readonly terms: Map<string, Terms>;
  /** By the same: when it was answered that it is refused or withdrawn. */
  readonly closed: Map<string, number>;
}

type Outcome = 'permitted' | 'approval_required' | 'state_unavailable';

/** What became of a check, by which grant, and how an allow is given back. */
interface Decided {
  readonly outcome: Outcome;
  readonly grant: string | null;
  readonly giveBack: (() => void) | null;
}

/**
 * Agents of a fleet that make requests that need an approval on any of its sidecars, with retries and allows that are given back,
 * and persons who grant, refuse and withdraw. Counts what is permitted more often than was granted, after it was answered
 * that it was closed or had ended, and without a grant.
 */
export class ApprovalLoad {
  readonly #name: string;
  readonly #sidecars: readonly ApprovalSidecar[];
  readonly #maxStaleMs: number;
  readonly #asked: Asked[] = [];
  #probed: Asked | null = null;
  #running = true;
  #workers: Promise<unknown> = Promise.resolve();
  #made = 0;
  #madeAt = 0;
  readonly counts = new Map<Outcome, number>();
  readonly faults: string[] = [];
  uses = 0;
  /** Allows after a refusal, a withdrawal or an end, and allows of what nobody has granted. */
  late = 0;
  ungranted = 0;
  slowestMs = 0;

  constructor(name: string, sidecars: readonly ApprovalSidecar[], maxStaleMs: number) {
    this.#name = name;
    this.#sidecars = sidecars;
    this.#maxStaleMs = maxStaleMs;
  }

  get grants(): number {
    return this.#all.reduce((sum, { terms }) => sum + terms.size, 0);
  }

  get closed(): number {
    return this.#all.reduce((sum, { closed }) => sum + closed.size, 0);
  }

  /** Grants by which more was permitted than they are for. */
  get over(): number {
    return this.#all.flatMap(({ terms }) => [...terms.values()]).filter(({ allows, uses }) => allows > uses).length;
  }

  get #all(): readonly Asked[] {
    return this.#probed === null ? this.#asked : [...this.#asked, this.#probed];
  }

  start(workers: number, pauseMs: number): void {
    const agent = () =>
      keepAsking(
        () => this.#running,
        () => this.#agent(),
        pauseMs,
      );
    const person = async (): Promise<void> => {
      for (; this.#running; await pause(DECIDE_EVERY_MS)) await this.#person();
    };
    this.#workers = Promise.all([...Array.from({ length: workers }, agent), person(), person()]);
  }

  /** Ends, after every request was made on every sidecar until nothing was permitted any more. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#workers;
    await pause(this.#maxStaleMs + 1);
    for (const asked of this.#all)
      for (const sidecar of this.#sidecars)
        for (let n = 0; n <= Math.max(...USES); n++) if ((await this.#use(sidecar, asked)) !== 'permitted') break;
    for (const { terms } of this.#all)
      for (const [id, { allows, uses }] of terms)
        if (allows > uses)
          this.faults.push(`${this.#name}: ${id} was granted for ${uses} uses, and ${allows} were permitted`);
  }

  /**
   * Whether a request that is asked for and granted now is served on each of the sidecars. No agent has it yet: they would spend
   * the grant.
   */
  async served(): Promise<boolean> {
    const asked = this.#probed ?? this.#make();
    this.#probed = asked;
    const id = await this.#ask(this.#sidecars[0]!, asked);
    if (id === null || !(await this.#known(id, 'pending'))) return false;
    if (!(await this.#grant(asked, id, this.#sidecars.length, LONG_MS))) return false;
    const isKnown = await this.#known(id, 'granted');
    let served = isKnown;
    for (const sidecar of this.#sidecars) served &&= (await this.#use(sidecar, asked)) === 'permitted';
    this.#asked.push(asked);
    this.#probed = null;
    return served;
  }

  /** The others know it a little later. */
  async #known(id: string, state: string): Promise<boolean> {
    const isKnown = ({ book }: ApprovalSidecar): boolean => {
      const request = book.find(id);
      return request !== null && stateOfRequest(request, Date.now()) === state;
    };
    for (let waits = 0; waits < KNOWN_WAITS && !this.#sidecars.every(isKnown); waits++) await pause(LOOK_EVERY_MS);
    return this.#sidecars.every(isKnown);
  }

  #make(): Asked {
    const caller = `spiffe://prod.example/agent-${this.#made}`;
    const order = approvalOrder({ caller, chain: [caller], path: `/refunds/${this.#made++}` });
    return { order, terms: new Map(), closed: new Map() };
  }

  /** Agents make another request now and then, and not faster than persons answer. */
  async #agent(): Promise<boolean> {
    const now = Date.now();
    if (now - this.#madeAt >= MAKE_EVERY_MS && this.#made < MOST_MADE && this.#waiting().length < MOST_WAITING) {
      this.#madeAt = now;
      this.#asked.push(this.#make());
    }
    const asked = any(Math.random() < 0.8 ? this.#asked.slice(-LIVE) : this.#asked);
    return asked !== undefined && (await this.#call(any(this.#sidecars)!, asked)) === 'permitted';
  }

  /** Those that wait for a person, by the sidecar that knows most of them. */
  #waiting(): readonly (readonly [asked: Asked, id: string])[] {
    const nowMs = Date.now();
    const { book } = any(this.#sidecars)!;
    const waits = new Map(
      [...book.all()].flatMap((one) => (stateOfRequest(one, nowMs) === 'pending' ? [[one.order.digest, one.id]] : [])),
    );
    return this.#asked.flatMap((asked) => {
      const id = waits.get(asked.order.digest);
      return id === undefined ? [] : [[asked, id] as const];
    });
  }

  /** Grants most of what waits, and withdraws something that was granted now and then. */
  async #person(): Promise<void> {
    const waits = any(this.#waiting());
    if (waits !== undefined) {
      const [asked, id] = waits;
      if (Math.random() < 0.15) await this.#close(asked, id, 'refused');
      else await this.#grant(asked, id, any(USES)!, Math.random() < 0.2 ? BRIEF_MS : LONG_MS);
    }
    if (Math.random() > 0.1) return;
    const asked = any(this.#asked);
    const id = asked === undefined ? undefined : any([...asked.terms.keys()]);
    if (asked !== undefined && id !== undefined) await this.#close(asked, id, 'withdrawn');
  }

  /** A grant that was not answered may have been taken, and so may one of before for fewer uses. */
  async #grant(asked: Asked, id: string, uses: number, useForMs: number): Promise<boolean> {
    const now = Date.now();
    const terms = asked.terms.get(id) ?? { uses, endsAtMs: now + useForMs, allows: 0 };
    asked.terms.set(id, terms);
    const order = yes(id, { digest: asked.order.digest, uses: terms.uses, useForMs: terms.endsAtMs - now });
    return (await any(this.#sidecars)!.book.grant(order, now)).result === 'stored';
  }

  async #close(asked: Asked, id: string, kind: 'refused' | 'withdrawn'): Promise<void> {
    const closed = await any(this.#sidecars)!.book.close({ id, kind, by: BOB, reason: 'soak' }, Date.now());
    if (closed.result === 'stored' && !asked.closed.has(id)) asked.closed.set(id, Date.now());
  }

  /** One request as the check makes it, and asks for an approval where it is denied. */
  async #call(sidecar: ApprovalSidecar, asked: Asked): Promise<Outcome> {
    const outcome = await this.#use(sidecar, asked);
    if (outcome === 'approval_required') await this.#ask(sidecar, asked);
    return outcome;
  }

  /** The id of the request that waits, or was granted; null where nobody was asked. */
  async #ask({ state, book }: ApprovalSidecar, { order }: Asked): Promise<string | null> {
    const now = Date.now();
    const { grant, spent } = grantedUse(book, order, TERMS, state.history(), now);
    const asked = await this.#timed(() => book.ask(order, now, grant?.id ?? spent));
    return asked.result === 'pending' ? asked.id : null;
  }

  /** Envoy may ask again elsewhere, and the allow may find nobody who waits. */
  async #use(sidecar: ApprovalSidecar, asked: Asked): Promise<Outcome> {
    const use: Use = {
      requestId: `${this.uses++}`,
      caller: asked.order.caller,
      checkPeer: null,
      digest: '',
      deadline: Date.now() + DEADLINE_MS,
      judgedBy: '',
    };
    const first = await this.#decide(sidecar, asked, use);
    const again = Math.random() < 0.2 ? await this.#decide(any(this.#sidecars)!, asked, use) : null;
    const by = new Set([first.grant, again?.grant ?? null].filter((id) => id !== null));
    for (const id of by) this.#count(asked, id, 1);
    if (first.giveBack !== null && Math.random() < 0.2) {
      // With a retry that was permitted too, nothing is given back.
      if (again?.outcome !== 'permitted') this.#count(asked, first.grant!, -1);
      first.giveBack();
    }
    return by.size > 0 ? 'permitted' : first.outcome;
  }

  #count({ terms }: Asked, id: string, by: number): void {
    const granted = terms.get(id);
    if (granted !== undefined) granted.allows += by;
  }

  async #decide({ state, book }: ApprovalSidecar, asked: Asked, use: Use): Promise<Decided> {
    const now = Date.now();
    const { grant, redemption } = grantedUse(book, asked.order, TERMS, state.history(), now);
    const given = redemption === null ? null : await this.#timed(() => redeem(state, [redemption], use, now));
    const outcome = given === null ? 'approval_required' : given instanceof Refusal ? given.reason : 'permitted';
    this.counts.set(outcome as Outcome, (this.counts.get(outcome as Outcome) ?? 0) + 1);
    if (grant === null || outcome !== 'permitted') return { outcome: outcome as Outcome, grant: null, giveBack: null };
    this.#judge(asked, grant.id, now);
    return { outcome: 'permitted', grant: grant.id, giveBack: typeof given === 'function' ? given : null };
  }

  /** Whether an allow by this grant may be, of a check that began at `now`. */
  #judge({ order, terms, closed }: Asked, id: string, now: number): void {
    const granted = terms.get(id);
    const closedAt = closed.get(id) ?? Number.POSITIVE_INFINITY;
    if (granted === undefined) {
      this.ungranted++;
      this.faults.push(`${this.#name}: ${order.path} was permitted by ${id}, which nobody granted`);
    } else if (now >= granted.endsAtMs || now > closedAt + this.#maxStaleMs) {
      this.late++;
      const over = Math.min(granted.endsAtMs, closedAt);
      this.faults.push(`${this.#name}: ${order.path} was permitted by ${id} ${now - over} ms after that was over`);
    }
  }

  async #timed<T>(run: () => T | Promise<T>): Promise<T> {
    const began = performance.now();
    const result = await run();
    this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    return result;
  }
}

const any = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
