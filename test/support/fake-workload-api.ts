import { rm } from 'node:fs/promises';
import { Server, ServerCredentials, type ServerWritableStream, status, type UntypedHandleCall } from '@grpc/grpc-js';
import { workloadApi } from '../../src/trust/workload-api-messages.ts';
import type { Issued, JwtKey, TestCa } from './ca.ts';

export type StreamName = 'FetchX509SVID' | 'FetchX509Bundles' | 'FetchJWTBundles';
const names: readonly StreamName[] = ['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTBundles'];

type Call = ServerWritableStream<object, object>;

/** What a stream answers: a message at once and each later one, or a status that ends it. */
type Script = { readonly message: object } | { readonly code: status; readonly details: string } | 'silent';

/**
 * A scripted Workload API: a real gRPC server on a Unix socket. What each stream says can be changed at any time, open
 * streams hear it, and the server can be taken away and brought back on the same socket.
 */
export class FakeWorkloadApi {
  readonly socket: string;
  readonly #scripts = new Map<StreamName, Script>(names.map((name) => [name, 'silent']));
  readonly #open = new Map<StreamName, Set<Call>>(names.map((name) => [name, new Set<Call>()]));
  readonly #opened = new Map<StreamName, number>(names.map((name) => [name, 0]));
  /** Called whenever a stream was opened. */
  onOpened: (name: StreamName) => void = () => {};
  #server: Server | null = null;

  constructor(socket: string) {
    this.socket = socket;
  }

  async start(): Promise<void> {
    await rm(this.socket, { force: true });
    const server = new Server();
    server.addService(workloadApi, Object.fromEntries(names.map((name) => [name, this.#handler(name)])));
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      );
    });
    this.#server = server;
  }

  /** Cuts every connection and removes the socket. */
  async stop(): Promise<void> {
    this.#server?.forceShutdown();
    this.#server = null;
    for (const calls of this.#open.values()) calls.clear();
    await rm(this.socket, { force: true });
  }

  /** From now on the stream says this, to those who listen and to those who come. */
  say(name: StreamName, message: object): void {
    this.#scripts.set(name, { message });
    for (const call of this.#open.get(name)!) call.write(message);
  }

  /** From now on the stream ends with this status, for those who listen and for those who come. */
  refuse(name: StreamName, code: status, details = 'scripted'): void {
    this.#scripts.set(name, { code, details });
    for (const call of this.#open.get(name)!) fail(call, code, details);
    this.#open.get(name)!.clear();
  }

  /** From now on those who come hear nothing; those who listen hear nothing more. */
  silence(name: StreamName): void {
    this.#scripts.set(name, 'silent');
  }

  /** Ends the open streams in good order. */
  end(name: StreamName): void {
    for (const call of this.#open.get(name)!) call.end();
    this.#open.get(name)!.clear();
  }

  /** How many streams were opened so far. */
  opened(name: StreamName): number {
    return this.#opened.get(name)!;
  }

  /** How many streams are open now. */
  open(name: StreamName): number {
    return this.#open.get(name)!.size;
  }

  #handler(name: StreamName): UntypedHandleCall {
    return (call: Call) => {
      this.#opened.set(name, this.opened(name) + 1);
      this.onOpened(name);
      call.on('error', () => {});
      if (call.metadata.get('workload.spiffe.io')[0] !== 'true') {
        fail(call, status.INVALID_ARGUMENT, 'security header missing from request');
        return;
      }
      const script = this.#scripts.get(name)!;
      if (script !== 'silent' && 'code' in script) return fail(call, script.code, script.details);
      this.#open.get(name)!.add(call);
      call.on('cancelled', () => this.#open.get(name)!.delete(call));
      if (script !== 'silent') call.write(script.message);
    };
  }
}

function fail(call: Call, code: status, details: string): void {
  call.emit('error', { code, details });
}

const idOf = (trustDomain: string) => `spiffe://${trustDomain}`;

/** X509BundlesResponse: each trust domain with its roots. */
export function x509Bundles(domains: Readonly<Record<string, readonly TestCa[]>>): object {
  const entries = Object.entries(domains).map(([name, roots]) => [
    idOf(name),
    Buffer.concat(roots.map(({ certificate }) => certificate.der)),
  ]);
  return { bundles: Object.fromEntries(entries) };
}

/** JWTBundlesResponse: each trust domain with its keys, which state no `use`. */
export function jwtBundles(domains: Readonly<Record<string, readonly JwtKey[]>>): object {
  const entries = Object.entries(domains).map(([name, keys]) => {
    const jwks = keys.map(({ kid, publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid }));
    return [idOf(name), Buffer.from(JSON.stringify({ keys: jwks }))];
  });
  return { bundles: Object.fromEntries(entries) };
}

/** One entry of X509SVIDResponse. */
export function x509Svid(id: string, svid: Issued, chain: readonly Issued[] = []) {
  return {
    spiffe_id: id,
    x509_svid: Buffer.concat([svid, ...chain].map(({ der }) => der)),
    x509_svid_key: svid.keys.privateKey.export({ type: 'pkcs8', format: 'der' }),
    bundle: Buffer.from([0x30, 0x00]),
    hint: '',
  };
}
