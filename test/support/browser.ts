import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';

/** One answer, as a browser got it. */
export interface Loaded {
  readonly url: string;
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface Loading {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const MAX_REDIRECTS = 12;

/**
 * What of a browser matters to a sign-in: cookies for each host, those of `__Host-` by their rules alone; redirects; and the
 * headers that tell a server which page asks.
 */
export class Browser {
  readonly #ca: string;
  /** By host name: ports share cookies. */
  readonly #jars = new Map<string, Map<string, string>>();
  /** URLs that were loaded, in order. */
  readonly visited: string[] = [];

  constructor(ca: string) {
    this.#ca = ca;
  }

  cookies(host: string): Map<string, string> {
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }

  /** Follows a link from `from`; null: it was typed. Stops before a URL that `until` takes. */
  async visit(url: string, from: string | null = null, until: (url: URL) => boolean = () => false): Promise<Loaded> {
    let loaded = await this.load(url, { headers: navigation(url, from) });
    let initiator = from;
    for (let count = 0; count < MAX_REDIRECTS; count++) {
      const location = loaded.headers.location;
      if (loaded.status < 300 || loaded.status > 399 || location === undefined) return loaded;
      const next = new URL(location, loaded.url);
      if (until(next)) return loaded;
      // A way through another site stays that of another site, whatever comes after.
      if (new URL(loaded.url).host !== next.host) initiator = loaded.url;
      loaded = await this.load(next.href, { headers: navigation(next.href, initiator) });
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects: ${this.visited.slice(-4).join(' ')}`);
  }

  /** One request with the cookies of its host, and no redirect. */
  async load(url: string, { method = 'GET', headers = {}, body }: Loading = {}): Promise<Loaded> {
    const { hostname, protocol } = new URL(url);
    this.visited.push(url);
    const jar = this.cookies(hostname);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const asking = (protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: false,
      ...(protocol === 'https:' ? { ca: this.#ca } : {}),
      headers: {
        ...(cookie === '' ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      asking.once('response', resolve);
      asking.once('error', reject);
    });
    asking.end(body);
    const message = await answer;
    for (const line of message.headers['set-cookie'] ?? []) keep(jar, line);
    return { url, status: message.statusCode ?? 0, headers: message.headers, text: await text(message) };
  }
}

/** A cookie that breaks the rules of its prefix is dropped, as browsers do (RFC 6265bis section 4.1.3). */
function keep(jar: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
  const lower = attributes.map((attribute) => attribute.toLowerCase());
  const isBound =
    lower.includes('secure') && lower.includes('path=/') && !lower.some((one) => one.startsWith('domain'));
  if (name.startsWith('__Host-') && !isBound) throw new Error(`a browser drops this cookie: ${line}`);
  const isOver = lower.includes('max-age=0') || lower.some((one) => one.startsWith('expires=thu, 01 jan 1970'));
  if (isOver || value === '') jar.delete(name);
  else jar.set(name, value);
}

function navigation(url: string, from: string | null): Record<string, string> {
  const site = from === null ? 'none' : new URL(from).host === new URL(url).host ? 'same-origin' : 'cross-site';
  return {
    accept: 'text/html,application/xhtml+xml',
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
  };
}
