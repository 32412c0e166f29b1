/** envoy.config.core.v3.SocketAddress: the only form of Address that names a caller's address. */
export interface SocketAddress {
  readonly address: string;
  readonly port_value?: number;
}

/** envoy.service.auth.v3.AttributeContext.Peer. */
export interface PeerMessage {
  readonly address: { readonly socket_address?: SocketAddress | null } | null;
  readonly service: string;
  readonly principal: string;
  readonly certificate: string;
}

/** Bytes that are read as a text when it is asked for. `length` counts bytes. */
export interface RawText {
  readonly length: number;
  toString(encoding: 'utf8'): string;
}

/** envoy.config.core.v3.HeaderValue as received: Envoy sets key and raw_value only. */
export interface HeaderValue {
  readonly key: string;
  readonly value: string;
  readonly raw_value: RawText;
}

/** envoy.service.auth.v3.AttributeContext.HttpRequest. */
export interface HttpRequestMessage {
  readonly id: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly header_map: { readonly headers: readonly HeaderValue[] } | null;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly query: string;
  readonly fragment: string;
  /** Bytes of the body received so far, decimal; -1 when unknown. */
  readonly size: string;
  readonly protocol: string;
  /** Text of the body, in which bytes that are no UTF-8 are lost. */
  readonly body: string;
  /** Instead of `body` under pack_as_bytes. */
  readonly raw_body: Uint8Array;
}

/** A google.protobuf.Value as proto-loader reads and writes it: camelCase, since its own descriptor of it is. */
export type StructValue =
  | { readonly nullValue: 0 }
  | { readonly numberValue: number }
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly structValue: Struct }
  | { readonly listValue: { readonly values: readonly StructValue[] } };

export interface Struct {
  readonly fields: Readonly<Record<string, StructValue>>;
}

export interface MetadataMessage {
  readonly filter_metadata: Readonly<Record<string, Struct>>;
}

/** envoy.service.auth.v3.CheckRequest. */
export interface CheckRequest {
  readonly attributes: {
    readonly source: PeerMessage | null;
    readonly destination: PeerMessage | null;
    readonly request: { readonly http: HttpRequestMessage | null } | null;
    readonly context_extensions: Readonly<Record<string, string>>;
    readonly metadata_context: MetadataMessage | null;
    readonly route_metadata_context: MetadataMessage | null;
    readonly tls_session: { readonly sni: string } | null;
  } | null;
}

/** A CheckRequest as it came off the wire; `bytes` is the whole message. */
export type ReceivedCheck =
  | { readonly request: CheckRequest; readonly bytes: Uint8Array }
  | { readonly request: null; readonly bytes: Uint8Array; readonly fault: string };

/**
 * envoy.config.core.v3.HeaderValueOption as written. `append_action` left out is APPEND_IF_EXISTS_OR_ADD (0);
 * OVERWRITE_IF_EXISTS_OR_ADD is 2.
 */
export interface HeaderValueOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append: { readonly value: boolean };
  readonly append_action?: number;
  readonly keep_empty_value: boolean;
}

/** envoy.service.auth.v3.DeniedHttpResponse as written. */
export interface DeniedHttpResponse {
  readonly status: { readonly code: number };
  readonly headers: readonly HeaderValueOption[];
  readonly body: string;
}

/** envoy.service.auth.v3.OkHttpResponse as written. */
export interface OkHttpResponse {
  readonly headers: readonly HeaderValueOption[];
  readonly headers_to_remove: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
}

/**
 * envoy.service.auth.v3.CheckResponse as written: exactly one of allow and denial. `error_response` is left out, since
 * Envoy lets it through under failure_mode_allow.
 */
export type CheckResponseMessage = {
  readonly status: { readonly code: number; readonly message?: string };
  readonly dynamic_metadata?: Struct;
} & (
  | { readonly denied_response: DeniedHttpResponse; readonly ok_response?: never }
  | { readonly ok_response: OkHttpResponse; readonly denied_response?: never }
);
