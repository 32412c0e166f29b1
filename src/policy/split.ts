import type { Problem } from '../inventory/problem.ts';
import { problemAt, type SourceFile } from './place.ts';
import { stringValue, type Token, tokenize } from './tokens.ts';

/** One policy as it stands in its file. */
export interface PolicyText {
  /** The value of its `@id`. */
  readonly id: string;
  readonly source: SourceFile;
  /** Where `text` begins in its file, in UTF-16 units. */
  readonly start: number;
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** A policy id stands in audit lines, metric labels and file names of tests. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * The policies of one file, each ended by its `;`, with the id of its `@id` annotation: Cedar would number them by
 * position, so that a policy added at the top renames all others. Nothing is handed to Cedar here.
 */
export function splitPolicies(source: SourceFile): { readonly policies: PolicyText[]; readonly problems: Problem[] } {
  const tokens = tokenize(source.text);
  if ('message' in tokens) return { policies: [], problems: [problemAt(source, tokens.offset, tokens.message)] };
  const policies: PolicyText[] = [];
  const problems: Problem[] = [];
  let part: Token[] = [];
  const take = (): void => {
    const first = part[0];
    const last = part.at(-1);
    if (first === undefined || last === undefined) return;
    const id = idOf(part);
    if (id === null) {
      problems.push(problemAt(source, first.start, 'this policy has no id; write @id("a-name") before it'));
    } else if (!ID.test(id)) {
      problems.push(
        problemAt(
          source,
          first.start,
          `the id ${JSON.stringify(id)} is no name; use letters, digits, '.', '_' and '-'`,
        ),
      );
    } else {
      policies.push({
        id,
        source,
        start: first.start,
        text: source.text.slice(first.start, last.end),
        tokens: part.map((t) => ({ ...t, start: t.start - first.start, end: t.end - first.start })),
      });
    }
    part = [];
  };
  for (const token of tokens) {
    part.push(token);
    if (token.text === ';') take();
  }
  take();
  return { policies, problems };
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
