/**
 * The headers of one request. Names are lower case; the values of a name stand in the order received. A pseudo-header
 * (`:path`) is a header like any other. Built by envoy/request.ts from `headers` or from `header_map`.
 */
export interface Headers {
  /** All values of a header, empty when it is absent. */
  all(name: string): readonly string[];
  readonly names: readonly string[];
  /** Names of which some value was not clean text (invalid UTF-8, control characters, or Envoy's replacement `!`). */
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

/**
 * One request as Envoy described it: plain, readonly, read in one way only. Whatever could be read in two ways was
 * refused before this exists. Nothing here is a proof of anything.
 */
export interface CheckInput {
  /** `request.http.id`, minted by Envoy; the same over Envoy's retry of one Check. */
  readonly id: string;
  /** SHA-256 (hex) of the whole `attributes` message as received. */
  readonly digest: string;
  /** Who called the check port: a SPIFFE ID under mutual TLS, else null. */
  readonly checkPeer: string | null;
  readonly source: Peer;
  /** `destination.principal`: this Envoy's own identity, as Envoy says it. Empty when absent. */
  readonly destinationPrincipal: string;
  /** Method as received, upper case as HTTP has it. */
  readonly method: string;
  readonly scheme: string;
  /** Canonical: lower case, no trailing dot, default port of the scheme dropped. The caller wrote it. */
  readonly host: string;
  /** Percent-decoded once; begins with `/`; no dot segments, no control characters. */
  readonly path: string;
  /** Path as Envoy sent it, without the query: what a proof of possession was made over. */
  readonly rawPath: string;
  /** Raw, without the `?`; null when there is no `?`. */
  readonly query: string | null;
  /** The request asks for an upgrade (WebSocket, extended CONNECT): it opens a tunnel. */
  readonly upgrade: boolean;
  /** The request is a gRPC call (content-type application/grpc). */
  readonly grpc: boolean;
  readonly headers: Headers;
  /** `context_extensions` of the route: trusted Envoy configuration. */
  readonly extensions: ReadonlyMap<string, string>;
}
