import type { Problem } from '../../source/problem.ts';
import { problemAt, type SourceFile } from './source-file.ts';
import type { Sources } from './sources.ts';
import { type LexicalFault, stringValue, type Token, tokenize } from './tokens.ts';

/** One policy as it stands in its file. */
export interface PolicyText extends Statement {
  /** The value of its `@id`. */
  readonly id: string;
  readonly source: SourceFile;
}

/** A file with more has one fault: it is no policy file. Each costs a look at the text, to say where it is. */
const MAX_PROBLEMS = 100;
/** A policy id stands in audit lines, metric labels and file names of tests. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** One policy of a text. `start` is where it begins, in UTF-16 units; its tokens count from there. */
export interface Statement {
  readonly start: number;
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** The policies of Cedar text, each ended by its `;`. What follows the last `;` is one too: Cedar says what it lacks. */
export function statements(text: string): readonly Statement[] | LexicalFault {
  const tokens = tokenize(text);
  if ('message' in tokens) return tokens;
  const found: Statement[] = [];
  let first = 0;
  for (const [index, token] of tokens.entries()) {
    const start = tokens[first]?.start ?? 0;
    if (token.text !== ';' && index < tokens.length - 1) continue;
    found.push({
      start,
      text: text.slice(start, token.end),
      tokens: tokens
        .slice(first, index + 1)
        .map((part) => ({ ...part, start: part.start - start, end: part.end - start })),
    });
    first = index + 1;
  }
  return found;
}

/**
 * The policies of one file with the id of each `@id` annotation: Cedar would number them by position, so that a policy
 * added at the top renames all others. Nothing is handed to Cedar here.
 */
export function splitPolicies(source: SourceFile): { readonly policies: PolicyText[]; readonly problems: Problem[] } {
  const parts = statements(source.text);
  if ('message' in parts) return { policies: [], problems: [problemAt(source, parts.offset, parts.message)] };
  const policies: PolicyText[] = [];
  const problems: Problem[] = [];
  for (const part of parts) {
    if (problems.length === MAX_PROBLEMS) break;
    const id = idOf(part.tokens);
    if (id === null) {
      problems.push(problemAt(source, part.start, 'this policy has no id; write @id("a-name") before it'));
    } else if (!ID.test(id)) {
      const message = `the id ${JSON.stringify(id)} is no name; use letters, digits, '.', '_' and '-'`;
      problems.push(problemAt(source, part.start, message));
    } else {
      policies.push({ id, source, ...part });
    }
  }
  return { policies, problems };
}

/** A policy of sources. */
export interface SourcePolicy extends PolicyText {
  readonly guardrail: boolean;
}

/** The files of one set of policies, and which guardrails among them are disabled. */
export type PolicyFiles = Pick<Sources, 'guardrails' | 'policies' | 'settings'>;

/** The policies of all files in their order, guardrails first; and those of them that are not disabled. */
export function splitSources({ guardrails, policies, settings }: PolicyFiles): {
  readonly all: readonly SourcePolicy[];
  readonly inForce: readonly SourcePolicy[];
  readonly problems: readonly Problem[];
} {
  const parts = [...guardrails, ...policies].map(splitPolicies);
  const all = parts.flatMap((part, i) => part.policies.map((one) => ({ ...one, guardrail: i < guardrails.length })));
  const disabled = new Set(settings.disabledGuardrails.map(({ id }) => id));
  const inForce = all.filter(({ guardrail, id }) => !guardrail || !disabled.has(id));
  return { all, inForce, problems: parts.flatMap(({ problems }) => problems) };
}

function idOf(tokens: readonly Token[]): string | null {
  for (let i = 0; tokens[i]?.text === '@'; ) {
    const value = tokens[i + 2]?.text === '(' ? tokens[i + 3] : undefined;
    if (tokens[i + 1]?.text === 'id' && value?.kind === 'string') return stringValue(value);
    i += value === undefined ? 2 : 5;
  }
  return null;
}

/** A problem at an offset of the policy's own text. */
export function problemIn(policy: PolicyText, offset: number, message: string): Problem {
  return problemAt(policy.source, policy.start + offset, message);
}

/** What is wrong at an offset of the policy's own text, if anything is. */
export const faultIn = (policy: PolicyText, offset: number, fault: string | null): Problem[] =>
  fault === null ? [] : [problemIn(policy, offset, fault)];

/** A problem at the first token that is one of these words; at the policy where there is none. */
export const problemAtWord = (policy: PolicyText, words: readonly string[], message: string): Problem =>
  problemIn(policy, policy.tokens.find(({ text }) => words.includes(text))?.start ?? 0, message);

/** A problem at the first string of this value; at the policy where there is none. */
export function problemAtString(policy: PolicyText, value: string, message: string): Problem {
  const token = policy.tokens.find((one) => one.kind === 'string' && stringValue(one) === value);
  return problemIn(policy, token?.start ?? 0, message);
}
