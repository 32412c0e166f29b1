/** What a finding of one code says. */
export interface CheckRow {
  /** What is wrong and what comes of it, in one clause. */
  readonly message: string;
  /** What to write, in YAML. */
  readonly write: string;
  /** The page with the reason, and its section. */
  readonly reason: string;
}

/** The pages with the reasons. */
export const ENVOY = 'docs/trust.md#what-envoy-must-be-configured-with';
export const SEEN = 'docs/trust.md#what-is-trusted-and-what-is-verified-again';
export const PEERS = 'docs/trust.md#which-envoy-may-ask-about-what';
export const SERVICE = 'docs/trust.md#what-is-assumed-about-the-service';
export const BODY = 'docs/approvals.md#the-body';
export const SHUTDOWN = 'docs/operations.md#shutdown';
