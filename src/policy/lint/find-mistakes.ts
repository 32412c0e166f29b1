import type { Problem } from '../../source/problem.ts';
import { type PolicyText, problemIn } from '../text/split-policies.ts';
import type { Mistake } from './mistake.ts';
import { mistakes } from './mistakes.ts';

/** A mistake in a policy. Offsets count UTF-16 units of the policy's text. */
export interface FoundMistake {
  readonly start: number;
  readonly end: number;
  readonly problem: Problem;
}

/** Mistakes of one kind in one policy that are shown; the others look like them. */
const MAX_EACH = 20;

const known = new WeakMap<PolicyText, readonly FoundMistake[]>();

/** Every mistake of the table in a policy, by the place where it begins. Where two begin at one place, the first counts. */
export function mistakesIn(policy: PolicyText): readonly FoundMistake[] {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const found = find(policy, mistakes);
  known.set(policy, found);
  return found;
}

const SILENT = mistakes.filter(({ silent }) => silent === true);

/** Those that Cedar accepts, and that never apply. */
export function silentMistakes(policy: PolicyText): Problem[] {
  return find(policy, SILENT).map(({ problem }) => problem);
}

function find(policy: PolicyText, wanted: readonly Mistake[]): readonly FoundMistake[] {
  const { text, starts } = joined(policy);
  const found = new Map<number, FoundMistake>();
  const forbids = policy.tokens.some((token) => token.text === 'forbid');
  for (const mistake of wanted) {
    let times = 0;
    for (const match of text.matchAll(new RegExp(mistake.found, 'g'))) {
      if (++times > MAX_EACH) break;
      const first = starts.get(match.index);
      const last = lastToken(policy, starts, match.index + match[0].length);
      if (first === undefined || found.has(first)) continue;
      const start = policy.tokens[first]?.start ?? 0;
      const instead = insteadOf(mistake, match);
      const place = forbids && GUARDED.test(instead) ? ', with what may pass, inside unless { … }' : '';
      const message = `${mistake.why}; write ${instead}${place}`;
      found.set(first, { start, end: last, problem: problemIn(policy, start, message) });
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

/** The tokens joined by single spaces, and which token begins where. */
function joined({ tokens }: PolicyText): { readonly text: string; readonly starts: ReadonlyMap<number, number> } {
  const starts = new Map<number, number>();
  const parts: string[] = [];
  let length = 0;
  for (const [index, token] of tokens.entries()) {
    starts.set(length, index);
    const part = token.text.replaceAll(/\s/g, BLANK);
    parts.push(part);
    length += part.length + 1;
  }
  return { text: parts.join(' '), starts };
}

/** Where in the policy the last token of a match ends. */
function lastToken(policy: PolicyText, starts: ReadonlyMap<number, number>, end: number): number {
  const next = starts.get(end + 1);
  return policy.tokens[next === undefined ? policy.tokens.length - 1 : next - 1]?.end ?? policy.text.length;
}
