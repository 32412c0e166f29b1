/** One token of Cedar text. Offsets count UTF-16 units from the start of the text. */
export interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'sign';
  /** As written, quotes and escapes included. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Text that is no Cedar token: an unterminated string or an unknown character. */
export interface LexicalFault {
  readonly offset: number;
  readonly message: string;
}

// A comment ends where Cedar ends it: at a carriage return too.
const BLANK = /(?:\s|\/\/[^\n\r]*(?:[\n\r]|$))+/y;
const TOKEN =
  /([A-Za-z_][A-Za-z0-9_]*)|([0-9]+)|("(?:[^"\\]|\\[\s\S])*")|(::|==|!=|<=|>=|&&|\|\||[@(){}[\];:,.<>=+\-*!?%/|&])/y;
const KINDS = ['word', 'number', 'string', 'sign'] as const;

/** The tokens of Cedar text (docs.cedarpolicy.com, grammar): comments and blanks are left out. Linear, never throws. */
export function tokenize(text: string): readonly Token[] | LexicalFault {
  // Cedar throws on one instead of refusing it.
  if (!text.isWellFormed()) return { offset: text.search(/\p{Surrogate}/u), message: 'a lone surrogate; remove it' };
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    BLANK.lastIndex = at;
    if (BLANK.test(text)) at = BLANK.lastIndex;
    if (at >= text.length) break;
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return { offset: at, message: faultAt(text, at) };
    const kind = KINDS[match.slice(1).findIndex((group) => group !== undefined)] ?? 'sign';
    tokens.push({ kind, text: match[0], start: at, end: TOKEN.lastIndex });
    at = TOKEN.lastIndex;
  }
  return tokens;
}

function faultAt(text: string, at: number): string {
  if (text[at] === '"') return 'this string has no end; close it with a quote';
  if (text[at] === "'") return 'strings stand in double quotes; write "…"';
  if (text[at] === '#') return 'a comment begins with //; write it so';
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  return `${JSON.stringify(character)} is no part of Cedar; remove it, or quote it`;
}

/**
 * What a string token stands for, with Cedar's escapes (`\n \r \t \\ \0 \' \" \x41 \u{1F600}`) resolved; null when an
 * escape is none of these (Cedar refuses such a policy).
 */
export function stringValue({ text }: Pick<Token, 'text'>): string | null {
  const inner = text.slice(1, -1);
  if (!inner.includes('\\')) return inner;
  let known = true;
  const value = inner.replace(/\\(?:x([0-7][0-9a-fA-F])|u\{([0-9a-fA-F_]+)\}|([\s\S]))/g, (_, hex, code, simple) => {
    if (simple !== undefined) {
      const plain = SIMPLE_ESCAPES.get(simple);
      if (plain === undefined) known = false;
      return plain ?? '';
    }
    const digits = hex ?? code.replaceAll('_', '');
    const point = Number.parseInt(digits, 16);
    if (digits.length > 6 || !(point <= 0x10ffff)) known = false;
    return known ? String.fromCodePoint(point) : '';
  });
  return known ? value : null;
}

const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({ n: '\n', r: '\r', t: '\t', 0: '\0', '\\': '\\', "'": "'", '"': '"' }),
);

/** An entity literal of the text, such as `Mesh::Team::"payments"`, and where its id stands. */
export interface Literal {
  readonly type: string;
  readonly id: string;
  readonly offset: number;
}

/** Every entity literal among the tokens: words joined by `::` that end in a string. */
export function literals(tokens: readonly Token[]): readonly Literal[] {
  const found: Literal[] = [];
  for (let i = 2; i < tokens.length; i++) {
    const last = tokens[i];
    if (last?.kind !== 'string' || tokens[i - 1]?.text !== '::') continue;
    let first = i - 2;
    while (tokens[first - 1]?.text === '::' && tokens[first - 2]?.kind === 'word') first -= 2;
    const id = stringValue(last);
    const start = tokens[first];
    if (start?.kind !== 'word' || id === null) continue;
    const words = tokens.slice(first, i - 1).map(({ text }) => text);
    found.push({ type: words.join(''), id, offset: start.start });
  }
  return found;
}

/** Where an annotation of this name begins; 0 where there is none. */
export const annotationOffset = (tokens: readonly Token[], name: string): number =>
  tokens.find(({ text }, i) => text === '@' && tokens[i + 1]?.text === name)?.start ?? 0;

/** The `permit` or `forbid` of a policy that parsed: the first such word outside its annotations. */
export const effectToken = (tokens: readonly Token[]): Token | undefined =>
  tokens.find(({ text }, i) => (text === 'permit' || text === 'forbid') && tokens[i - 1]?.text !== '@');

export const OPENING: ReadonlySet<string> = new Set(['(', '[', '{']);
export const CLOSING: ReadonlySet<string> = new Set([')', ']', '}']);

/** Each token with the number of brackets around it; a bracket counts as inside. */
export function byDepth(tokens: readonly Token[]): readonly (readonly [token: Token, depth: number])[] {
  let depth = 0;
  return tokens.map((token) => {
    if (OPENING.has(token.text)) depth++;
    return [token, CLOSING.has(token.text) ? depth-- : depth];
  });
}
