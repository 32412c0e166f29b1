import { Fault } from '../../base/fault.ts';
import { type RevocationSource, revokedPerson } from '../../check/revoked.ts';
import { personAsks } from '../../control/asker.ts';
import type { ApiOptions } from '../../control/http/api.ts';
import { ApiProblem } from '../../control/http/problem.ts';
import { heldSession } from '../../control/sign-in/held-session.ts';
import { unknown } from '../../control/sign-in/pages.ts';
import type { Sessions } from '../../control/sign-in/sessions.ts';

/**
 * Who asks at the console: a person, by a session that goes on, looked up for each request anew. Nothing else proves anybody
 * there. A person whose subject is revoked is refused. `origin`: of the console.
 */
export function sessionAuthenticator(
  sessions: Sessions,
  origin: string,
  revocations: RevocationSource,
): ApiOptions['authenticate'] {
  return async (request, _, nowMs, __, isUse = true) => {
    const held = heldSession(request, origin);
    if (held instanceof ApiProblem) return held;
    const session = held === null ? null : await sessions.find(held.id, held.kind, nowMs, isUse);
    if (session === null) return ApiProblem.of('session_missing', 'sign in at /sign-in');
    if (session instanceof Fault) return unknown(session);
    const over = revokedPerson(revocations, session.person, nowMs);
    return over === null ? personAsks(session.person) : ApiProblem.ofCaller(over, false);
  };
}
