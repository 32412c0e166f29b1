import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { Fault, messageOf } from '../../base/fault.ts';
import { within } from '../../base/within.ts';
import { type Endpoint, type StoreTls, type StoreUser, textOf } from './options.ts';
import type { Script } from './scripts.ts';

/** Calls that wait for an answer, late ones included: beyond that nothing more is asked. */
export const MAX_WAITING = 1000;

/** The longest answer that is read: more than two hundred revocations of the longest, each with its lift. */
const MAX_REPLY_BYTES = 32 * 2 ** 20;
/** Of what a server says went wrong. */
const MAX_ERROR = 512;

const LATE = new Fault('late');

/** What a server that cannot be used any more begins its errors with: another one may be the primary by now. */
const UNUSABLE = /^(?:READONLY|LOADING|MASTERDOWN|NOAUTH|CLUSTERDOWN|MOVED)\b/;

/** What the server answered, as this program reads it: texts, whole numbers, lists of them, or nothing. */
export type Reply = string | number | null | readonly Reply[];

/** What a link is opened with. */
export interface LinkOptions {
  readonly endpoint: Endpoint;
  readonly database: number;
  readonly tls: StoreTls | null;
  readonly user: StoreUser | null;
  /** How long everything that opening takes may last, in milliseconds. */
  readonly timeoutMs: number;
}

/** What is used of the client of the package. */
interface Client {
  readonly on: (event: 'error' | 'terminated', listener: (error: unknown) => void) => unknown;
  readonly connect: () => Promise<unknown>;
  readonly destroy: () => void;
  readonly sendCommand: (args: readonly string[]) => Promise<unknown>;
}

/**
 * One connection to one server, which is never repaired: when it is lost, another link is opened. Every call has a deadline
 * of its own, also where the server takes what is sent and never answers; an answer that comes later is ignored. A server
 * that sends more than 32 MiB without ending an answer is left.
 */
export class Link {
  readonly #client: Client;
  readonly #onLost: () => void;
  readonly endpoint: Endpoint;
  #waiting = 0;
  /** Bytes that came since an answer was whole. */
  #received = 0;
  #lost: string | null = null;

  private constructor(client: Client, endpoint: Endpoint, onLost: () => void) {
    this.#client = client;
    this.#onLost = onLost;
    this.endpoint = endpoint;
    client.on('error', (error) => this.#end(reasonOf(error)));
    client.on('terminated', (error) => this.#end(reasonOf(error)));
  }

  /** Connects, by TLS where that is asked for, and logs in. `onLost` is called once, when it is lost. Never rejects. */
  static async open(options: LinkOptions, onLost: () => void = () => {}): Promise<Link | Fault> {
    const { endpoint, timeoutMs } = options;
    const fault = (detail: string) => new Fault(`${textOf(endpoint)}: ${detail}`);
    try {
      const link = new Link(await clientFor(options), endpoint, onLost);
      const connecting = link.#connect().then(
        () => null,
        (error: unknown) => link.lost ?? reasonOf(error),
      );
      const failed = await within(connecting, timeoutMs, () => `no connection within ${timeoutMs} ms`);
      if (failed === null) return link;
      link.close(failed);
      return fault(failed);
    } catch (error) {
      return fault(messageOf(error));
    }
  }

  /** Why it was lost; null while it is not. */
  get lost(): string | null {
    return this.#lost;
  }

  /** Calls that wait for an answer, late ones included. */
  get waiting(): number {
    return this.#waiting;
  }

  /** One command. Whatever is no answer in time is a Fault: an error of the server, a lost connection. Never rejects. */
  async call(args: readonly string[], timeoutMs: number): Promise<Reply | Fault> {
    if (this.#waiting >= MAX_WAITING) return new Fault(`more than ${MAX_WAITING} calls wait for the store`);
    this.#waiting++;
    const answered = this.#client
      .sendCommand(args)
      .then(
        (reply) => reply as Reply,
        (error: unknown) => this.#failed(this.#lost ?? reasonOf(error)),
      )
      .finally(() => {
        this.#waiting--;
        this.#received = 0;
      });
    const reply = await within(answered, timeoutMs, () => LATE);
    // What came while this thread was busy is read before the deadline counts.
    return reply === LATE
      ? Promise.race([answered, afterReading(new Fault(`no answer within ${timeoutMs} ms`))])
      : reply;
  }

  /** Runs a script that the server may have forgotten: then it is loaded, and run once more. Never rejects. */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    timeoutMs: number,
  ): Promise<Reply | Fault> {
    const command = ['EVALSHA', script.sha, String(keys.length), ...keys, ...args];
    const reply = await this.call(command, timeoutMs);
    if (!(reply instanceof Fault && reply.detail.startsWith('NOSCRIPT'))) return reply;
    const loaded = await this.call(['SCRIPT', 'LOAD', script.text], timeoutMs);
    return loaded instanceof Fault ? loaded : this.call(command, timeoutMs);
  }

  /** Ends it; whatever waits for an answer gets a Fault. */
  close(why = 'closed'): void {
    this.#end(why);
  }

  /** The client shows its socket to nobody: what comes through it is counted from its beginning. */
  async #connect(): Promise<unknown> {
    let isCounted = false;
    const count = (message: unknown): void => {
      isCounted = true;
      (message as { readonly socket: Socket }).socket.on('data', (bytes) => {
        this.#received += bytes.length;
        if (this.#received > MAX_REPLY_BYTES) this.#end(`an answer is longer than ${MAX_REPLY_BYTES} bytes`);
      });
    };
    subscribe(SOCKETS, count);
    const connecting = this.#client.connect();
    unsubscribe(SOCKETS, count);
    if (!isCounted) this.#end('what comes from the server cannot be counted');
    return connecting;
  }

  #failed(detail: string): Fault {
    if (UNUSABLE.test(detail)) this.#end(detail);
    return new Fault(detail);
  }

  #end(why: string): void {
    if (this.#lost !== null) return;
    this.#lost = why;
    this.#client.destroy();
    this.#onLost();
  }
}

/** Where Node tells of each connection that begins, before the call that begins it returns. */
const SOCKETS = 'net.client.socket';

/** The value, once the event loop has read what the sockets hold (Node's loop: timers, poll, check). */
const afterReading = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));

/** A connection that is tried on several addresses fails with several errors, and no message of its own. */
function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? 'the connection failed';
  return (messageOf(error) || code).slice(0, MAX_ERROR);
}

/** A client of the package that neither queues nor connects again. It is loaded only where there is a store. */
async function clientFor({ endpoint, database, tls, user, timeoutMs }: LinkOptions): Promise<Client> {
  const { createClient } = await import('@redis/client');
  const common = { connectTimeout: timeoutMs, reconnectStrategy: false } as const;
  const socket =
    endpoint.kind === 'unix'
      ? { ...common, tls: false as const, path: endpoint.path }
      : {
          ...common,
          host: endpoint.host,
          port: endpoint.port,
          ...(tls !== null && (await tlsOptions(tls))),
        };
  return createClient({
    RESP: 2,
    disableClientInfo: true,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    database,
    socket,
    ...(user !== null && { username: user.username, password: await passwordOf(user) }),
  }) as unknown as Client;
}

async function tlsOptions({ ca, client, serverName }: StoreTls) {
  return {
    tls: true as const,
    ...(serverName !== null && { servername: serverName }),
    minVersion: 'TLSv1.2' as const,
    rejectUnauthorized: true,
    ...(ca !== null && { ca: await readFile(ca, 'utf8') }),
    ...(client !== null && {
      cert: await readFile(client.certificate, 'utf8'),
      key: await readFile(client.key, 'utf8'),
    }),
  };
}

async function passwordOf({ passwordFile }: StoreUser): Promise<string> {
  const [first = ''] = (await readFile(passwordFile, 'utf8')).split(/\r?\n/, 1);
  if (first === '') throw new Error(`${passwordFile} has no password in its first line`);
  return first;
}
