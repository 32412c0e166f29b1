import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import type { Caller } from '../../identity/caller.ts';
import { type BoundTask, bind, type KnownWorkloads } from '../../task/binding.ts';
import type { TxnTokenIssuer } from '../../task/options.ts';
import { verifyIssuedTask } from '../../task/task-token.ts';
import type { Confirmation } from '../../token/confirmation.ts';
import { UnverifiedJws } from '../../token/jws.ts';
import { TokenFault } from '../../token/jws-fault.ts';
import type { TokenVerifier } from '../../token/verifier.ts';
import { ApiProblem } from '../http/problem.ts';
import { grantOf } from './claims.ts';
import type { Grant } from './grant.ts';

/** How tokens of this service are read: as by every sidecar that believes it. */
export interface TokenReader {
  readonly issuer: TxnTokenIssuer;
  readonly tokens: TokenVerifier;
  readonly maxDepth: number;
}

/** A token that is to be exchanged, verified and bound to the one who asks. */
export interface HeldToken extends BoundTask {
  readonly grant: Grant;
}

/**
 * The Transaction Token that a caller wants to exchange: one of this service, valid now, of which the caller is the last
 * actor, by the same reading that admits it at a sidecar. Problems: `token_request_invalid` (RFC 8693 section 2.2.2 has
 * `invalid_request` for every token that is not acceptable).
 */
export async function heldToken(
  text: string,
  { issuer, tokens, maxDepth }: TokenReader,
  caller: Caller,
  known: KnownWorkloads,
  nowMs: number,
): Promise<HeldToken | ApiProblem> {
  const jws = UnverifiedJws.decodeUnverified(text);
  if (jws instanceof TokenFault) return invalid(jws);
  const token = await verifyIssuedTask(jws, issuer, issuer.audience, tokens, nowMs);
  if (token instanceof TokenFault) return invalid(token);
  if (token.claims.iss !== issuer.issuer) return invalid(new Fault('it is of another issuer'));
  const bound = bind(token, UNCONFIRMED, NO_KEYS, caller, known, maxDepth);
  if (bound instanceof Refusal || bound instanceof TokenFault) return invalid(bound);
  const grant = grantOf(bound, token.claims);
  return grant instanceof Fault ? invalid(grant) : { ...bound, grant };
}

/** This service binds by the SPIFFE ID alone. */
const UNCONFIRMED: Confirmation = { certificate: null, dpop: false, keys: [] };
const NO_KEYS: ReadonlySet<string> = new Set();

const invalid = ({ detail }: { readonly detail: string }): ApiProblem =>
  ApiProblem.of('token_request_invalid', `subject_token: ${detail}`);
