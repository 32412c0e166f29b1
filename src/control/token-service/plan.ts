import { randomBytes } from 'node:crypto';
import { Refusal, reasons } from '../../base/outcome.ts';
import type { SpiffeId } from '../../base/spiffe-id.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { RegisteredTask } from '../../state/tasks/registry.ts';
import type { TokenGrant, TokenServiceParts } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';
import type { Call } from '../http/route.ts';
import { exchangeGrant, type Grant, type GrantRules, startGrant } from './grant.ts';
import { heldToken } from './held-token.ts';
import type { SubjectToken, TokenRequest } from './request.ts';

/** A call of a workload that proved itself by its certificate. */
export type WorkloadCall = Call & { readonly caller: Caller };

/** What a request comes to, before it is known whether policies permit it. */
export interface Plan {
  readonly kind: TokenGrant;
  readonly request: TokenRequest;
  readonly grant: Grant;
  /** The workloads that act first in a task that is to begin; else none. */
  readonly starting: readonly SpiffeId[];
  /** The workload that it is handed on to; null: the caller keeps it. */
  readonly next: SpiffeId | null;
  /** The task as it is registered; null: it is to begin. */
  readonly task: RegisteredTask | null;
  readonly jti: string;
  /** When it is issued, in seconds since the epoch. */
  readonly now: number;
}

const ID_BYTES = 16;
const randomId = (): string => randomBytes(ID_BYTES).toString('hex');

/**
 * What a caller asks for, judged by everything but the policies: the subject token is verified, its task is still there, and
 * the grant is within the limits. The caller proved itself by its certificate.
 */
export async function planOf(
  request: TokenRequest,
  { caller, nowMs }: Pick<WorkloadCall, 'caller' | 'nowMs'>,
  inventory: Inventory,
  service: TokenServiceParts,
): Promise<Plan | ApiProblem> {
  const { issuer, registry, maxTokenSeconds, maxTaskSeconds, maxDepth } = service;
  const now = Math.floor(nowMs / 1000);
  const self = caller.workload.id.text;
  const rules: GrantRules = {
    audience: issuer.audience,
    maxTokenSeconds,
    maxTaskSeconds,
    maxDepth,
    widerPurposes: (purpose) => inventory.widerPurposes(purpose),
  };
  const { subject, actor } = request;
  if (actor !== null && actor.trustDomain !== issuer.audience)
    return ApiProblem.of('token_request_invalid', 'the actor is of another trust domain');
  if (subject.kind === 'txn-token') {
    const held = await heldToken(subject.token, service, caller, inventory, nowMs);
    if (held instanceof ApiProblem) return held;
    const over = service.over(caller, held, nowMs);
    if (over !== null) return overProblem(over);
    const task = registry.lookup.find(issuer.issuer, held.grant.id);
    if (task === null) return ApiProblem.of('task_over', 'the task is not known any more');
    const grant = exchangeGrant(request, held.grant, self, rules, now);
    if (grant instanceof ApiProblem) return grant;
    const kind = actor === null ? 'refresh' : 'hand-on';
    return { kind, request, grant, starting: [], next: actor, task, jti: randomId(), now };
  }
  const originator = await originatorOf(subject, caller, service, inventory, nowMs);
  if (originator instanceof ApiProblem) return originator;
  const { id } = caller.workload;
  const starting: readonly [SpiffeId, ...SpiffeId[]] = originator.text === self ? [id] : [originator, id];
  const [first, ...then] = starting.map(({ text }) => text);
  const grant = startGrant(request, { id: randomId(), starting: [first!, ...then] }, rules, now);
  if (grant instanceof ApiProblem) return grant;
  return { kind: 'start', request, grant, starting, next: actor, task: null, jti: randomId(), now };
}

/** What the plan names and the inventory does not have: for whoever policies permit it, and for nobody else. */
export function unknownIn(inventory: Inventory, { grant, next }: Plan): ApiProblem | null {
  if (next !== null && inventory.workload(next) instanceof Refusal)
    return ApiProblem.of('token_request_invalid', 'the inventory has no such actor');
  if (inventory.widerPurposes(grant.purpose) === null)
    return ApiProblem.of('token_request_invalid', 'the inventory has no such purpose');
  return null;
}

/** On whose behalf a task begins: the caller, or the workload that an identity token names. */
async function originatorOf(
  subject: Exclude<SubjectToken, { kind: 'txn-token' }>,
  { workload: { id: self } }: Caller,
  { subjectOf, issuer }: TokenServiceParts,
  inventory: Inventory,
  nowMs: number,
): Promise<SpiffeId | ApiProblem> {
  if (self.trustDomain !== issuer.audience)
    return ApiProblem.of('token_request_invalid', 'the certificate is of another trust domain, for which no token is');
  if (subject.kind === 'named') {
    if (subject.subject === self.text) return self;
    return ApiProblem.of('token_request_invalid', 'subject_token: sub is not the SPIFFE ID of the certificate');
  }
  const named = await subjectOf(subject.token, inventory, nowMs);
  if (named instanceof Refusal)
    return ApiProblem.of('token_request_invalid', `subject_token: ${reasons[named.reason].title}`);
  const { id } = named.workload;
  if (id.trustDomain === issuer.audience) return id;
  return ApiProblem.of('token_request_invalid', 'subject_token: it names a workload of another trust domain');
}

function overProblem({ reason, detail }: Refusal): ApiProblem {
  if (reason === 'state_unavailable') return ApiProblem.of('state_unavailable', detail);
  return ApiProblem.of('task_over', reasons[reason].title);
}
