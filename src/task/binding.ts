import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Caller } from '../identity/caller.ts';
import { isLegacy } from '../identity/legacy.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Workload } from '../inventory/model.ts';
import type { Confirmation } from '../token/confirmation.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { Assurance, Chain, Task, VerifiedTask } from './model.ts';
import { namedWorkloads } from './named-workloads.ts';
import type { IssuerScope } from './options.ts';
import type { TaskToken } from './task-token.ts';

/** The keys of which possession was proven, by proofs that cover this very token (`ath`, `tth`), each used once. */
export type ProvenKeys = ReadonlySet<string>;

/** A task of which it is known that this caller may carry it, and through whom it came. */
export interface BoundTask {
  readonly task: Task;
  readonly chain: Chain;
}

/** What is asked of the inventory. */
export type KnownWorkloads = Pick<Inventory, 'workload' | 'credential' | 'widerPurposes'>;

/**
 * Binds a verified task token to the caller: it is this caller's, within what its issuer may say, or it is refused.
 *
 * Every workload that the token names is the caller or stands behind it in the chain, and every member of `cnf` holds. A
 * name binds only a caller who proved possession of its key in the handshake; a key alone binds nobody, since a thief
 * holds a captured proof too. A legacy credential binds nothing, and carries no task. Refusals: `task_purpose`, `task_of_another`, `task_unbound`, `task_issuer_scope`,
 * `task_token_binding` and its like (as a TokenFault of the kind `bound`), `chain_*`.
 */
export function bind(
  token: TaskToken,
  confirmation: Confirmation,
  proven: ProvenKeys,
  caller: Caller,
  known: KnownWorkloads,
  maxDepth: number,
): BoundTask | Refusal | TokenFault {
  if (isLegacy(caller.credential))
    return new Refusal('task_unbound', 'the caller showed a legacy credential, which binds no task');
  const wrongPurpose = purposeRefusal(token, known);
  if (wrongPurpose !== null) return wrongPurpose;
  const held = holdChain(token, caller, known, maxDepth);
  if (held instanceof Refusal) return held;
  const unconfirmed = confirmationFault(confirmation, proven, caller);
  if (unconfirmed !== null) return unconfirmed;
  const assurance = assuranceOf(token.scope, held, confirmation, proven, caller);
  if (assurance instanceof Refusal) return assurance;
  return { task: taskOf(token, assurance), chain: held.chain };
}

interface HeldChain {
  readonly chain: Chain;
  /** The token names its holder, who is the caller. */
  readonly byName: boolean;
  /** The caller was appended: the token was issued to somebody behind it. */
  readonly forwarded: boolean;
}

function holdChain(token: TaskToken, caller: Caller, known: KnownWorkloads, maxDepth: number): HeldChain | Refusal {
  const named = namedWorkloads(token, known, maxDepth);
  if (named instanceof Refusal) return named;
  const ids = [...named.chain];
  const callerId = caller.workload.id;
  const holder = ids.at(-1);
  const forwarded = holder !== undefined && holder.text !== callerId.text;
  if (forwarded && token.scope.propagation !== 'forwarded')
    return new Refusal('task_of_another', `the token was issued to ${holder.text}`);
  if (holder === undefined || forwarded) ids.push(callerId);
  const stranger = named.others.find((id) => !ids.some(({ text }) => text === id.text));
  if (stranger !== undefined)
    return new Refusal('task_of_another', `the token names ${stranger.text}, which is not in its chain`);
  const chain = chainOf(ids, token.scope, caller.workload, known, maxDepth);
  return chain instanceof Refusal ? chain : { chain, byName: holder !== undefined, forwarded };
}

/** The last of `ids` is the caller. */
function chainOf(
  ids: readonly SpiffeId[],
  scope: IssuerScope,
  caller: Workload,
  known: KnownWorkloads,
  maxDepth: number,
): Chain | Refusal {
  if (ids.length > maxDepth) return new Refusal('chain_too_deep', `${ids.length} workloads, more than ${maxDepth}`);
  if (new Set(ids.map(({ text }) => text)).size < ids.length)
    return new Refusal('chain_cycle', 'a workload stands in the chain twice');
  const outside = ids.find(({ trustDomain }) => !scope.trustDomains.includes(trustDomain));
  if (outside !== undefined)
    return new Refusal('task_issuer_scope', `the issuer is not trusted for workloads in ${outside.trustDomain}`);
  const earlier: Workload[] = [];
  for (const id of ids.slice(0, -1)) {
    const workload = known.workload(id);
    if (workload instanceof Refusal) return new Refusal('chain_unregistered', `${id.text} is not in the inventory`);
    earlier.push(workload);
  }
  const [originator, ...between] = earlier;
  return originator === undefined ? [caller] : [originator, ...between, caller];
}

/** Every member of `cnf` that is present holds, whatever else binds the token. */
function confirmationFault({ certificate, keys }: Confirmation, proven: ProvenKeys, caller: Caller): TokenFault | null {
  if (certificate !== null) {
    if (!caller.possession) return new TokenFault('bound', 'it is bound to a certificate, and the caller showed none');
    if (certificate !== caller.thumbprint) return new TokenFault('bound', 'it is bound to another certificate');
  }
  if (keys.every((key) => proven.has(key))) return null;
  return new TokenFault('bound', 'it is bound to a key, and no proof of that key over this token is there');
}

/** Design: 1 signed only, 2 bound to a caller who proved possession, 3 bound and used once. */
function assuranceOf(
  scope: IssuerScope,
  { byName, forwarded }: HeldChain,
  { certificate, keys }: Confirmation,
  proven: ProvenKeys,
  caller: Caller,
): Assurance | Refusal {
  const bound = (byName && caller.possession) || certificate !== null;
  if (!bound && keys.length === 0 && !scope.unsafeBearer)
    return new Refusal('task_unbound', byName ? 'its holder proved no possession' : 'the token names no workload');
  const most = bound && !forwarded ? (proven.size > 0 ? 3 : 2) : 1;
  return Math.min(most, scope.maxAssurance) as Assurance;
}

function purposeRefusal({ statement: { purpose }, scope }: TaskToken, known: KnownWorkloads): Refusal | null {
  const wider = known.widerPurposes(purpose);
  if (wider === null) return new Refusal('task_purpose', `${JSON.stringify(purpose)} is no purpose of the inventory`);
  const { purposes } = scope;
  if (purposes === null || [purpose, ...wider].some((name) => purposes.includes(name))) return null;
  return new Refusal('task_purpose', `the issuer may not state the purpose ${purpose}`);
}

const taskOf = (token: TaskToken, assurance: Assurance): Task => Object.freeze({ ...verifiedTask(token), assurance });

/** What a verified token states, bound to nobody yet. */
export function verifiedTask({ source, issuer, statement, subject, times, claims, digest }: TaskToken): VerifiedTask {
  return Object.freeze({
    ...statement,
    source,
    issuer,
    subject,
    issuedAt: times.issuedAt,
    expiresAt: times.expiresAt,
    token: `sha256:${digest}`,
    jti: typeof claims.jti === 'string' ? claims.jti : null,
  });
}
