import { Refusal } from '../base/outcome.ts';
import type { TokenFault } from '../token/jws-fault.ts';

/** The refusal of a request whose identity token has this fault: `identity_token_…`. `identify` adds the challenge. */
export function identityRefusal(fault: TokenFault): Refusal {
  return new Refusal(`identity_token_${fault.kind}`, fault.detail);
}
