import { Refusal, type ResponseHeader } from '../base/outcome.ts';
import { afterGood, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Redemption } from '../state/redemption.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { ProvenKeys } from './binding.ts';
import { type ChallengeContext, proofChallenge } from './challenge.ts';
import { type DpopProof, verifyDpopProof } from './dpop.ts';
import type { TaskRules } from './options.ts';
import type { PresentedTask } from './presented.ts';
import { tokenRefusal } from './token-refusal.ts';
import type { VerifiedTaskToken } from './verified-task-token.ts';
import { verifyWorkloadProof, type WorkloadProof } from './wimse.ts';

const NO_KEYS: ProvenKeys = new Set();

interface ProvenDpop {
  readonly proof: DpopProof;
  readonly token: VerifiedTaskToken;
}

/** The proofs of a request, verified and not used up yet. */
export class Proofs {
  readonly redemptions: readonly Redemption[];
  readonly responseHeaders: readonly ResponseHeader[];
  readonly #dpop: ProvenDpop | null;
  readonly #workload: WorkloadProof | null;

  constructor(dpop: ProvenDpop | null, workload: WorkloadProof | null) {
    this.#dpop = dpop;
    this.#workload = workload;
    this.redemptions = [dpop?.proof.claim, workload?.claim].filter((claim) => claim !== undefined);
    this.responseHeaders = dpop?.proof.responseHeaders ?? [];
  }

  /** The keys proven over this very token. */
  over(token: VerifiedTaskToken): ProvenKeys {
    const keys = new Set<string>();
    if (this.#dpop?.token === token) keys.add(this.#dpop.proof.keyThumbprint);
    if (this.#workload !== null) keys.add(this.#workload.keyThumbprint);
    return keys.size === 0 ? NO_KEYS : keys;
  }
}

/**
 * Verifies whatever proofs of possession the request carries. A proof that is there must be good, whether a token asks
 * for it or not. Refusals: `task_proof_…`, `task_wit_…`, `task_wpt_…`, `task_token_binding`.
 */
export function readProofs(
  input: CheckInput,
  presented: PresentedTask,
  candidates: readonly VerifiedTaskToken[],
  challenge: ChallengeContext,
  caller: Caller,
  rules: TaskRules,
  now: number,
): Soon<Proofs | Refusal> {
  const wrongScheme = schemeFault(presented, candidates, challenge);
  if (wrongScheme !== null) return wrongScheme;
  return afterGood(readDpopProof(input, presented, candidates, challenge, caller, rules, now), (dpop) =>
    afterGood(
      readWorkloadProof(input, presented, challenge, caller, rules, now),
      (workload) => new Proofs(dpop, workload),
    ),
  );
}

function readDpopProof(
  { method, rawPath }: CheckInput,
  { dpop }: PresentedTask,
  candidates: readonly VerifiedTaskToken[],
  challenge: ChallengeContext,
  { workload }: Caller,
  { startedAtMs, dpop: rules }: TaskRules,
  now: number,
): Soon<ProvenDpop | null | Refusal> {
  if (dpop === null) return null;
  const token = provenToken(candidates);
  if (token === null || token.scheme === 'bearer')
    return withChallenge(challenge, 'task_proof_token', 'a proof stands there without a token under the scheme DPoP');
  const { text, confirmation } = token;
  const over = { method, rawPath, token: text, tokenKeys: confirmation.keys };
  const occasion = { ...over, caller: workload.id.text, challenge, startedAtMs, now };
  return afterGood(verifyDpopProof(dpop, occasion, rules), (proof) => ({ proof, token }));
}

/** The token that a DPoP proof is over: the one that names a key; of two, the one in `Authorization`. */
function provenToken(candidates: readonly VerifiedTaskToken[]): VerifiedTaskToken | null {
  const inOrder = candidates.toSorted((a, b) => Number(a.scheme === null) - Number(b.scheme === null));
  return inOrder.find(({ confirmation }) => confirmation.keys.length > 0) ?? inOrder[0] ?? null;
}

/** RFC 9449 sections 7.1 and 7.2: the scheme DPoP comes with a proof, and a proof or a bound token with that scheme. */
function schemeFault(
  { dpop }: PresentedTask,
  candidates: readonly VerifiedTaskToken[],
  challenge: ChallengeContext,
): Refusal | null {
  const inAuthorization = candidates.find(({ scheme }) => scheme !== null);
  if (inAuthorization === undefined) return null;
  const { scheme, confirmation, token } = inAuthorization;
  if (scheme === 'dpop' && dpop === null)
    return withChallenge(challenge, 'task_proof_missing', 'the scheme is DPoP and there is no proof');
  if (scheme === 'bearer' && confirmation.dpop) {
    const fault = new TokenFault('bound', 'it is bound to a key by DPoP and stands under the scheme Bearer');
    return tokenRefusal(token.source, fault, challenge);
  }
  return null;
}

function readWorkloadProof(
  input: CheckInput,
  { texts }: PresentedTask,
  { host }: ChallengeContext,
  caller: Caller,
  rules: TaskRules,
  now: number,
): Soon<WorkloadProof | null | Refusal> {
  const { authorization, 'txn-token': txnToken, 'workload-identity-token': wit, 'workload-proof-token': wpt } = texts;
  if (wit === null && wpt === null) return null;
  if (wpt === null) return new Refusal('task_wpt_missing', 'a WIT stands there without a WPT');
  if (wit === null) return new Refusal('task_wit_invalid', 'a WPT stands there without a WIT');
  if (rules.wimse === null)
    return new Refusal('task_wit_invalid', 'no trust domain is configured whose WITs are believed');
  const occasion = {
    wit,
    headers: input.headers,
    accessToken: authorization?.text ?? null,
    txnToken,
    host,
    rawPath: input.rawPath,
    caller,
    tokens: rules.tokens,
    startedAtMs: rules.startedAtMs,
    now,
  };
  return verifyWorkloadProof(wpt, occasion, rules.wimse);
}

function withChallenge(
  challenge: ChallengeContext,
  reason: 'task_proof_token' | 'task_proof_missing',
  detail: string,
): Refusal {
  return new Refusal(reason, detail, [proofChallenge(challenge, 'invalid_dpop_proof')]);
}
