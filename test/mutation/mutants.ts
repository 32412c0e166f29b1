/** A source with one refusal deleted. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  /** The deleted statement, on one line. */
  readonly statement: string;
  readonly mutated: string;
}

/**
 * Statements that refuse: a returned refusal or fault, a call of `fail`, and a guard that returns null, false, a text or
 * the fault of something else. A refusal inside an expression is not a statement and is left alone.
 */
const beginnings = [
  /\breturn (?:refuse|malformed|new (?:Refusal|PemFault|BundleFault))\(/g,
  /(?<=^\s*|\) )fail\(/gm,
  /(?<=\) )return (?:null|false|'[^']*'|`[^`]*`|[a-z]\w*)(?=;)/g,
];

/** Every mutant of one source, in the order of the text. */
export function mutantsOf(file: string, text: string): readonly Mutant[] {
  const starts = beginnings.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match.index));
  return [...new Set(starts)]
    .sort((a, b) => a - b)
    .map((start) => {
      const end = statementEnd(text, start);
      return {
        file,
        line: text.slice(0, start).split('\n').length,
        statement: text.slice(start, end).replace(/\s+/g, ' '),
        mutated: `${text.slice(0, start)};${text.slice(end)}`,
      };
    });
}

/** The end of the statement that begins at `start`: behind its semicolon, outside of quotes and brackets. */
function statementEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === "'" || char === '`') at = closingQuote(text, at);
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ';' && depth === 0) return at + 1;
  }
  throw new Error(`a statement without an end at ${start}`);
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === text[open]) return at;
  }
  throw new Error(`a quote without an end at ${open}`);
}
