import type { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import type { RequestTarget } from './path.ts';

/**
 * The headers of one request. Names are lower case; the values of a name stand in the order received. A pseudo-header
 * (`:path`) is a header like any other. Built by envoy/request.ts from `headers` or from `header_map`.
 */
export interface Headers {
  /** All values of a header, empty when it is absent. */
  all(name: string): readonly string[];
  readonly names: readonly string[];
  /**
   * Names of which some value was not clean text: invalid UTF-8, control characters, or, where Envoy sends `headers`, a
   * `!`, since Envoy writes that for bytes that it cannot send there.
   */
  readonly unclean: ReadonlySet<string>;
}

/** The connection between the caller and this Envoy, as Envoy describes it. Nothing here is verified. */
export interface Peer {
  /** The IP address of the TCP peer in its canonical text, IPv4 unmapped from `::ffff:`; null when it is no IP address. */
  readonly address: string | null;
  /** Envoy's `source.principal`: compared with the certificate, never believed alone. Empty when absent. */
  readonly principal: string;
  /** Envoy's `source.certificate`: URL-encoded PEM of the leaf, exactly as received. Empty when absent. */
  readonly certificate: string;
}

/** One element of x-forwarded-client-cert: what one proxy said about the client in front of it. Nothing here is verified. */
export interface XfccElement {
  /** URI SANs of the certificate of the proxy that wrote the element. */
  readonly by: readonly string[];
  /** SHA-256 of the client's certificate in hex, as written; null when absent. */
  readonly hash: string | null;
  /** URL-encoded PEM of the client's leaf, as written; null when absent or empty. */
  readonly cert: string | null;
  /** URL-encoded PEM of the client's chain with the leaf, as written; null when absent or empty. */
  readonly chain: string | null;
  readonly subject: string | null;
  /** Null when absent or empty: an empty URI is no identity. */
  readonly uri: string | null;
  readonly dns: readonly string[];
}

/** The element of XFCC at the configured hop, and those that later proxies put right of it. */
export interface Forwarded {
  /** Null when there are fewer elements than the hop needs. */
  readonly element: XfccElement | null;
  /** Left to right as received: the last was written by this Envoy, where this Envoy writes any. */
  readonly nearer: readonly XfccElement[];
}

/**
 * One HTTP request, whoever asks about it: plain, readonly, read in one way only. Whatever could be read in two ways was
 * refused before this exists. Nothing here is a proof of anything.
 */
export interface HttpRequest extends RequestTarget {
  /** Behind Envoy `request.http.id`, minted by Envoy; the same over Envoy's retry of one Check. */
  readonly id: string;
  /** Method as received; lower-case letters were refused. */
  readonly method: string;
  /** `http` or `https`; empty when Envoy did not say. */
  readonly scheme: string;
  /** Canonical: lower case, no trailing dot, default port of the scheme dropped. The caller wrote it. */
  readonly host: string;
  /** The request asks for an upgrade (WebSocket, extended CONNECT): it opens a tunnel. */
  readonly upgrade: boolean;
  /** The request is a gRPC call (content-type application/grpc). */
  readonly grpc: boolean;
  readonly headers: Headers;
  /** What the door saw of the body, as bytes; empty where it saw none, null where it has a text that may lack some of them. */
  readonly body: Uint8Array | null;
}

/** The client of the check port under mutual TLS, and what it may ask about. */
export interface CheckPeer {
  /** The SPIFFE ID that it proved. */
  readonly id: SpiffeId;
  /** base64url SHA-256 of the certificate that it proved it with. */
  readonly thumbprint: string;
  /** Start of the certificate's life, in seconds since the epoch. */
  readonly notBefore: number;
  /** Hosts that it may ask about. */
  readonly hosts: ReadonlySet<string>;
  /** It may ask about the hosts whose `servedBy` in the inventory holds it, too. */
  readonly servedHosts: boolean;
}

/** How the request reached the Envoy that asks, and how the question reached the check port. Nothing here is verified but `checkPeer`. */
export interface Connection {
  /** Who called the check port: null without mutual TLS, where whoever reaches it may ask about every host. */
  readonly checkPeer: CheckPeer | null;
  /** SHA-256 (hex) of the whole CheckRequest as received, which holds nothing but `attributes`. */
  readonly digest: string;
  readonly source: Peer;
  /**
   * XFCC at the configured hop. Believed only behind a trusted proxy, and so a header that cannot be read refuses only
   * where it would be believed: the refusal stands here.
   */
  readonly forwarded: Forwarded | Refusal;
  /** `destination.principal`: this Envoy's own identity, as Envoy says it. Empty when absent. */
  readonly destinationPrincipal: string;
  /** `context_extensions` of the route: trusted Envoy configuration. */
  readonly extensions: ReadonlyMap<string, string>;
}

/** What one check is about. */
export interface CheckInput extends HttpRequest {
  readonly connection: Connection;
}

/** A request that could not be read, as it stands in the message: for the audit record alone. */
export interface RawRequestSummary {
  readonly id: string | null;
  /** The IP address of the TCP peer in its canonical text. */
  readonly from: string | null;
  readonly method: string | null;
  readonly host: string | null;
  /** Without the query, and not decoded. */
  readonly path: string | null;
}
