import type { ApiProblem } from './problem.ts';

/** The error codes of RFC 6749 section 5.2 and RFC 8693 section 2.2.2, by the problems that are none of the request's form. */
const ERRORS: Readonly<Record<string, string>> = {
  grant_type_unsupported: 'unsupported_grant_type',
  scope_exceeded: 'invalid_scope',
  target_invalid: 'invalid_target',
  not_permitted: 'unauthorized_client',
  certificate_missing: 'invalid_client',
};
/** Statuses that say more than 400 does. */
const KEPT: ReadonlySet<number> = new Set([401, 404, 408, 413, 429]);

/** How a client may try to prove itself by `Authorization`, as challenges write it. */
const SCHEMES = ['Basic', 'DPoP', 'Bearer'] as const;

/** An answer of a token endpoint to a request that gets no token. */
export interface OAuthError {
  readonly status: number;
  /** Of a 401 to a client that tried to prove itself by `Authorization`: a challenge of the scheme that it used. */
  readonly challenge: string | null;
  readonly document: Readonly<Record<string, unknown>>;
}

/**
 * A problem as a token endpoint tells it (RFC 6749 section 5.2). Beside the members of the standard, `code` is that of the
 * problem and `decision` names the line of the audit. `authorization`: the header of the request, where it had one.
 */
export function oauthError(problem: ApiProblem, decision: string, authorization: string | undefined): OAuthError {
  const { code, title, detail } = problem;
  const error = errorOf(problem);
  const status = error === 'invalid_client' ? 401 : statusOf(problem);
  const challenge = status === 401 && authorization !== undefined ? challengeTo(problem, authorization) : null;
  return { status, challenge, document: { error, error_description: described(detail ?? title), code, decision } };
}

/** What a scheme that nobody knows is answered with is that of tokens. */
function challengeTo({ headers }: ApiProblem, authorization: string): string {
  const used = authorization.slice(0, 16).split(' ', 1)[0]!.toLowerCase();
  const scheme = SCHEMES.find((name) => name.toLowerCase() === used) ?? 'Bearer';
  const own = headers.find(([name]) => name === 'www-authenticate')?.[1];
  return own?.startsWith(`${scheme} `) ? own : `${scheme} realm="control"`;
}

function errorOf({ code, status }: ApiProblem): string {
  const named = ERRORS[code];
  if (named !== undefined) return named;
  if (status >= 500) return status === 500 ? 'server_error' : 'temporarily_unavailable';
  // Of all that is left, what is about the caller is about its proof.
  return status === 401 || status === 403 ? 'invalid_client' : 'invalid_request';
}

const statusOf = ({ status }: ApiProblem): number => (status >= 500 || KEPT.has(status) ? status : 400);

/** The characters that the standard admits there. */
const described = (text: string): string =>
  text
    .replaceAll(/["\\]/g, "'")
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, 512);
