import { type AnsweredReason, type Refusal, reasons } from '../base/outcome.ts';
import type { Admission } from '../check/admission.ts';
import { type CheckResponseMessage, type HeaderValueOption, type Struct, toStruct } from './messages.ts';

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
const APPEND_IF_EXISTS_OR_ADD = 0;

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

/**
 * In a denial Envoy first removes every header that is named, then adds each: a repeated challenge stays apart.
 * `append: true` would lose them all: Envoy 1.36 to 1.40 pass such a header over in a denied response.
 */
const add = ([key, value]: readonly [string, string]): HeaderValueOption => ({
  header: { key, value },
  append: { value: false },
  append_action: APPEND_IF_EXISTS_OR_ADD,
  keep_empty_value: true,
});

/** The explicit allow. `observed` is what `unsafeObserveOnly` let pass. */
export function allowResponse(admission: Admission, stamp: Stamp, observed: Refusal | null): CheckResponseMessage {
  return {
    status: { code: OK, message: 'permitted' },
    ok_response: {
      headers: admission.set.map(replace),
      headers_to_remove: [...admission.remove],
      response_headers_to_add: admission.toCaller.map(replace),
    },
    dynamic_metadata: metadata(stamp, 'allow', observed === null ? 'permitted' : 'observed'),
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
      headers: [['content-type', 'application/problem+json'] as const, ...refusal.headers].map(add),
      body: JSON.stringify(body),
    },
    dynamic_metadata: metadata(stamp, 'deny', refusal.reason),
  };
}

/** What `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:…)%` shows in Envoy's access log. */
function metadata({ decision, seq, hash }: Stamp, result: 'allow' | 'deny', reason: AnsweredReason): Struct {
  return toStruct({
    decision,
    result,
    reason,
    ...(seq === null ? {} : { seq }),
    ...(hash === null ? {} : { hash }),
  });
}
