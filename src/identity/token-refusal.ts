import { type Reason, Refusal } from '../base/outcome.ts';
import type { TokenFault, TokenFaultKind } from '../token/jws-fault.ts';

const reasonOf = {
  malformed: 'identity_token_malformed',
  algorithm: 'identity_token_algorithm',
  type: 'identity_token_type',
  key_unknown: 'identity_token_key_unknown',
  keys_stale: 'identity_token_keys_stale',
  signature: 'identity_token_signature',
  expired: 'identity_token_expired',
  not_yet_valid: 'identity_token_not_yet_valid',
  lifetime: 'identity_token_lifetime',
  audience: 'identity_token_audience',
  issuer: 'identity_token_issuer',
  subject: 'identity_token_subject',
  bound: 'identity_token_bound',
} as const satisfies Record<TokenFaultKind, Reason>;

/** The refusal of a request whose identity token has this fault: `identity_token_…`. `identify` adds the challenge. */
export function identityRefusal(fault: TokenFault): Refusal {
  return new Refusal(reasonOf[fault.kind], fault.detail);
}
