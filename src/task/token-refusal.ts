import { type Reason, Refusal } from '../base/outcome.ts';
import type { TokenFault, TokenFaultKind } from '../token/jws-fault.ts';
import { type ChallengeContext, tokenChallenge } from './challenge.ts';
import type { TaskSource } from './model.ts';

type ReasonOf = Readonly<Record<TokenFaultKind, Reason>>;

/** In `Authorization`: 401, since RFC 6750 has a challenge for it. */
const inAuthorization: ReasonOf = {
  malformed: 'task_token_malformed',
  algorithm: 'task_token_algorithm',
  type: 'task_token_type',
  key_unknown: 'task_token_key_unknown',
  keys_stale: 'task_keys_stale',
  signature: 'task_token_signature',
  expired: 'task_token_expired',
  not_yet_valid: 'task_token_not_yet_valid',
  lifetime: 'task_token_lifetime',
  audience: 'task_token_audience',
  // The entry was found by this very `iss`: nothing but a token that is taken for another's gets here.
  issuer: 'task_token_malformed',
  subject: 'task_token_malformed',
  bound: 'task_token_binding',
};

/** A Transaction Token is no authentication, so there is no challenge for it: 403. */
const inTxnToken: ReasonOf = {
  malformed: 'task_txn_malformed',
  algorithm: 'task_txn_algorithm',
  type: 'task_txn_type',
  key_unknown: 'task_txn_key_unknown',
  keys_stale: 'task_keys_stale',
  signature: 'task_txn_signature',
  expired: 'task_txn_expired',
  not_yet_valid: 'task_txn_not_yet_valid',
  lifetime: 'task_txn_lifetime',
  audience: 'task_txn_audience',
  issuer: 'task_txn_issuer',
  subject: 'task_txn_malformed',
  bound: 'task_txn_binding',
};

/** The refusal of a request whose task token has this fault, with the challenge where its header has one. */
export function tokenRefusal(source: TaskSource, fault: TokenFault, challenge: ChallengeContext): Refusal {
  if (source === 'txn-token') return new Refusal(inTxnToken[fault.kind], fault.detail);
  const reason = inAuthorization[fault.kind];
  const headers = reason === 'task_keys_stale' ? [] : [tokenChallenge(challenge, 'invalid_token')];
  return new Refusal(reason, fault.detail, headers);
}
