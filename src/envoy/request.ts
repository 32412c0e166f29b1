import { hash } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
import { FORWARDED_HEADER } from '../http/credentials.ts';
import { guardHeaders } from '../http/guard.ts';
import { canonicalAddress, canonicalHost } from '../http/host.ts';
import type { CheckInput, Connection, Forwarded, Headers, Peer } from '../http/input.ts';
import { methodFault, type ReadRequestLine, readRequestLine } from '../http/request-line.ts';
import { type HopOptions, parseXfcc, selectHop } from '../http/xfcc.ts';
import type { HttpRequestMessage, PeerMessage, ReceivedCheck } from './api.ts';
import { readHeaders } from './headers.ts';

export interface RequestOptions {
  /** Read a run of slashes in the path as one; only right behind an Envoy with `merge_slashes`. */
  readonly mergeSlashes: boolean;
  /** The most that names and values of all headers may hold together, in bytes. */
  readonly headerBytes: number;
  /** The most that the request target may hold, path and query together, in bytes. */
  readonly targetBytes: number;
  /** Lower-case names of the headers that decide something: task headers and those that policies read. */
  readonly singleHeaders: readonly string[];
  readonly forwarded: HopOptions & { readonly maxBytes?: number };
}

/** Who asks: the client of the check port under mutual TLS, else null. */
export type RequestMeta = Pick<Connection, 'checkPeer'>;

const GRPC = /^application\/grpc(?:[+;, \t]|$)/i;

/**
 * Reads one CheckRequest in the only way that it can be read, or refuses it with a `request_*` reason. Nothing is believed
 * or looked up here; only Envoy's contract (envoy.service.auth.v3.AttributeContext) and HTTP (RFC 9110, RFC 9112) are
 * applied. Never throws; time is linear in the size of the message.
 */
export function readRequest(message: ReceivedCheck, meta: RequestMeta, options: RequestOptions): CheckInput | Refusal {
  if (message.request === null) return new Refusal('request_malformed', `not a CheckRequest: ${message.fault}`);
  const attributes = message.request.attributes;
  const http = attributes?.request?.http ?? null;
  if (attributes === null || http === null) return new Refusal('request_without_http', 'the check has no HTTP part');
  const unnamed = methodFault(http.method);
  if (unnamed !== null) return unnamed;
  // All servers read the target, policies read it once for each hop, and the audit holds it.
  if (Buffer.byteLength(http.path) > options.targetBytes)
    return new Refusal('request_too_large', `the target holds more than ${options.targetBytes} bytes`);
  const headers = readHeaders(http, options.headerBytes);
  if (headers instanceof Refusal) return headers;
  const guarded = guardHeaders(headers, options.singleHeaders, http.header_map === null);
  if (guarded !== null) return guarded;
  const place = readPlace(http, headers, options.mergeSlashes);
  if (place instanceof Refusal) return place;
  return {
    ...place,
    id: http.id,
    method: http.method,
    upgrade: headers.all('upgrade').length > 0 || headers.all(':protocol').length > 0,
    grpc: headers.all('content-type').some((type) => GRPC.test(type)),
    headers,
    body: http.body === '' ? http.raw_body : null,
    connection: new ReceivedConnection(
      message.bytes,
      meta.checkPeer,
      readPeer(attributes.source),
      readForwarded(headers, options.forwarded),
      attributes.destination?.principal ?? '',
      extensionsOf(attributes.context_extensions),
    ),
  };
}

/**
 * The connection as a message says. Its digest is asked for only where something is used up; a getter in an object literal
 * would make a hidden class of its own for each check, which keeps the message until the whole heap is swept.
 */
class ReceivedConnection implements Connection {
  readonly checkPeer: Connection['checkPeer'];
  readonly source: Peer;
  readonly forwarded: Forwarded | Refusal;
  readonly destinationPrincipal: string;
  readonly extensions: ReadonlyMap<string, string>;
  readonly #message: Uint8Array;

  constructor(
    message: Uint8Array,
    checkPeer: Connection['checkPeer'],
    source: Peer,
    forwarded: Forwarded | Refusal,
    destinationPrincipal: string,
    extensions: ReadonlyMap<string, string>,
  ) {
    this.#message = message;
    this.checkPeer = checkPeer;
    this.source = source;
    this.forwarded = forwarded;
    this.destinationPrincipal = destinationPrincipal;
    this.extensions = extensions;
  }

  get digest(): string {
    return hash('sha256', this.#message, 'hex');
  }
}

const NO_EXTENSIONS: ReadonlyMap<string, string> = new Map();

function extensionsOf(extensions: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const entries = Object.entries(extensions);
  return entries.length === 0 ? NO_EXTENSIONS : new Map(entries);
}

type Place = ReadRequestLine & { readonly scheme: string };

/** Where the request goes. Envoy says it twice, in fields and in pseudo-headers; saying it differently is refused. */
function readPlace(http: HttpRequestMessage, headers: Headers, mergeSlashes: boolean): Place | Refusal {
  const twice = [
    [':method', http.method],
    [':path', http.path],
    [':authority', http.host],
    [':scheme', http.scheme],
  ] as const;
  const disagreeing = twice.find(([name, field]) => headers.all(name).some((value) => value !== field));
  if (disagreeing !== undefined) return ambiguous(`${disagreeing[0]} is not what the request's own field says`);
  if (!['', 'http', 'https'].includes(http.scheme)) return new Refusal('request_scheme_unknown', 'no HTTP scheme');
  const { method, scheme, host: authority, path: target } = http;
  const options = { mergeSlashes, bangIsReplacement: http.header_map === null };
  const place = readRequestLine({ method, scheme, authority, target }, options);
  if (place instanceof Refusal) return place;
  if (http.fragment !== '' || (http.query !== '' && http.query !== place.query)) {
    return ambiguous('query or fragment are not what the path says');
  }
  if (headers.all('host').some((other) => canonicalHost(other, scheme) !== place.host)) {
    return ambiguous('the host header is not the authority');
  }
  return { ...place, scheme };
}

function readPeer(peer: PeerMessage | null): Peer {
  return {
    address: canonicalAddress(peer?.address?.socket_address?.address ?? ''),
    principal: peer?.principal ?? '',
    certificate: peer?.certificate ?? '',
  };
}

function readForwarded(headers: Headers, options: RequestOptions['forwarded']): Forwarded | Refusal {
  const elements = parseXfcc(headers.all(FORWARDED_HEADER), options.maxBytes);
  return elements instanceof Refusal ? elements : selectHop(elements, options);
}

function ambiguous(detail: string): Refusal {
  return new Refusal('request_target_ambiguous', detail);
}
