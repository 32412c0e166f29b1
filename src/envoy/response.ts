import { type Reason, type Refusal, reasons } from '../outcome.ts';
import type { CheckResponseMessage, HeaderValueOption } from './messages.ts';

/** What an allow tells the upstream, and what it takes away from the request. */
export interface Admission {
  /** Headers that are set upstream; a client's own copies are overwritten. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Headers that must not reach the upstream. Never one that is also set: Envoy removes after it sets. */
  readonly remove: readonly string[];
  /** Headers added to the response that the caller gets (DPoP-Nonce). */
  readonly toCaller: readonly (readonly [name: string, value: string])[];
}

/** What ties the response, and Envoy's access log, to the audit record. */
export interface Stamp {
  readonly decision: string;
  /** Number and hash of the audit line; null when the line could not be written. */
  readonly seq: number | null;
  readonly hash: string | null;
}

const PROBLEM_TYPE = 'urn:cedar-ext-authz:reasons#';
const OK = 0;
const OVERWRITE_IF_EXISTS_OR_ADD = 2;

/** Names that only this sidecar may say to an upstream. */
export const ownHeaders = ['x-authz-caller', 'x-authz-task', 'x-authz-decision'] as const;

/**
 * The one recipe that every Envoy version reads as "replace": `append: false` for those that know only `append`,
 * the action for those that know both, `keep_empty_value` since 1.39 drops empty values (envoy-ext-authz A1).
 */
const replace = ([key, value]: readonly [string, string]): HeaderValueOption => ({
  header: { key, value },
  append: { value: false },
  append_action: OVERWRITE_IF_EXISTS_OR_ADD,
  keep_empty_value: true,
});

/** The explicit allow. Own headers that are not set are removed, and so are the underscore twins of all of them. */
export function allowResponse(admission: Admission, stamp: Stamp): CheckResponseMessage {
  const set = new Set(admission.set.map(([name]) => name));
  const remove = new Set(admission.remove);
  for (const name of ownHeaders) {
    remove.add(name);
    remove.add(name.replaceAll('-', '_'));
  }
  for (const name of set) remove.delete(name);
  return {
    status: { code: OK },
    ok_response: {
      headers: admission.set.map(replace),
      headers_to_remove: [...remove],
      response_headers_to_add: admission.toCaller.map(replace),
    },
    dynamic_metadata: metadata(stamp, 'allow', 'permitted'),
  };
}

/** The explicit denial: a non-zero status, the HTTP status of the reasons table, and a problem document (RFC 9457). */
export function denyResponse(refusal: Refusal, stamp: Stamp): CheckResponseMessage {
  const row = reasons[refusal.reason];
  const body = {
    type: PROBLEM_TYPE + refusal.reason,
    title: row.title,
    status: row.http,
    reason: refusal.reason,
    decision: stamp.decision,
  };
  return {
    status: { code: row.status, message: refusal.reason },
    denied_response: {
      status: { code: row.http },
      headers: [['content-type', 'application/problem+json'] as const, ...refusal.headers].map(
        ([key, value]): HeaderValueOption => ({ header: { key, value }, append: { value: true }, keep_empty_value: true }),
      ),
      body: JSON.stringify(body),
    },
    dynamic_metadata: metadata(stamp, 'deny', refusal.reason),
  };
}

/** What `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:…)%` shows. proto-loader's Struct is written camelCase. */
function metadata(stamp: Stamp, result: 'allow' | 'deny', reason: Reason | 'permitted') {
  const text = (stringValue: string) => ({ stringValue });
  return {
    fields: {
      decision: text(stamp.decision),
      result: text(result),
      reason: text(reason),
      ...(stamp.seq === null ? {} : { seq: { numberValue: stamp.seq } }),
      ...(stamp.hash === null ? {} : { hash: text(stamp.hash) }),
    },
  };
}
