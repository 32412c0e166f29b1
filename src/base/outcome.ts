/** gRPC status codes that a denial may carry inside CheckResponse (google.rpc.Code). Never 0: Envoy reads 0 as allow. */
const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** What stands in the response for one reason. `title` is public and fixed; the private detail goes to the log and audit. */
export interface ReasonRow {
  /** google.rpc.Code inside CheckResponse.status. */
  readonly status: number;
  /** The HTTP status that the caller sees. */
  readonly http: number;
  /** One sentence for the caller, with nothing private in it. */
  readonly title: string;
}

const malformed = (title: string): ReasonRow => ({ status: INVALID_ARGUMENT, http: 400, title });
const unauthenticated = (title: string): ReasonRow => ({ status: UNAUTHENTICATED, http: 401, title });
const forbidden = (title: string): ReasonRow => ({ status: PERMISSION_DENIED, http: 403, title });
const unavailable = (title: string): ReasonRow => ({ status: UNAVAILABLE, http: 503, title });

/**
 * The only table of reasons. The key is the reason code: it stands in the problem body, in the audit record and as a
 * metric label. A reason enters with the code that returns it, a line in docs/reasons.md and a golden case.
 * 401 only where an HTTP challenge exists; a certificate that fails has none, so it is 403.
 */
export const reasons = {
  request_malformed: malformed('The request cannot be read'),
  request_without_http: malformed('Only HTTP requests are judged'),
  request_method_malformed: malformed('The method is not an HTTP method'),
  request_connect: malformed('CONNECT names no resource'),
  request_scheme_unknown: malformed('The scheme is neither http nor https'),
  request_host_malformed: malformed('The host is not well formed'),
  request_path_asterisk: malformed('The target * names no resource'),
  request_path_not_absolute: malformed('The request target does not begin with a slash'),
  request_path_malformed: malformed('The path is not well formed'),
  request_target_ambiguous: malformed('The request target is inconsistent'),
  request_headers_malformed: malformed('The headers are not well formed'),
  request_headers_filtered: malformed('The request headers are incomplete'),
  request_headers_too_large: malformed('The headers are too large'),
  request_header_override: malformed('A header asks for another method or path'),
  request_query_override: malformed('The query asks for another method'),
  request_header_underscore: malformed('A header name can be read as that of another header'),
  request_xfcc_malformed: malformed('The forwarded client certificate cannot be read'),
  request_xfcc_json: malformed('A forwarded client certificate in JSON is not read'),
  request_xfcc_mode: malformed('The forwarded client certificate does not come from this Envoy'),
  request_host_not_served: malformed('This host is not served here'),
  request_host_not_bound: forbidden('The proxy that asks may not ask about this host'),
  request_host_unknown: malformed('This host is not in the inventory'),
  request_upgrade_method: malformed('Only a GET can ask for an upgrade'),
  request_method_not_allowed: malformed('The method is not allowed for this resource'),
  request_path_ambiguous: malformed('The path can be read in two ways'),
  request_too_large: malformed('The request is too large'),
  request_header_repeated: malformed('A header that must be single is repeated'),
  request_header_unclean: malformed('A header is not clean text'),
  request_header_not_a_number: malformed('A header is not the number that it is declared to be'),
  identity_missing: forbidden('No credential was presented'),
  identity_spiffe_id_malformed: forbidden('The SPIFFE ID is not well formed'),
  identity_token_missing: unauthenticated('No credential was presented, and a token would be accepted'),
  identity_token_malformed: unauthenticated('The token cannot be read'),
  identity_token_algorithm: unauthenticated('The token is signed with an algorithm that is not accepted here'),
  identity_token_type: unauthenticated('The token is not of the type that belongs here'),
  identity_token_key_unknown: unauthenticated('The key that signed the token is not known'),
  identity_token_keys_stale: unauthenticated('The keys of the issuer could not be read for too long'),
  identity_token_signature: unauthenticated('The token signature is invalid'),
  identity_token_expired: unauthenticated('The token has expired'),
  identity_token_not_yet_valid: unauthenticated('The token is not valid yet'),
  identity_token_lifetime: unauthenticated('The token lives longer than is accepted here'),
  identity_token_audience: unauthenticated('The token has a different audience'),
  identity_token_issuer: unauthenticated('The issuer of the token is not known'),
  identity_token_subject: unauthenticated('The token does not name a workload'),
  identity_token_bound: unauthenticated('The token is bound to a key that this request did not prove'),
  identity_svid_encoding: forbidden('The text of the certificate cannot be read'),
  identity_svid_malformed: forbidden('The certificate is not well formed'),
  identity_svid_algorithm: forbidden('The certificate uses an algorithm or a key that is not accepted'),
  identity_svid_uri_count: forbidden('The certificate does not have exactly one URI name'),
  identity_svid_without_path: forbidden('The certificate names a trust domain, not a workload'),
  identity_svid_ca: forbidden('The certificate belongs to a certificate authority'),
  identity_svid_key_usage: forbidden('The key usage of the certificate is not that of a workload'),
  identity_svid_extended_key_usage: forbidden('The certificate is not meant for this use'),
  identity_svid_critical_extension: forbidden('The certificate has a critical extension that is unknown'),
  identity_svid_expired: forbidden('The certificate has expired'),
  identity_svid_not_yet_valid: forbidden('The certificate is not valid yet'),
  identity_svid_lifetime: forbidden('The certificate lives longer than is accepted'),
  identity_svid_issuer_unknown: forbidden('The certificate does not lead to a root of its trust domain'),
  identity_svid_issuer_invalid: forbidden('An issuer of the certificate may not issue it'),
  identity_svid_issuer_expired: forbidden('An issuer of the certificate is not valid now'),
  identity_svid_signature: forbidden('A signature in the path of the certificate is wrong'),
  identity_svid_path_length: forbidden('The path of the certificate is too long'),
  identity_svid_path_budget: forbidden('The path of the certificate takes too long to find'),
  identity_svid_name_constraints: forbidden(
    'A name in the path of the certificate is outside the constraints of an issuer',
  ),
  identity_trust_domain_unknown: forbidden('The trust domain is not known here'),
  identity_bundle_absent: forbidden('There is no trust bundle for the trust domain'),
  identity_bundle_empty: forbidden('The trust domain has revoked all its roots'),
  identity_bundle_stale: forbidden('The trust bundle of the trust domain is too old'),
  identity_principal_mismatch: forbidden('Two statements about the peer disagree'),
  identity_xfcc_mismatch: forbidden('x-forwarded-client-cert contradicts a certificate'),
  identity_xfcc_without_certificate: forbidden('x-forwarded-client-cert holds no certificate'),
  identity_proxy_untrusted: forbidden('A proxy on the way is not trusted'),
  identity_conflict: forbidden('Two credentials name different workloads'),
  identity_certificate_missing: forbidden('The certificate of the peer is missing'),
  identity_key_malformed: forbidden('The API key is not well formed'),
  identity_key_unknown: forbidden('The API key is not known'),
  identity_key_not_yet_valid: forbidden('The API key is not valid yet'),
  identity_key_expired: forbidden('The API key was to be rotated before'),
  identity_legacy_unknown: forbidden('The certificate names no legacy account'),
  identity_legacy_host: forbidden('The credential of a legacy account is not for this host'),
  identity_legacy_network: forbidden('A legacy account calls from elsewhere than its networks'),
  caller_unregistered: forbidden('The caller is not in the inventory'),
  task_declared_malformed: malformed('The declared task cannot be read'),
  task_token_malformed: unauthenticated('The task token cannot be read'),
  task_token_type: unauthenticated('The task token is of another kind than its header is for'),
  task_token_algorithm: unauthenticated('The task token is signed with an algorithm that is not accepted'),
  task_token_key_unknown: unauthenticated('The task token is signed with an unknown key'),
  task_token_signature: unauthenticated('The task token is not signed by its issuer'),
  task_token_expired: unauthenticated('The task token has expired'),
  task_token_not_yet_valid: unauthenticated('The task token is not valid yet'),
  task_token_lifetime: unauthenticated('The task token lives longer than its issuer may grant'),
  task_token_audience: unauthenticated('The task token has a different audience'),
  task_token_binding: unauthenticated('The task token is bound to another key or certificate'),
  task_txn_malformed: forbidden('The Transaction Token cannot be read'),
  task_txn_type: forbidden('The Transaction Token is of another kind than its header is for'),
  task_txn_algorithm: forbidden('The Transaction Token is signed with an algorithm that is not accepted'),
  task_txn_key_unknown: forbidden('The Transaction Token is signed with an unknown key'),
  task_txn_signature: forbidden('The Transaction Token is not signed by its issuer'),
  task_txn_expired: forbidden('The Transaction Token has expired'),
  task_txn_not_yet_valid: forbidden('The Transaction Token is not valid yet'),
  task_txn_lifetime: forbidden('The Transaction Token lives longer than its issuer may grant'),
  task_txn_audience: forbidden('The Transaction Token has a different audience'),
  task_txn_issuer: forbidden('The Transaction Token is from an unknown issuer'),
  task_txn_binding: forbidden('The Transaction Token is bound to another key or certificate'),
  task_keys_stale: forbidden('The keys of the issuer of the task could not be read'),
  task_purpose: forbidden('The task issuer may not assert this purpose'),
  task_issuer_scope: forbidden('The task issuer is not trusted for this workload'),
  task_of_another: forbidden('The task belongs to another workload'),
  task_unbound: forbidden('The task token is bound to nobody'),
  task_conflict: malformed('Two places state different tasks'),
  task_proof_missing: unauthenticated('The proof of possession is missing'),
  task_proof_malformed: unauthenticated('The proof of possession cannot be read'),
  task_proof_signature: unauthenticated('The proof of possession is not signed by its key'),
  task_proof_method: unauthenticated('The proof of possession is for another method'),
  task_proof_target: unauthenticated('The proof of possession is for another resource'),
  task_proof_nonce: unauthenticated('The proof of possession needs a fresh nonce'),
  task_proof_expired: unauthenticated('The proof of possession is too old'),
  task_proof_token: unauthenticated('The proof of possession is for another token'),
  task_proof_key: unauthenticated('The proof of possession is made with another key'),
  task_proof_replayed: unauthenticated('The proof of possession was used before'),
  task_wit_invalid: malformed('The workload identity token is not valid'),
  task_wit_of_another: forbidden('The workload identity token belongs to another workload'),
  task_wpt_missing: malformed('The workload proof token is missing'),
  task_wpt_malformed: malformed('The workload proof token cannot be read'),
  task_wpt_signature: malformed('The workload proof token is not signed by its key'),
  task_wpt_target: malformed('The workload proof token is for another resource'),
  task_wpt_expired: malformed('The workload proof token has expired, or lives too long'),
  task_wpt_token: malformed('The workload proof token does not cover the tokens beside it'),
  task_wpt_replayed: malformed('The workload proof token was used before'),
  task_wpt_before_start: unavailable('The workload proof token may be older than this service'),
  task_unregistered: forbidden('The task is not registered'),
  task_ended: forbidden('The task has ended'),
  task_lapsed: forbidden('The task has lapsed'),
  task_budget_spent: forbidden('The budget of the task is spent'),
  chain_malformed: forbidden('The delegation chain cannot be read'),
  chain_too_deep: forbidden('The delegation chain is too long'),
  chain_cycle: forbidden('A workload stands in the delegation chain twice'),
  chain_unregistered: forbidden('A workload of the delegation chain is not in the inventory'),
  policy_unavailable: unavailable('There are no policies to decide by'),
  policy_no_permit: forbidden('No policy permits this'),
  policy_forbidden: forbidden('A policy forbids this'),
  policy_error: forbidden('A policy could not be evaluated'),
  policy_input_invalid: forbidden('The request cannot be expressed in policy'),
  approval_required: forbidden('A person must approve this first'),
  approval_refused: forbidden('A person refused this'),
  approval_body_unseen: forbidden('A person must approve this first, and its body was not seen whole'),
  audit_unavailable: unavailable('The decision could not be recorded'),
  revoked_workload: forbidden('A workload of the request is revoked'),
  revoked_owner: forbidden('The workloads of a team are revoked'),
  revoked_task: forbidden('The task is revoked'),
  revoked_token: unauthenticated('The token is revoked'),
  revoked_key: unauthenticated('A key of the request is revoked'),
  revoked_certificate: forbidden('The certificate is revoked'),
  revoked_subject: unauthenticated('The tokens of the subject are revoked'),
  state_unavailable: unavailable('The single-use store or the revocations are unavailable'),
  overloaded: unavailable('The sidecar cannot answer in time'),
  internal: unavailable('The decision could not be made'),
} as const satisfies Record<string, ReasonRow>;

export type Reason = keyof typeof reasons;

/** Why a check was answered as it was: `observed` is an allow that policies refused under `unsafeObserveOnly`. */
export type AnsweredReason = Reason | 'permitted' | 'observed';

/** An HTTP header of the denial, such as a challenge. */
export type ResponseHeader = readonly [name: string, value: string];

/** More of the problem document of a denial (RFC 9457 section 3.2), for the caller to read. */
export type ProblemMembers = Readonly<Record<string, unknown>>;
const NO_MEMBERS: ProblemMembers = Object.freeze({});

/**
 * An expected denial, returned and never thrown. `detail` is private: it goes to the log and to the audit record, never
 * to the caller. `headers` are added to the denial (WWW-Authenticate, DPoP-Nonce), `members` to its problem document.
 */
export class Refusal {
  readonly reason: Reason;
  readonly detail: string;
  readonly headers: readonly ResponseHeader[];
  readonly members: ProblemMembers;

  constructor(
    reason: Reason,
    detail: string,
    headers: readonly ResponseHeader[] = [],
    members: ProblemMembers = NO_MEMBERS,
  ) {
    this.reason = reason;
    this.detail = detail;
    this.headers = headers;
    this.members = members;
    Object.freeze(this);
  }
}
