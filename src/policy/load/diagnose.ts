import type { Problem } from '../../source/problem.ts';
import type { CedarFault } from '../decide/engine.ts';
import { facts } from '../decide/facts.ts';
import type { FindMistakes } from '../lint/find-mistakes.ts';
import { clausesOf } from '../lint/safe-form.ts';
import { offsetOfByte } from '../text/source-file.ts';
import { type PolicyText, problemIn } from '../text/split-policies.ts';

/**
 * Cedar's complaints about policies, each at its place in the file. Cedar validates a policy once for every action that it
 * may apply to, and complains as often: complaints that differ in nothing but that are one. Where a common mistake is in
 * the text that Cedar complains about, the mistake is shown in place of the complaint.
 */
export function diagnose(
  found: readonly { readonly policy: PolicyText; readonly fault: CedarFault }[],
  mistakesIn: FindMistakes,
): Problem[] {
  const folded = new Map<string, Problem>();
  for (const { policy, fault } of found) {
    const mistakes = mistakesAt(policy, fault, mistakesIn);
    for (const problem of mistakes.length > 0 ? mistakes : [problemOf(policy, fault)]) {
      folded.set(`${problem.file}:${problem.line}:${problem.column}:${problem.message}`, problem);
    }
  }
  return [...folded.values()];
}

function problemOf(policy: PolicyText, fault: CedarFault): Problem {
  const location = fault.sourceLocations?.[0];
  const offset = location === undefined ? 0 : offsetOfByte(policy.text, location.start);
  const message = withoutPrefix(fault.message);
  const [, member = '', type, context] = UNKNOWN.exec(message) ?? [];
  const names = ATTRIBUTES.get(type ?? context ?? '');
  if (names !== undefined) {
    const tags = context === undefined ? '; labels are tags: getTag("…")' : '';
    return problemIn(policy, offsetFrom(policy, offset, member), `${message}; it has ${names.join(', ')}${tags}`);
  }
  const advice = fault.help === null ? location?.label || null : withoutPrefix(fault.help);
  if (UNGUARDED.test(message) && policy.tokens.some(({ text }) => text === 'forbid') && inWhen(policy, offset)) {
    const safe = 'write what may pass as `unless { … has … && … }`: that stops a request without it too';
    return problemIn(policy, offset, joined(message, safe));
  }
  const wrongSign = /^'(.+)' is not a valid operator in Cedar$/.exec(message)?.[1];
  if (wrongSign !== undefined && location !== undefined) {
    const said = joined(`'${wrongSign}' is not an operator in Cedar`, advice);
    return problemIn(policy, offsetFrom(policy, offset, wrongSign), said);
  }
  return problemIn(policy, offset, joined(message, advice));
}

/** What can be read of each part of a request, in place of Cedar's guess at the nearest name. */
export const ATTRIBUTES: ReadonlyMap<string, readonly string[]> = new Map([
  ['Workload', ['trustDomain', 'kind', 'external', 'relay', 'owner']],
  ['Endpoint', ['host', 'path', 'sensitivity', 'external', 'scopes', 'owner']],
  [
    'context',
    [
      ...'now client credential role query declared task chain touched headers numbers'.split(' '),
      ...Object.keys(facts),
    ],
  ],
]);

const UNKNOWN = /^attribute `(\w+)` (?:on entity type `Mesh::(\w+)`|in (context)).* not found$/;

/** Where a word stands: Cedar points at the whole expression around it. */
const offsetFrom = (policy: PolicyText, offset: number, word: string): number =>
  policy.tokens.find(({ text, start }) => start >= offset && text === word)?.start ?? offset;

const UNGUARDED = /^unable to guarantee safety of access to /;

/** Whether the place is in a `when` of the policy. */
function inWhen(policy: PolicyText, offset: number): boolean {
  return clausesOf(policy).some(
    ({ kind, tokens }) =>
      kind === 'when' && (tokens[0]?.start ?? offset + 1) <= offset && offset < (tokens.at(-1)?.end ?? 0),
  );
}

/** The mistakes that stand in the text that Cedar complains about. */
function mistakesAt(policy: PolicyText, fault: CedarFault, mistakesIn: FindMistakes): Problem[] {
  const location = fault.sourceLocations?.[0];
  const start = location === undefined ? 0 : offsetOfByte(policy.text, location.start);
  const end = location === undefined ? policy.text.length : offsetOfByte(policy.text, location.end);
  return mistakesIn(policy)
    .filter((found) => found.start <= end && start <= found.end)
    .map(({ problem }) => problem);
}

/** The id stands in the place already, and texts that differ by action only must fold into one. */
function withoutPrefix(text: string): string {
  return text
    .replace(/^failed to parse policy (?:with id `[^`]*` )?from string: /, '')
    .replace(/^for policy `[^`]*`[,:] /, '')
    .replace(/ for (?:\w+::)*Action::"[^"]*"/, '')
    .replaceAll('Set<__cedar::internal::AnyEntity>', 'a set of entities')
    .replaceAll('__cedar::internal::AnyEntity', 'an entity')
    .replaceAll('__cedar::internal::OpenRecord{}', 'a record');
}

function joined(message: string, advice: string | null): string {
  return advice === null ? message : `${message}; ${advice}`;
}
