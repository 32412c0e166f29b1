import type { Problem } from '../inventory/problem.ts';
import type { CedarFault } from './engine.ts';
import { offsetOfByte } from './place.ts';
import { type PolicyText, problemIn } from './split.ts';

/**
 * Cedar's complaints about policies, each at its place in the file. Cedar validates a policy once for every action that it
 * may apply to, and complains as often: complaints that differ in nothing but that are one.
 */
export function diagnose(found: readonly { readonly policy: PolicyText; readonly fault: CedarFault }[]): Problem[] {
  const folded = new Map<string, Problem>();
  for (const { policy, fault } of found) {
    const problem = problemOf(policy, fault);
    folded.set(`${problem.file}:${problem.line}:${problem.column}:${problem.message}`, problem);
  }
  return [...folded.values()];
}

function problemOf(policy: PolicyText, fault: CedarFault): Problem {
  const location = fault.sourceLocations?.[0];
  const offset = location === undefined ? 0 : offsetOfByte(policy.text, location.start);
  const message = withoutPrefix(fault.message);
  const advice = fault.help === null ? labelOf(fault) : withoutPrefix(fault.help);
  const wrongSign = /^'(.+)' is not a valid operator in Cedar$/.exec(message)?.[1];
  if (wrongSign !== undefined && location !== undefined) {
    // Cedar points at the whole expression; the reader looks for the operator.
    const sign = policy.tokens.find((token) => token.start >= offset && token.text === wrongSign);
    return problemIn(policy, sign?.start ?? offset, joined(`'${wrongSign}' is not an operator in Cedar`, advice));
  }
  return problemIn(policy, offset, joined(message, advice));
}

/** The id stands in the place already, and texts that differ by action only must fold into one. */
function withoutPrefix(text: string): string {
  return text
    .replace(/^failed to parse policy (?:with id `[^`]*` )?from string: /, '')
    .replace(/^for policy `[^`]*`[,:] /, '')
    .replace(/ for (?:\w+::)*Action::"[^"]*"/, '');
}

function labelOf(fault: CedarFault): string | null {
  const label = fault.sourceLocations?.[0]?.label ?? null;
  return label === null || label === '' ? null : label;
}

function joined(message: string, advice: string | null): string {
  return advice === null ? message : `${message}; ${advice}`;
}
