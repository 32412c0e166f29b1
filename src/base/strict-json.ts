import { attempt } from './attempt.ts';
import { Fault, fail, reading } from './fault.ts';

/** A value of RFC 8259 JSON. `N` is how numbers are held. Objects have no prototype, and nothing in them is inherited. */
export type JsonValue<N = number> = null | boolean | string | N | readonly JsonValue<N>[] | JsonObject<N>;

/** A JSON object: frozen, without a prototype (so a member `__proto__` or `toString` is a member like any other). */
export interface JsonObject<N = number> {
  readonly [name: string]: JsonValue<N>;
}

/** Numbers read exactly: what a double cannot hold as an integer is a bigint. */
export type ExactNumber = number | bigint;

export interface StrictJsonOptions {
  /** How deep arrays and objects may nest; a scalar has depth 0. Default 32. */
  readonly maxDepth?: number;
}

/** BigInt() takes more than linear time, and nothing that we read has longer integers (64 bits are 20 digits). */
const MAX_INTEGER_CHARS = 40;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /^-?[0-9]+$/;
/** The characters of a string up to the next quote, backslash or control character. */
const PLAIN = /[^"\\\u0000-\u001f]*/y;

/**
 * The value of a JSON text by the full grammar of RFC 8259, and by I-JSON (RFC 7493) wherever RFC 8259 leaves two
 * readings: a member that is repeated in one object (compared after unescaping), a lone surrogate, and a number that no
 * double holds are faults. An integer literal beyond 2^53-1 is a fault; see `parseExactJson`. Whatever nests deeper than
 * `maxDepth` is a fault. Objects and arrays are frozen. Never throws; time is linear in the text.
 */
export function parseStrictJson(text: string, options: StrictJsonOptions = {}): JsonValue | Fault {
  return parse(text, options, false) as JsonValue | Fault;
}

/**
 * As `parseStrictJson`, but an integer literal beyond 2^53-1 is read exactly, as a bigint: a SPIFFE bundle's sequence
 * number has at least 64 bits (SPIFFE Trust Domain and Bundle, section 4.1.1).
 */
export function parseExactJson(text: string, options: StrictJsonOptions = {}): JsonValue<ExactNumber> | Fault {
  return parse(text, options, true);
}

/** The text that UTF-8 bytes stand for, or a fault: no replacement characters, and a byte order mark is not skipped. */
export const decodeUtf8 = (bytes: Uint8Array): string | Fault =>
  attempt(() => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) ??
  new Fault('not valid UTF-8');

/** `parseStrictJson` of UTF-8 bytes; invalid UTF-8 and a byte order mark are faults (RFC 8259 section 8.1). */
export function parseStrictJsonBytes(bytes: Uint8Array, options: StrictJsonOptions = {}): JsonValue | Fault {
  const text = decodeUtf8(bytes);
  return text instanceof Fault ? text : parseStrictJson(text, options);
}

/** Whether a parsed value is an object; neither an array nor null is one. */
export function isJsonObject<N extends ExactNumber>(value: JsonValue<N> | undefined): value is JsonObject<N> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string, { maxDepth = 32 }: StrictJsonOptions, exact: boolean): JsonValue<ExactNumber> | Fault {
  if (!text.isWellFormed()) return new Fault('a lone surrogate in the text');
  const parser = new Parser(text, maxDepth, exact);
  return reading(
    () => parser.document(),
    (what) => new Fault(`${what} at ${position(text, parser.at)}`),
  );
}

function position(text: string, at: number): string {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  return `line ${line}, column ${at - before.lastIndexOf('\n')}`;
}

/** Recursive descent, as deep as `maxDepth` at most. `at` is the next character to read. */
class Parser {
  readonly #text: string;
  readonly #maxDepth: number;
  /** Integers that no double holds are read, as bigints. */
  readonly #exact: boolean;
  at = 0;

  constructor(text: string, maxDepth: number, exact: boolean) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#exact = exact;
  }

  document(): JsonValue<ExactNumber> {
    const value = this.#value(0);
    this.#space();
    if (this.at !== this.#text.length) fail('something after the value');
    return value;
  }

  #value(depth: number): JsonValue<ExactNumber> {
    this.#space();
    switch (this.#text[this.at]) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject<ExactNumber> {
    this.#enter(depth);
    const object: Record<string, JsonValue<ExactNumber>> = Object.create(null);
    if (this.#skip('}')) return Object.freeze(object);
    do {
      this.#space();
      const start = this.at;
      if (this.#text[this.at] !== '"') fail('a member name is missing');
      const name = this.#string();
      if (Object.hasOwn(object, name)) {
        this.at = start;
        fail(`the member ${JSON.stringify(name.slice(0, 64))} is repeated`);
      }
      if (!this.#skip(':')) fail('a colon is missing');
      object[name] = this.#value(depth);
    } while (this.#skip(','));
    if (!this.#skip('}')) fail('an object does not end here');
    return Object.freeze(object);
  }

  #array(depth: number): readonly JsonValue<ExactNumber>[] {
    this.#enter(depth);
    const items: JsonValue<ExactNumber>[] = [];
    if (this.#skip(']')) return Object.freeze(items);
    do items.push(this.#value(depth));
    while (this.#skip(','));
    if (!this.#skip(']')) fail('an array does not end here');
    return Object.freeze(items);
  }

  #enter(depth: number): void {
    if (depth > this.#maxDepth) fail(`nested deeper than ${this.#maxDepth}`);
    this.at++;
  }

  #string(): string {
    const start = this.at++;
    let escaped = false;
    for (;;) {
      PLAIN.lastIndex = this.at;
      PLAIN.test(this.#text);
      this.at = PLAIN.lastIndex;
      const end = this.#text[this.at];
      if (end === undefined) fail('a string does not end');
      if (end === '"') break;
      if (end !== '\\') fail('a control character in a string');
      escaped = true;
      this.at = Math.min(this.at + 2, this.#text.length);
    }
    this.at++;
    return escaped ? this.#unescape(start) : this.#text.slice(start + 1, this.at - 1);
  }

  #unescape(start: number): string {
    const end = this.at;
    const value = attempt((): string => JSON.parse(this.#text.slice(start, end)));
    this.at = start;
    if (value === null) fail('a bad escape in the string');
    if (!value.isWellFormed()) fail('a lone surrogate in the string');
    this.at = end;
    return value;
  }

  #number(): ExactNumber {
    NUMBER.lastIndex = this.at;
    if (!NUMBER.test(this.#text)) fail(this.at === this.#text.length ? 'the text ends early' : 'not a JSON value');
    const end = NUMBER.lastIndex;
    const literal = this.#text.slice(this.at, end);
    const value = Number(literal);
    if (!Number.isFinite(value)) fail('a number that no double holds');
    const big = !Number.isSafeInteger(value) && INTEGER.test(literal);
    if (big && literal.length > MAX_INTEGER_CHARS) fail(`an integer of more than ${MAX_INTEGER_CHARS} digits`);
    if (big && !this.#exact) fail('an integer beyond 2^53-1');
    this.at = end;
    return big ? BigInt(literal) : value;
  }

  #literal<T extends boolean | null>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.at)) fail('not a JSON value');
    this.at += word.length;
    return value;
  }

  #skip(char: string): boolean {
    this.#space();
    if (this.#text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }
}
