/** Where one server listens. */
export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** How a server is proven, and how the sidecar proves itself to it. Paths of PEM files, read again for each connection. */
export interface StoreTls {
  /** The authorities that are believed; null: those of the machine. */
  readonly ca: string | null;
  readonly client: { readonly certificate: string; readonly key: string } | null;
  /** The name that the certificate of the server must have; null: the host that is connected to. */
  readonly serverName: string | null;
}

/** As whom the sidecar logs in. The password is the first line of a file, read again for each connection. */
export interface StoreUser {
  readonly username: string;
  readonly passwordFile: string;
}

/** The Sentinels that know which server is the primary. They are reached by TLS where the server is. */
export interface Sentinels {
  readonly name: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly user: StoreUser | null;
}

/** A Redis or Valkey that several sidecars share. */
export interface StoreOptions {
  /** Null with `sentinels`, which name it. */
  readonly endpoint: Endpoint | null;
  readonly sentinels: Sentinels | null;
  readonly database: number;
  readonly tls: StoreTls | null;
  readonly user: StoreUser | null;
  /** Part of every key, so that several fleets can share one server. */
  readonly namespace: string;
  /** How long a check waits for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** How many replicas must have a claim before it counts; 0: none is waited for. */
  readonly replicas: number;
  /** How many used proofs are kept at most, over all sidecars. */
  readonly maxEntries: number;
  /** How many counts and members of counts are kept at most, over all sidecars. */
  readonly maxCounts: number;
  /** How many accounts on which something was opened are kept at most, over all sidecars. */
  readonly maxAccounts: number;
  /** How old what is known of revocations may be before checks are refused, in milliseconds. */
  readonly maxStaleMs: number;
  /** What is kept for lists may take so many bytes. */
  readonly activityBytes: number;
  /** The same of registered tasks. */
  readonly taskBytes: number;
}

/** How far the clocks of the server and of this sidecar may be apart, in milliseconds. */
export const MAX_SKEW_MS = 5000;

/** How an endpoint is shown: without secrets. */
export const textOf = (endpoint: Endpoint): string =>
  endpoint.kind === 'unix' ? `unix://${endpoint.path}` : `${endpoint.host}:${endpoint.port}`;
