import { canonicalJson } from '../../base/json.ts';
import type { TaskResource } from '../../task/resources.ts';
import { ApiProblem } from '../http/problem.ts';
import type { TokenRequest } from './request.ts';

/** What a token grants. Of a task, an exchange only ever narrows it. Times are seconds since the epoch. */
export interface Grant {
  /** Of the task: the same in every token of it. */
  readonly id: string;
  /** SPIFFE IDs: the originator first, on whose behalf the others act, the one that may use the token last. */
  readonly chain: readonly [string, ...string[]];
  readonly purpose: string;
  readonly scopes: readonly string[];
  /** No token that comes of this one is valid any longer. */
  readonly endsAt: number;
  /** When this token expires: never after `endsAt`. */
  readonly expiresAt: number;
  /** What the task is about; null: nothing is said. The same in every token of it. */
  readonly resources: readonly TaskResource[] | null;
}

/** The limits of the issuer, whatever policies permit. */
export interface GrantRules {
  /** The trust domain that tokens are for. */
  readonly audience: string;
  readonly maxTokenSeconds: number;
  readonly maxTaskSeconds: number;
  /** Workloads in a chain. */
  readonly maxDepth: number;
  /** Purposes that a purpose of the inventory lies within, itself not among them; null where there is no such purpose. */
  readonly widerPurposes: (purpose: string) => readonly string[] | null;
}

const invalid = (detail: string): ApiProblem => ApiProblem.of('token_request_invalid', detail);

/**
 * What the first token of a task grants: within the limits of the issuer. Whether policies permit it is asked afterwards,
 * and whether there is such a purpose then.
 */
export function startGrant(
  request: TokenRequest,
  { id, starting }: { readonly id: string; readonly starting: Grant['chain'] },
  rules: GrantRules,
  now: number,
): Grant | ApiProblem {
  const elsewhere = audienceProblem(request, rules);
  if (elsewhere !== null) return elsewhere;
  const { purpose, lifetimeSeconds, scopes, resources } = request;
  if (purpose === null) return invalid('request_details states no purpose');
  if (lifetimeSeconds !== null && lifetimeSeconds > rules.maxTaskSeconds)
    return invalid(`the lifetime is longer than ${rules.maxTaskSeconds} s`);
  const chain = chainOf(starting, request, rules);
  if (chain instanceof ApiProblem) return chain;
  const endsAt = now + (lifetimeSeconds ?? rules.maxTaskSeconds);
  const expiresAt = Math.min(endsAt, now + rules.maxTokenSeconds);
  return { id, chain, purpose, scopes, endsAt, expiresAt, resources };
}

/**
 * What a token grants that is exchanged for the one before: to the caller itself, who refreshes it, or to the next actor.
 * Only the last actor of the token before may exchange it. Purpose and scopes are within those before; its task, subject,
 * audience and resources stay; the chain grows by the next actor and never beyond its bound. It ends with the one before,
 * or earlier; a token that is handed on expires with it, too.
 */
export function exchangeGrant(
  request: TokenRequest,
  before: Grant,
  caller: string,
  rules: GrantRules,
  now: number,
): Grant | ApiProblem {
  const elsewhere = audienceProblem(request, rules);
  if (elsewhere !== null) return elsewhere;
  if (before.chain.at(-1) !== caller) return invalid('the subject_token is of another workload');
  if (before.expiresAt <= now) return invalid('the subject_token has expired');
  const purpose = request.purpose ?? before.purpose;
  if (purpose !== before.purpose && rules.widerPurposes(purpose)?.includes(before.purpose) !== true)
    return invalid('the purpose does not lie within that of the subject_token');
  const wider = request.scopes.find((scope) => !before.scopes.includes(scope));
  if (wider !== undefined) return ApiProblem.of('scope_exceeded', 'the subject_token does not have every scope');
  if (request.resources !== null && canonicalJson(request.resources) !== canonicalJson(before.resources))
    return invalid('the resources are not those of the subject_token, and no exchange changes them');
  const unsuited = startsAgain(request);
  if (unsuited !== null) return invalid(`${unsuited} is said when a task starts, and never again`);
  const chain = chainOf(before.chain, request, rules);
  if (chain instanceof ApiProblem) return chain;
  const { lifetimeSeconds, actor } = request;
  const endsAt = lifetimeSeconds === null ? before.endsAt : Math.min(before.endsAt, now + lifetimeSeconds);
  const latest = actor === null ? endsAt : Math.min(endsAt, before.expiresAt);
  const expiresAt = Math.min(latest, now + rules.maxTokenSeconds);
  return { ...before, chain, purpose, scopes: request.scopes, endsAt, expiresAt };
}

const audienceProblem = ({ audience }: TokenRequest, rules: GrantRules): ApiProblem | null =>
  audience === rules.audience ? null : ApiProblem.of('target_invalid', 'the audience is not the trust domain');

function startsAgain({ leaseSeconds, budgets }: TokenRequest): 'lease' | 'budgets' | null {
  if (leaseSeconds !== null) return 'lease';
  return Object.values(budgets).some((budget) => budget !== null) ? 'budgets' : null;
}

function chainOf(
  before: Grant['chain'],
  { actor }: TokenRequest,
  { maxDepth }: GrantRules,
): Grant['chain'] | ApiProblem {
  if (actor !== null && before.includes(actor.text)) return invalid('the actor is in the chain already');
  const chain: Grant['chain'] = actor === null ? before : [...before, actor.text];
  return chain.length > maxDepth ? invalid(`the chain would have more than ${maxDepth} workloads`) : chain;
}
