import { type AnsweredReason, Refusal, reasons } from '../base/outcome.ts';
import type { Answer, AuditReference } from '../check/answer.ts';
import type { HeaderMutations } from '../check/header-mutations.ts';
import type { CheckResponseMessage, HeaderValueOption, Struct } from './api.ts';
import { toStruct } from './messages.ts';

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

/** The response for one answer. Never throws: a bug in here becomes a denial, and is reported. */
export function encodeAnswer(
  { decided, reference }: Answer,
  onBug: (error: unknown, decision: string) => void,
): CheckResponseMessage {
  try {
    return 'mutations' in decided
      ? allowResponse(decided.mutations, reference, decided.outcome.observed)
      : denyResponse(decided.outcome, reference);
  } catch (error) {
    const { decision } = reference;
    onBug(error, decision);
    return denyResponse(new Refusal('internal', 'a bug'), { decision, seq: null, hash: null });
  }
}

/** The explicit allow. `observed` is what `unsafeObserveOnly` let pass. */
function allowResponse(
  mutations: HeaderMutations,
  reference: AuditReference,
  observed: Refusal | null,
): CheckResponseMessage {
  return {
    status: { code: OK, message: 'permitted' },
    ok_response: {
      headers: mutations.set.map(replace),
      headers_to_remove: mutations.remove,
      response_headers_to_add: mutations.toCaller.map(replace),
    },
    dynamic_metadata: metadata(reference, 'allow', observed === null ? 'permitted' : 'observed'),
  };
}

/** The explicit denial: a non-zero status, the HTTP status of the reasons table, and a problem document (RFC 9457). */
function denyResponse(refusal: Refusal, reference: AuditReference): CheckResponseMessage {
  const row = reasons[refusal.reason];
  const body = {
    type: PROBLEM_TYPE + refusal.reason,
    title: row.title,
    status: row.http,
    reason: refusal.reason,
    decision: reference.decision,
    ...refusal.members,
  };
  return {
    status: { code: row.status, message: refusal.reason },
    denied_response: {
      status: { code: row.http },
      headers: [['content-type', 'application/problem+json'] as const, ...refusal.headers].map(add),
      body: JSON.stringify(body),
    },
    dynamic_metadata: metadata(reference, 'deny', refusal.reason),
  };
}

/** What `%DYNAMIC_METADATA(envoy.filters.http.ext_authz:…)%` shows in Envoy's access log. */
function metadata({ decision, seq, hash }: AuditReference, result: 'allow' | 'deny', reason: AnsweredReason): Struct {
  return toStruct({
    decision,
    result,
    reason,
    ...(seq === null ? {} : { seq }),
    ...(hash === null ? {} : { hash }),
  });
}
