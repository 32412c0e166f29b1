import { fail, reading } from '../../base/fault.ts';
import type { AuthorizationCall, CedarValue, Entity, EntityUid } from '../../policy/decide/call.ts';

/**
 * The request that the symbolic compiler prints where a property does not hold, as a call; null for any text that is not
 * read to its end as one.
 */
export function readCounterexample(text: string): AuthorizationCall | null {
  return reading(
    () => new Reader(text).call(),
    () => null,
  );
}

/** An extension value in Cedar's JSON form, of one argument or of several. */
interface Extension {
  readonly __extn:
    | { readonly fn: string; readonly arg: CedarValue }
    | { readonly fn: string; readonly args: CedarValue[] };
}

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+)|([A-Za-z_]\w*)|(::|[[\]{}(),:.]))/y;
/** Rust's `escape_debug`. */
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  '"': '"',
  "'": "'",
};
const ESCAPE = /\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))/gs;

class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  call(): AuthorizationCall {
    this.#expect('principal', ':');
    const principal = this.#entity();
    this.#expect(',', 'action', ':');
    const action = this.#entity();
    this.#expect(',', 'resource', ':');
    const resource = this.#entity();
    const context = this.#takes('context') ? this.#after(':', () => this.#value()) : {};
    if (typeof context !== 'object' || Array.isArray(context)) return fail('the context is no record');
    const entities: Entity[] = [];
    if (this.#takes('entities')) {
      this.#expect(':', '[');
      while (!this.#takes(']')) entities.push(this.#described());
    }
    if (this.#at < this.#tokens.length) return fail('more follows');
    return { principal, action, resource, context: context as AuthorizationCall['context'], entities };
  }

  /** One line of the entities: its name, what it is in, its attributes and its tags. */
  #described(): Entity {
    const uid = this.#entity();
    const parents = this.#takes('in') ? this.#after('[', () => this.#until(']', () => this.#entity())) : [];
    const attrs = this.#takes('{') ? this.#record() : {};
    const tags = this.#takes('tags') ? this.#after('{', () => this.#record()) : undefined;
    this.#takes(',');
    return { uid, parents, attrs, ...(tags === undefined ? {} : { tags }) };
  }

  #value(): CedarValue {
    const token = this.#next();
    if (token === '[') return this.#until(']', () => this.#value());
    if (token === '{') return this.#record();
    if (token.startsWith('"')) return unescaped(token);
    if (/^-?\d/.test(token)) return Number.isSafeInteger(Number(token)) ? Number(token) : fail('beyond what is exact');
    if (token === 'true' || token === 'false') return token === 'true';
    if (this.#takes('('))
      return this.#methods(
        token,
        this.#until(')', () => this.#value()),
      );
    this.#at--;
    return { __entity: this.#entity() };
  }

  /** What a constructor makes, with the methods behind it. */
  #methods(fn: string, args: CedarValue[]): CedarValue {
    let made = extension(fn, args);
    while (this.#takes('.')) {
      const method = this.#next();
      this.#expect('(');
      made = extension(method, [made, ...this.#until(')', () => this.#value())]);
    }
    return made;
  }

  #record(): { readonly [name: string]: CedarValue } {
    const members = this.#until('}', () => {
      const name = this.#next();
      this.#expect(':');
      return [name.startsWith('"') ? unescaped(name) : name, this.#value()] as const;
    });
    return Object.fromEntries(members);
  }

  #entity(): EntityUid {
    const path = [this.#next()];
    while (this.#takes('::')) {
      const part = this.#next();
      if (part.startsWith('"')) return { type: path.join('::'), id: unescaped(part) };
      path.push(part);
    }
    return fail('no entity');
  }

  #until<T>(end: string, each: () => T): T[] {
    const found: T[] = [];
    while (!this.#takes(end)) {
      found.push(each());
      if (!this.#takes(',') && this.#tokens[this.#at] !== end) fail(`neither , nor ${end}`);
    }
    return found;
  }

  #after<T>(token: string, read: () => T): T {
    this.#expect(token);
    return read();
  }

  #expect(...tokens: readonly string[]): void {
    for (const token of tokens) if (!this.#takes(token)) fail(`no ${token}`);
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    return this.#tokens[this.#at++] ?? fail('it ends early');
  }
}

function tokensOf(text: string): readonly string[] {
  const tokens: string[] = [];
  const rest = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < rest.length) {
    const token = TOKEN.exec(rest)?.[0].trimStart();
    tokens.push(token ?? fail('a character that stands in no request'));
  }
  return tokens;
}

const unescaped = (quoted: string): string =>
  quoted.slice(1, -1).replace(ESCAPE, (_, code: string | undefined, plain: string) => {
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
    return ESCAPES[plain] ?? fail('no escape');
  });

function extension(fn: string, args: CedarValue[]): CedarValue {
  const [only, ...more] = args;
  const value: Extension = { __extn: only !== undefined && more.length === 0 ? { fn, arg: only } : { fn, args } };
  return value as unknown as CedarValue;
}
