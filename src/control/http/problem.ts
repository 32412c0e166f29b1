import { type Refusal, type ResponseHeader, reasons } from '../../base/outcome.ts';

interface ProblemRow {
  readonly status: number;
  /** One sentence for the caller, with nothing private in it. */
  readonly title: string;
}

const row = (status: number, title: string): ProblemRow => ({ status, title });

/** The problems of the control API by their codes; those of identity have the codes of docs/reasons.md. */
export const problems = {
  malformed: row(400, 'The request cannot be read'),
  json_invalid: row(400, 'The body is not the JSON that is expected'),
  parameters_invalid: row(400, 'A parameter is not as it should be'),
  token_request_invalid: row(400, 'The token request is not as it should be'),
  grant_type_unsupported: row(400, 'This is no token exchange'),
  scope_exceeded: row(400, 'A scope is asked for that the token before does not have'),
  target_invalid: row(400, 'No token is issued for this audience'),
  task_over: row(400, 'The task has ended, has lapsed or is revoked'),
  login_unknown: row(400, 'This browser began no such sign-in, or too long ago'),
  cursor_invalid: row(400, 'The cursor does not belong to this list'),
  session_missing: row(401, 'Nobody is signed in, or the session is over'),
  certificate_missing: row(401, 'This needs a certificate on the connection'),
  not_permitted: row(403, 'No control policy permits this'),
  sign_in_refused: row(403, 'The sign-in was refused'),
  sign_in_too_old: row(403, 'The sign-in is too old for this'),
  own_request: row(403, 'Nobody grants what is asked for themselves'),
  break_glass_unreviewed: row(403, 'Another person must review a break-glass first'),
  cross_site: row(403, 'Another site asks'),
  not_found: row(404, 'There is no such thing here'),
  method_not_allowed: row(405, 'This path has no such method'),
  not_acceptable: row(406, 'The answer is JSON'),
  timeout: row(408, 'The request did not come in time'),
  conflict: row(409, 'Something else has this id'),
  over: row(409, 'The task is over'),
  length_required: row(411, 'The length of the body is missing'),
  too_large: row(413, 'The body is too large'),
  media_type: row(415, 'The body must be application/json'),
  expectation_failed: row(417, 'This expectation cannot be met'),
  host_unknown: row(421, 'This port has another name'),
  body_invalid: row(422, 'The body is not as it should be'),
  subject_unknown: row(422, 'The order names what does not exist'),
  end_past: row(422, 'The end is past'),
  end_late: row(422, 'The end is too far off'),
  issuer_exceeded: row(422, 'The issuer may not state this task'),
  parent_exceeded: row(422, 'The task goes beyond the one that it is a part of'),
  task_unsigned: row(422, 'This process cannot sign what a task lives by'),
  confirm_missing: row(422, 'The order reaches a whole trust domain and is not confirmed'),
  prefix_not_whole: row(422, 'The prefix ends within a path segment'),
  key_reused: row(422, 'The idempotency key was used for another order'),
  grant_exceeded: row(422, 'Policies allow no such grant'),
  grant_unsigned: row(422, 'This process cannot sign a grant'),
  baseline_foreign: row(422, 'The baseline was learned with other hashes'),
  lift_unsigned: row(422, 'This process cannot sign a lift'),
  too_many_requests: row(429, 'Too many requests'),
  headers_too_large: row(431, 'The headers are too large'),
  internal: row(500, 'The request could not be handled'),
  provider_unavailable: row(503, 'The identity provider cannot be asked'),
  policy_unavailable: row(503, 'There are no policies to decide by'),
  audit_unavailable: row(503, 'The call could not be recorded, so nothing was done'),
  state_unavailable: row(503, 'The store cannot answer'),
  overloaded: row(503, 'The request could not be handled in time'),
  full: row(507, 'There is no room for more'),
} as const satisfies Readonly<Record<string, ProblemRow>>;

export type ProblemCode = keyof typeof problems;

/** One thing that is wrong with a request: where, and what to write instead. */
export interface Wrong {
  readonly at: string;
  readonly message: string;
}

/** A problem document (RFC 9457) before it is written. Returned, never thrown. */
export class ApiProblem {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  /** For the caller: what is wrong, and what to do. */
  readonly detail: string | null;
  readonly wrong: readonly Wrong[];
  readonly headers: readonly ResponseHeader[];
  /** For the audit alone. */
  readonly privateDetail: string | null;

  private constructor(
    code: string,
    { status, title }: ProblemRow,
    parts: Partial<Pick<ApiProblem, 'detail' | 'wrong' | 'headers' | 'privateDetail'>>,
  ) {
    this.code = code;
    this.status = status;
    this.title = title;
    this.wrong = parts.wrong ?? [];
    this.detail = parts.detail ?? inWords(this.wrong);
    this.headers = parts.headers ?? [];
    this.privateDetail = parts.privateDetail ?? null;
    Object.freeze(this);
  }

  static of(
    code: ProblemCode,
    detail: string | null = null,
    parts: { wrong?: readonly Wrong[]; headers?: readonly ResponseHeader[]; privateDetail?: string } = {},
  ): ApiProblem {
    return new ApiProblem(code, problems[code], { ...parts, detail });
  }

  /** Why a caller is not believed: the detail stays private, and a 401 says what would be accepted. */
  static ofCaller({ reason, detail }: Refusal, takesTokens: boolean): ApiProblem {
    const missing = reason === 'identity_missing';
    const { title } = reasons[reason];
    const status = missing && takesTokens ? 401 : reasons[reason].http === 400 ? 403 : reasons[reason].http;
    const challenge = missing ? 'Bearer realm="control"' : 'Bearer realm="control", error="invalid_token"';
    const headers: readonly ResponseHeader[] = status === 401 ? [['www-authenticate', challenge]] : [];
    return new ApiProblem(reason, { status, title }, { headers, privateDetail: detail });
  }

  /** The document; `decision` names the line of the audit. */
  document(decision: string): Readonly<Record<string, unknown>> {
    const { code, status, title, detail, wrong } = this;
    return {
      type: `urn:cedar-ext-authz:problem:${code}`,
      title,
      status,
      ...(detail === null ? {} : { detail }),
      code,
      decision,
      ...(wrong.length === 0 ? {} : { wrong }),
    };
  }
}

/** Of many, the first few: all of them stand beside it. */
function inWords(wrong: readonly Wrong[]): string | null {
  const shown = wrong.slice(0, 4).map(({ at, message }) => (at === '' ? message : `${at}: ${message}`));
  if (shown.length === 0) return null;
  return [...shown, ...(wrong.length > shown.length ? [`and ${wrong.length - shown.length} more`] : [])].join('; ');
}
