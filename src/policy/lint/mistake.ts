import { stringValue } from '../text/tokens.ts';

/** What authors write from the habit of other languages and products, and what means it here. */
export interface Mistake {
  /** One such text: an expression of a condition, or a whole policy. */
  readonly written: string;
  /** Why it does not mean what it seems to. */
  readonly why: string;
  /** The form that means it, from the parts that `found` took out of the text. */
  readonly instead: (parts: Parts) => string;
  /** The example as it is meant, where putting `instead` in its place does not make it so. */
  readonly meant?: string;
  /** Where it stands among the tokens of a policy, which are joined by single spaces. */
  readonly found: RegExp;
  /** Cedar accepts it, so it is looked for in every policy and not only where Cedar complains. */
  readonly silent?: true;
}

/** Named groups of a match, without the spaces between tokens. */
export type Parts = Readonly<Record<string, string | undefined>>;

const TEXT = '"[^ ]*"';
const COMPARED = '(?<op>==|!=|<=|>=|<|>)';

/** A pattern of whole tokens. */
export function tokens(pattern: string): RegExp {
  return new RegExp(`(?<![^ ])(?:${pattern.replaceAll('TEXT', TEXT).replaceAll('COMPARED', COMPARED)})(?![^ ])`);
}

/** The name of a member, written `.name` or `["name"]`, as a string. */
export const nameOf = ({ word, text }: Parts): string => text ?? JSON.stringify(word ?? '');
/** ` == "x"` where it was written. */
export const comparison = ({ op, value }: Parts): string => (op === undefined ? '' : ` ${op} ${value}`);

export const MEMBER =
  '(?:\\[ (?<text>TEXT) \\]|\\. (?<word>(?!hasTag|getTag|contains|get|has)\\w+))(?: (?<op>==|!=) (?<value>TEXT))?';

/** The value of a string as it stands in the policy. */
export const unquoted = (text: string): string => stringValue({ text }) ?? '';
