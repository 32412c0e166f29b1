import { hash } from 'node:crypto';
import { canonicalJson } from '../../base/json.ts';

/**
 * What a denied call asks a person for. Texts are bounded by whoever asks. Beside `digest`, `approvals` and `body.shown` all of
 * it is what the digest is over.
 */
export interface ApprovalOrder {
  /** `requestDigest` of the rest: the request that may pass. */
  readonly digest: string;
  /** Names that are missing. */
  readonly approvals: readonly string[];
  /** A SPIFFE ID. */
  readonly caller: string;
  readonly chain: readonly string[];
  /** `subject`: for whom its issuer says that it was started; null where it does not say. */
  readonly task: {
    readonly issuer: string;
    readonly id: string;
    readonly purpose: string | null;
    readonly subject: string | null;
  } | null;
  readonly action: string;
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly query: string | null;
  readonly contentType: string | null;
  /** The headers that policies read, and how the body is coded: names and values, sorted. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The task that is only claimed; null: none. */
  readonly declared: { readonly id: string; readonly purpose: string } | null;
  /** Base64url SHA-256 of the whole body, how long it is, and its text where that can be shown; null: none. */
  readonly body: { readonly sha256: string; readonly bytes: number; readonly shown: string | null } | null;
  /** The team of the asking workload. */
  readonly owner: string | null;
  readonly sensitivity: string | null;
}

/**
 * The digest of a request that a person can approve (base64url SHA-256 over canonical JSON): of everything that is shown to the
 * person, so that nobody who can write a store shows one request and has another one granted.
 */
export function requestDigest(order: Omit<ApprovalOrder, 'digest' | 'approvals'>): string {
  const { caller, chain, task, action, host, method, path, query, contentType, headers, body } = order;
  const { declared, owner, sensitivity } = order;
  const above = task === null ? null : [task.issuer, task.id, task.purpose, task.subject];
  const claimed = declared === null ? null : [declared.id, declared.purpose];
  // Whether there is a text is part of it: nobody keeps from a person what could be read.
  const sent = body === null ? null : [body.sha256, body.bytes, body.shown !== null];
  const said = [
    caller,
    chain,
    above,
    action,
    host,
    method,
    path,
    query,
    contentType,
    headers,
    claimed,
    sent,
    owner,
    sensitivity,
  ];
  return hash('sha256', canonicalJson(['approval request 1', ...said]), 'base64url');
}

/** Whether the digest of an order is that of what it shows, and the text of a body that of its digest. */
export function isTrueToDigest(order: ApprovalOrder): boolean {
  const { shown = null, sha256, bytes } = order.body ?? {};
  if (shown !== null && (Buffer.byteLength(shown) !== bytes || hash('sha256', shown, 'base64url') !== sha256))
    return false;
  return requestDigest(order) === order.digest;
}
