import type { Problem } from '../../source/problem.ts';
import { type PolicyText, problemIn } from '../text/split-policies.ts';
import type { Token } from '../text/tokens.ts';
import type { Mistake } from './mistake.ts';
import { mistakes } from './mistakes.ts';

/** A mistake in a policy. Offsets count UTF-16 units of the policy's text. */
export interface FoundMistake {
  readonly start: number;
  readonly end: number;
  readonly problem: Problem;
}

/** The mistakes in a policy that Cedar complains about. */
export type FindMistakes = (policy: PolicyText) => readonly FoundMistake[];

/** Mistakes of one kind in one policy that are shown; the others look like them. */
const MAX_EACH = 20;

const known = new WeakMap<PolicyText, readonly FoundMistake[]>();

/** Every mistake of the table in a policy, by the place where it begins. Where two begin at one place, the first counts. */
export function mistakesIn(policy: PolicyText): readonly FoundMistake[] {
  const found = known.get(policy) ?? find(policy, mistakes);
  known.set(policy, found);
  return found;
}

const SILENT = mistakes.filter(({ silent }) => silent === true);

/** Those that Cedar accepts, and that never apply. */
export function silentMistakes(policy: PolicyText): Problem[] {
  return find(policy, SILENT).map(({ problem }) => problem);
}

function find(policy: PolicyText, wanted: readonly Mistake[]): readonly FoundMistake[] {
  const text = joined(policy.tokens);
  const found = new Map<number, FoundMistake>();
  const forbids = policy.tokens.some((token) => token.text === 'forbid');
  for (const mistake of wanted) {
    for (const match of text.matchAll(new RegExp(mistake.found, 'g')).take(MAX_EACH)) {
      const [first, last] = matchedTokens(policy.tokens, match);
      if (first === undefined || last === undefined || found.has(first.start)) continue;
      const instead = insteadOf(mistake, match);
      const place = forbids && GUARDED.test(instead) ? ', with what may pass, inside unless { … }' : '';
      const problem = problemIn(policy, first.start, `${mistake.why}; write ${instead}${place}`);
      found.set(first.start, { start: first.start, end: last.end, problem });
    }
  }
  return [...found.values()].toSorted((a, b) => a.start - b.start);
}

/** Asks whether something is there. In a `when` of a forbid that would let pass whatever lacks it. */
const GUARDED = /^context(?: has |\.\w+\.hasTag)/;

/** What to write instead of a text that the pattern of a mistake matched. */
export function insteadOf(mistake: Mistake, match: RegExpExecArray): string {
  const parts = Object.entries<string | undefined>(match.groups ?? {});
  return mistake.instead(
    Object.fromEntries(parts.map(([name, part]) => [name, part?.replaceAll(' ', '').replaceAll(BLANK, ' ')])),
  );
}

/** Stands for a space inside a string while tokens are joined by spaces. */
const BLANK = '\u00a0';

/** The tokens joined by single spaces: what the patterns of mistakes are matched against. */
export const joined = (tokens: readonly Token[]): string =>
  tokens.map(({ text }) => text.replaceAll(/\s/g, BLANK)).join(' ');

/** The first and the last token of a match in the tokens that were joined. */
export function matchedTokens(tokens: readonly Token[], match: RegExpExecArray): readonly (Token | undefined)[] {
  const spaces = (text: string): number => text.split(' ').length - 1;
  const first = spaces(match.input.slice(0, match.index));
  return [tokens[first], tokens[first + spaces(match[0])]];
}
