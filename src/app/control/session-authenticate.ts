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
 * there. A person whose subject is revoked is refused, and the session is over. `origin`: of the console.
 */
export function sessionAuthenticator(
  sessions: Sessions,
  origin: string,
  revocations: RevocationSource,
): ApiOptions['authenticate'] {
  return async (request, _, nowMs, __, isUse = true) => {
    const held = heldSession(request, origin);
    if (held instanceof ApiProblem) return held;
    const missing = ApiProblem.of('session_missing', 'sign in at /sign-in');
    if (held === null) return missing;
    const session = await sessions.find(held.id, held.kind, nowMs, isUse);
    if (session === null) return missing;
    if (session instanceof Fault) return unknown(session);
    const over = revokedPerson(revocations, session.person, nowMs);
    if (over === null) return personAsks(session.person);
    // It does not go on when the revocation is over.
    await sessions.end(held.id);
    return ApiProblem.ofCaller(over, false);
  };
}
