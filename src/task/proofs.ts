import { Refusal, type ResponseHeader } from '../base/outcome.ts';
import { afterGood, type Soon } from '../base/soon.ts';
import type { Redemption } from '../state/redemption.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { ProvenKeys } from './binding.ts';
import { type ChallengeContext, proofChallenge } from './challenge.ts';
import { type DpopProof, verifyDpopProof } from './dpop.ts';
import type { PresentedTask } from './presented.ts';
import type { ProofOccasion } from './proof.ts';
import { tokenRefusal } from './token-refusal.ts';
import type { VerifiedTaskToken } from './verified-task-token.ts';
import { verifyWorkloadProof, type WorkloadProof } from './wimse.ts';

/** The proofs of a request, verified and not used up yet. */
export interface Proofs {
  readonly redemptions: readonly Redemption[];
  readonly responseHeaders: readonly ResponseHeader[];
  /** Thumbprints of the keys that made them. */
  readonly keys: readonly string[];
  /** The keys proven over this very token. */
  over(token: VerifiedTaskToken): ProvenKeys;
}

/**
 * Verifies whatever proofs of possession the request carries. A proof that is there must be good, whether a token asks
 * for it or not. Refusals: `task_proof_…`, `task_wit_…`, `task_wpt_…`, `task_token_binding`.
 */
export function readProofs(
  presented: PresentedTask,
  candidates: readonly VerifiedTaskToken[],
  occasion: ProofOccasion,
): Soon<Proofs | Refusal> {
  const wrongScheme = schemeFault(presented, candidates, occasion.challenge);
  if (wrongScheme !== null) return wrongScheme;
  return afterGood(readDpopProof(presented, candidates, occasion), (dpop) =>
    afterGood(
      readWorkloadProof(presented, occasion),
      (workload): Proofs => ({
        redemptions: [dpop?.proof.claim, workload?.claim].filter((claim) => claim !== undefined),
        responseHeaders: dpop?.proof.responseHeaders ?? [],
        keys: [dpop?.proof.keyThumbprint, workload?.keyThumbprint].filter((key) => key !== undefined),
        over: (token) => {
          const proofs = [dpop?.token === token ? dpop.proof : null, workload];
          return new Set(proofs.flatMap((proof) => proof?.keyThumbprint ?? []));
        },
      }),
    ),
  );
}

function readDpopProof(
  { dpop }: PresentedTask,
  candidates: readonly VerifiedTaskToken[],
  occasion: ProofOccasion,
): Soon<{ readonly proof: DpopProof; readonly token: VerifiedTaskToken } | null | Refusal> {
  if (dpop === null) return null;
  const token = provenToken(candidates);
  if (token !== null && token.scheme !== 'bearer')
    return afterGood(verifyDpopProof(dpop, token, occasion), (proof) => ({ proof, token }));
  const detail = 'a proof stands there without a token under the scheme DPoP';
  return withChallenge(occasion.challenge, 'task_proof_token', detail);
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

function readWorkloadProof({ texts }: PresentedTask, occasion: ProofOccasion): Soon<WorkloadProof | null | Refusal> {
  const { 'workload-identity-token': wit, 'workload-proof-token': wpt } = texts;
  if (wit === null && wpt === null) return null;
  if (wpt === null) return new Refusal('task_wpt_missing', 'a WIT stands there without a WPT');
  if (wit === null) return new Refusal('task_wit_invalid', 'a WPT stands there without a WIT');
  const { wimse } = occasion.rules;
  if (wimse === null) return new Refusal('task_wit_invalid', 'no trust domain is configured whose WITs are believed');
  return verifyWorkloadProof(wpt, wit, texts, wimse, occasion);
}

function withChallenge(
  challenge: ChallengeContext,
  reason: 'task_proof_token' | 'task_proof_missing',
  detail: string,
): Refusal {
  return new Refusal(reason, detail, [proofChallenge(challenge, 'invalid_dpop_proof')]);
}
