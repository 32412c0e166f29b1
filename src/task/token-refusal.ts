import { type Reason, Refusal } from '../base/outcome.ts';
import type { TokenFault, TokenFaultKind } from '../token/jws-fault.ts';
import { type ChallengeContext, tokenChallenge } from './challenge.ts';
import type { TaskSource } from './model.ts';

/**
 * In `Authorization`: 401, since RFC 6750 has a challenge for it. A Transaction Token is no authentication, so there is no
 * challenge for it: 403.
 */
function reasonOf(kind: TokenFaultKind, word: 'token' | 'txn'): Reason {
  switch (kind) {
    case 'keys_stale':
      return 'task_keys_stale';
    case 'subject':
      return `task_${word}_malformed`;
    case 'issuer':
      // The entry was found by this very `iss`: nothing but a token that is taken for another's gets here.
      return word === 'txn' ? 'task_txn_issuer' : 'task_token_malformed';
    case 'bound':
      return `task_${word}_binding`;
    default:
      return `task_${word}_${kind}`;
  }
}

/** The refusal of a request whose task token has this fault, with the challenge where its header has one. */
export function tokenRefusal(source: TaskSource, fault: TokenFault, challenge: ChallengeContext): Refusal {
  if (source === 'txn-token') return new Refusal(reasonOf(fault.kind, 'txn'), fault.detail);
  const reason = reasonOf(fault.kind, 'token');
  const headers = reason === 'task_keys_stale' ? [] : [tokenChallenge(challenge, 'invalid_token')];
  return new Refusal(reason, fault.detail, headers);
}
