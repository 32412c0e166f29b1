import { Refusal } from '../base/outcome.ts';
import type { Target } from '../inventory/model.ts';
import { tokenChallenge } from './challenge.ts';
import type { TaskContext } from './model.ts';

/** The guardrail that decides about scopes (cedar/guardrails/proof.cedar). */
const SCOPE_GUARDRAIL = 'scoped-tokens-stay-in-their-scopes';
/** RFC 6749 section 3.3: what no token can carry is not worth asking for. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * A denial by the policies `forbids`, with the challenge `insufficient_scope` and the scopes that the resource asks for
 * (RFC 6750 section 3.1) where the guardrail of scopes is among them. Any other denial stays as it is, and so does one
 * about a Transaction Token alone, which is not presented by any scheme.
 */
export function askForScope(
  denial: Refusal,
  taskContext: TaskContext,
  { resource }: Target,
  forbids: readonly string[],
): Refusal {
  const presented = taskContext.backing.some(({ source }) => source !== 'txn-token');
  if (!presented || !forbids.includes(SCOPE_GUARDRAIL)) return denial;
  const scopes = resource.scopes.filter((scope) => SCOPE.test(scope));
  const challenge = tokenChallenge(taskContext.challenge, 'insufficient_scope', scopes);
  return new Refusal(denial.reason, denial.detail, [...denial.headers, challenge]);
}
