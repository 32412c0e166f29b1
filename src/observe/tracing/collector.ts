import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Agent, IncomingMessage } from 'node:http';
import { Fault } from '../../base/fault.ts';
import { http, https } from '../../base/node-http.ts';
import { collectBounded } from '../../source/bounded.ts';
import { answeredText, isBusy } from '../../source/http-answer.ts';
import { meaningOf, readAuthorities } from '../../token/key-fetch.ts';
import { readHeaderFile } from './header-file.ts';

/** What became of one request. `again`: it may be sent again, after `afterMs` where the collector says so. */
export type Sent =
  | { readonly result: 'delivered'; readonly rejected: number; readonly detail: string | null }
  | { readonly result: 'again' | 'failed'; readonly detail: string; readonly afterMs: number | null };

export interface CollectorOptions {
  /** The whole URL, with the path `/v1/traces` or what stands in its place. */
  readonly url: URL;
  /** PEM file of the authorities that prove the collector; null: those of the machine. */
  readonly ca: string | null;
  /** PEM files that prove this client; null: it proves nothing. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
  /** A file with more headers; null: none. */
  readonly headersFile: string | null;
}

const TIMEOUT_MS = 10_000;
/** An answer says how many spans were rejected, and why. */
const MAX_ANSWER = 64 * 1024;
const MAX_DETAIL = 300;
/** Files of TLS are read again for a new connection, and no connection is used for longer than this. */
const MAX_CONNECTION_MS = 300_000;
const MAX_RETRY_AFTER_S = 60;

/** What lacks of the files that a collector is asked with, one line each. */
export async function collectorFaults({ ca, client, headersFile }: CollectorOptions): Promise<readonly string[]> {
  const read = [
    ca === null ? null : await readAuthorities(ca),
    client === null ? null : await readClient(client),
    headersFile === null ? null : await readHeaderFile(headersFile),
  ];
  return read.flatMap((each) => (each instanceof Fault ? [each.detail] : []));
}

/** A collector of traces that takes OTLP as JSON over HTTP, on one connection that is kept. */
export class Collector {
  readonly #options: CollectorOptions;
  #agent: { readonly agent: Agent; readonly madeAtMs: number } | null = null;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /**
   * Posts once, within 10 s, over TLS 1.2 or later where the URL has it. A redirect is not followed; of an answer no more than
   * 64 KiB is read. No detail holds the URL or a header. Never rejects.
   */
  async post(body: string, signal: AbortSignal): Promise<Sent> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const { headersFile } = this.#options;
      const more = headersFile === null ? {} : await readHeaderFile(headersFile);
      const agent = await this.#connected();
      const fault = [more, agent].find((each) => each instanceof Fault);
      if (fault !== undefined) return { result: 'again', detail: (fault as Fault).detail, afterMs: null };
      const headers = { 'content-type': 'application/json', 'user-agent': 'cedar-ext-authz', ...(more as object) };
      return await this.#ask(body, headers, agent as Agent, AbortSignal.any([signal, timeout]));
    } catch (error) {
      this.close();
      const detail = timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : meaningOf(error);
      return { result: 'again', detail, afterMs: null };
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#agent?.agent.destroy();
    this.#agent = null;
  }

  async #ask(body: string, headers: object, agent: Agent, signal: AbortSignal): Promise<Sent> {
    const { url } = this.#options;
    const { request } = url.protocol === 'http:' ? http : https;
    const length = { 'content-length': Buffer.byteLength(body) };
    const asking = request(url, { method: 'POST', headers: { ...headers, ...length }, agent, signal });
    // It may fail after its answer came.
    asking.on('error', () => {});
    asking.end(body);
    const [answer] = (await once(asking, 'response', { signal })) as [IncomingMessage];
    const status = answer.statusCode ?? 0;
    const text = await collectBounded('it', answer, MAX_ANSWER).catch((error: unknown) => new Fault(meaningOf(error)));
    if (text instanceof Fault) this.close();
    if (status >= 200 && status < 300) return delivered(text);
    const detail = answeredText(status);
    const seconds = Number(/^\d{1,9}$/.exec(answer.headers['retry-after'] ?? '')?.[0] ?? 0);
    const afterMs = Math.min(seconds, MAX_RETRY_AFTER_S) * 1000;
    // OTLP, "Retryable Response Codes": all other errors are final.
    return { result: isBusy(status) ? 'again' : 'failed', detail, afterMs };
  }

  async #connected(): Promise<Agent | Fault> {
    const { url, ca, client } = this.#options;
    if (this.#agent !== null && performance.now() - this.#agent.madeAtMs < MAX_CONNECTION_MS) return this.#agent.agent;
    this.close();
    const keeping = { keepAlive: true, maxSockets: 1 };
    let agent: Agent;
    if (url.protocol === 'http:') agent = new http.Agent(keeping);
    else {
      const authorities = ca === null ? null : await readAuthorities(ca);
      if (authorities instanceof Fault) return authorities;
      const own = client === null ? {} : await readClient(client);
      if (own instanceof Fault) return own;
      const trusted = authorities === null ? {} : { ca: authorities };
      agent = new https.Agent({ ...keeping, minVersion: 'TLSv1.2', ...trusted, ...own });
    }
    this.#agent = { agent, madeAtMs: performance.now() };
    return agent;
  }
}

async function readClient({ certificate, key }: NonNullable<CollectorOptions['client']>) {
  try {
    return { cert: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') };
  } catch (error) {
    return new Fault(`${(error as NodeJS.ErrnoException).path ?? certificate} cannot be read: ${meaningOf(error)}`);
  }
}

/** What an ExportTraceServiceResponse says; one that cannot be read says nothing. */
function delivered(bytes: Uint8Array | Fault): Sent {
  const all: Sent = { result: 'delivered', rejected: 0, detail: null };
  if (bytes instanceof Fault) return all;
  try {
    const { partialSuccess } = JSON.parse(Buffer.from(bytes).toString()) as { partialSuccess?: Rejection };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    if (!Number.isSafeInteger(rejected) || rejected <= 0) return all;
    const detail = `it rejected spans: ${String(partialSuccess?.errorMessage ?? '').slice(0, MAX_DETAIL)}`;
    return { ...all, rejected, detail };
  } catch {
    return all;
  }
}

interface Rejection {
  readonly rejectedSpans?: unknown;
  readonly errorMessage?: unknown;
}
