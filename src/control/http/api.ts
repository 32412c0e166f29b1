import type { IncomingMessage } from 'node:http';
import type { OnVerified } from '../../identity/caller.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { AuditBody } from '../../observe/record.ts';
import type { Asker } from '../asker.ts';
import { atDoor, type DoorRules, unwanted } from './door.ts';
import { begun, type Exchange, readInput, staleSignIn, unreadFrom } from './exchange.ts';
import { findRoute } from './find-route.ts';
import { digestOf, Idempotency } from './idempotency.ts';
import { Inflight } from './inflight.ts';
import type { ControlParts, ControlSnapshot } from './parts.ts';
import { ApiProblem } from './problem.ts';
import { callBody, droppedBody, failedBody } from './record.ts';
import { RefusedLines } from './refused-lines.ts';
import type { ApiReply, Call, Prepared, Rights, Route } from './route.ts';
import { Slices } from './slices.ts';

export interface ApiOptions {
  readonly parts: ControlParts;
  readonly routes: readonly Route[];
  /** Who asks: verified anew for each request. */
  readonly authenticate: (
    request: IncomingMessage,
    inventory: Inventory,
    nowMs: number,
    onVerified: OnVerified,
    /** False: a session goes on no longer by this. */
    isUse?: boolean,
  ) => Promise<Asker | ApiProblem>;
  /** Writes a line of the audit: false where it is not in every sink in time. */
  readonly audit: (body: AuditBody, orWithdraw: boolean) => Promise<boolean>;
  /** One call was answered: its route, or null. */
  readonly answered: (route: string | null, status: number) => void;
  /** Refused calls that got no line of their own. */
  readonly dropped: (calls: number) => void;
  readonly onBug: (error: unknown, decision: string) => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** What one request gets. */
export interface Answered {
  readonly decision: string;
  readonly result: ApiReply | ApiProblem;
  /** Whether problems are told as a token endpoint tells them. */
  readonly oauth: boolean;
}

/** Of a caller whose call took longer to come, it is asked again who it is, and whether it is revoked. */
const ONCE_MS = 500;
/** All work of one call, the store and workers included. */
const CALL_MS = 10_000;
const RETRY = { headers: [['retry-after', '1'] as const] };

/** What is public needs no line in the audit. */
type Ready = Pick<Prepared, 'run'> & { readonly recorded?: false };

/**
 * What becomes of the requests of the control port. Each is a line of the audit before anything happens: who, by which
 * proof, what, and why it may be, or why not. Nobody is believed for where he connects; nobody may without a policy.
 */
export class ControlApi {
  readonly #options: ApiOptions;
  readonly #inflight = new Inflight();
  readonly #idempotency = new Idempotency();
  readonly #refused: RefusedLines;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#refused = new RefusedLines((calls) => {
      options.dropped(calls);
      void options.audit(droppedBody(calls, options.clock()), false);
    });
  }

  /** Requests that are being answered. */
  get inflight(): number {
    return this.#inflight.size;
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, door: DoorRules): Promise<Answered> {
    const exchange = begun(request, this.#options.clock());
    const result = await this.#result(request, door, exchange);
    exchange.leave();
    this.#options.answered(exchange.route, result.status);
    return { decision: exchange.decision, result, oauth: exchange.oauth };
  }

  /** A request that could not be read, or did not come in time: nothing is known of it but the address of its peer. */
  async unread(from: string | null, problem: ApiProblem): Promise<Answered> {
    const exchange = unreadFrom(from, this.#options.clock());
    await this.#refuse(exchange, problem);
    this.#options.answered(null, problem.status);
    return { decision: exchange.decision, result: problem, oauth: false };
  }

  /** Writes what was counted and not told. */
  close(): void {
    this.#refused.flush();
  }

  async #result(request: IncomingMessage, door: DoorRules, exchange: Exchange): Promise<ApiReply | ApiProblem> {
    try {
      const ready = await this.#ready(request, door, exchange);
      return ready instanceof ApiProblem ? await this.#refuse(exchange, ready) : await this.#carryOut(ready, exchange);
    } catch (error) {
      this.#options.onBug(error, exchange.decision);
      return this.#refuse(exchange, ApiProblem.of('internal'));
    }
  }

  /** Everything that decides, up to the line of the audit. */
  async #ready(request: IncomingMessage, door: DoorRules, exchange: Exchange): Promise<Ready | ApiProblem> {
    const target = atDoor(request, door);
    if (target instanceof ApiProblem) return target;
    const found = findRoute(this.#options.routes, request.method ?? '', target.segments);
    if (found instanceof ApiProblem) return found;
    const { route } = found;
    exchange.route = route.name;
    exchange.oauth = route.oauth === true;
    const isStream = route.isStream === true;
    const unwanting = unwanted(request, isStream);
    if (unwanting !== null) return unwanting;
    const { open } = route;
    if (open !== undefined) return { run: async () => open(this.#options.parts), recorded: false };
    exchange.action = route.action;
    const snapshot = this.#options.parts.snapshot();
    if (snapshot === null) return ApiProblem.of('policy_unavailable');
    const { policies, inventory } = snapshot;
    exchange.revision = policies.revision;
    const onVerified: OnVerified = (verified) => {
      exchange.verified = verified;
    };
    const asker = await this.#options.authenticate(request, inventory, exchange.time, onVerified, !isStream);
    if (asker instanceof ApiProblem) return asker;
    exchange.asker = asker;
    const leave = this.#inflight.enter(asker.by, exchange.oauth);
    if (leave === null) return ApiProblem.of('too_many_requests', 'too many calls at once', RETRY);
    exchange.leave = leave;
    const input = await readInput(request, route, { ...target.query, ...found.parameters });
    if (input instanceof ApiProblem) return input;
    // A body comes as slowly as its sender likes: what is judged by the time of its head is judged too early.
    const nowMs = this.#options.clock();
    if (nowMs - exchange.time > ONCE_MS) {
      const still = await this.#options.authenticate(request, inventory, nowMs, () => {}, !isStream);
      if (still instanceof ApiProblem) return still;
    }
    const stale = route.freshSignIn === true ? staleSignIn(asker, nowMs) : null;
    if (stale !== null) return stale;
    const lastEventId = request.headers['last-event-id'];
    const call: Call = {
      ...input,
      ...rightsOf(asker, policies, nowMs),
      nowMs,
      lastEventId: lastEventId === undefined ? null : String(lastEventId),
      again: () => this.#again(request),
      slices: new Slices(CALL_MS),
    };
    return this.#permitted(route, call, exchange);
  }

  async #again(request: IncomingMessage): Promise<Rights | ApiProblem> {
    const { parts, clock, authenticate } = this.#options;
    const snapshot = parts.snapshot();
    if (snapshot === null) return ApiProblem.of('policy_unavailable');
    const nowMs = clock();
    const asker = await authenticate(request, snapshot.inventory, nowMs, () => {}, false);
    return asker instanceof ApiProblem ? asker : rightsOf(asker, snapshot.policies, nowMs);
  }

  async #permitted(route: Route, call: Call, exchange: Exchange): Promise<Ready | ApiProblem> {
    const { parts } = this.#options;
    exchange.about = { parameters: call.parameters };
    const subject = route.subject(call, parts);
    if (subject instanceof ApiProblem) return subject;
    for (const resource of subject === null ? [] : [subject.resource, ...(subject.more ?? [])]) {
      exchange.resource = resource;
      exchange.verdict = call.may(route.action, resource, subject!.order);
      if (!exchange.verdict.allowed) return ApiProblem.of('not_permitted');
    }
    const key = call.idempotencyKey;
    const scope = key === null ? null : digestOf(call.by, route.name, key);
    const digest = digestOf(call.parameters, call.body);
    if (scope !== null) exchange.about = { ...exchange.about, idempotencyKey: scope };
    if (scope !== null && this.#idempotency.isOther(scope, digest, call.nowMs)) return ApiProblem.of('key_reused');
    const again = scope === null ? null : this.#idempotency.answerOf(scope, call.nowMs);
    if (again !== null) {
      exchange.about = { ...exchange.about, again: true };
      return { run: () => again };
    }
    const prepared = await route.prepare(call, parts);
    if (prepared instanceof ApiProblem) return prepared;
    exchange.about = { ...exchange.about, ...prepared.about };
    if (prepared.verdict !== undefined) exchange.verdict = prepared.verdict;
    exchange.action = prepared.action ?? exchange.action;
    exchange.resource = prepared.resource ?? exchange.resource;
    if (exchange.verdict?.allowed !== true) return ApiProblem.of('not_permitted');
    if (scope === null) return prepared;
    const { run } = prepared;
    return { run: (nowMs) => this.#idempotency.once(scope, digest, nowMs, () => run(nowMs)) };
  }

  async #carryOut({ run, recorded }: Ready, exchange: Exchange): Promise<ApiReply | ApiProblem> {
    const { clock } = this.#options;
    if (recorded === false) return run(clock());
    if (!(await this.#options.audit(callBody(exchange, null), true))) return ApiProblem.of('audit_unavailable');
    const result = await run(clock());
    if (result instanceof ApiProblem) await this.#options.audit(failedBody(exchange, result, clock()), false);
    return result;
  }

  async #refuse(exchange: Exchange, problem: ApiProblem): Promise<ApiProblem> {
    if (this.#refused.take(exchange.asker === null ? 'stranger' : 'caller'))
      await this.#options.audit(callBody(exchange, problem), false);
    return problem;
  }
}

const rightsOf = (asker: Asker, policies: ControlSnapshot['policies'], nowMs: number): Rights => ({
  ...asker,
  revision: policies.revision,
  mayViewSome: (kinds) => policies.mayViewSome(asker.principal, kinds),
  may: (action, resource, order) => policies.decide(asker.principal, action, resource, { nowMs, order: order ?? null }),
});
