/** Something that may be used once. `key` is a digest of canonical content, never the text of a token. */
export interface Claim {
  readonly key: string;
  /** Milliseconds since the epoch: until then, leeway included, somebody could present it again. */
  readonly until: number;
}

/** The Check for which something is claimed: what tells Envoy's own retry of one Check from a second use. */
export interface Use {
  /** `request.http.id`, which Envoy mints; never a header that a client can set. */
  readonly requestId: string;
  /** The SPIFFE ID of the caller that was proven: each caller has a share of what is remembered. */
  readonly caller: string;
  /** Who called the check port; null where it is not known. */
  readonly checkPeer: string | null;
  /** SHA-256 (hex) of the whole attributes. */
  readonly digest: string;
  /** When Envoy stops waiting for this Check, in milliseconds since the epoch; Infinity where it set no deadline. */
  readonly deadline: number;
  /** What was judged by: the revision of the snapshot and the generation of the revocations. */
  readonly judgedBy: string;
}

/**
 * What became of a claim of several keys at once. `fresh`: all are claimed now. `same`: this very Check claimed all of
 * them before, and may have the same answer again. `replayed`: `key` was used before, and nothing was claimed.
 * `unavailable`: the state cannot answer, and nothing was claimed.
 */
export type ClaimResult =
  | { readonly result: 'fresh' | 'same' }
  | { readonly result: 'replayed'; readonly key: string }
  | { readonly result: 'unavailable'; readonly detail: string };

/** What outlives a request and is used up. Never throws and never rejects. */
export interface State {
  /** Claims all keys or none, atomically over everybody who shares the state. `now` is in milliseconds since the epoch. */
  claim(claims: readonly Claim[], use: Use, now: number): Promise<ClaimResult>;
  /**
   * Gives back what a `fresh` claim took, when its allow was never answered; for whoever made that claim, and once. What a
   * retry of the Check was told meanwhile (`same`) stays used: its allow may have been answered.
   */
  giveBack(claims: readonly Claim[]): Promise<void>;
}
