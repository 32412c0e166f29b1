import type { Refusal } from '../base/outcome.ts';
import { after, afterGood, type Soon } from '../base/soon.ts';
import { isJsonObject } from '../base/strict-json.ts';
import type { PresentedToken } from '../identity/credentials.ts';
import type { Host } from '../inventory/model.ts';
import { type Confirmation, readConfirmation } from '../token/confirmation.ts';
import type { UnverifiedJws } from '../token/jws.ts';
import { claimAt } from '../token/jws-claims.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { ChallengeContext } from './challenge.ts';
import type { JwtSvidIssuer, TaskRules, TxnTokenIssuer } from './options.ts';
import type { PresentedTask } from './presented.ts';
import { type TaskToken, unverifiedSubject, verifyIssuedTask, verifySvidTask } from './task-token.ts';
import { tokenRefusal } from './token-refusal.ts';

/** A verified task token, with what is needed to bind it. */
export interface VerifiedTaskToken {
  readonly token: TaskToken;
  /** As it stands in its header: what a proof hashes. */
  readonly text: string;
  readonly confirmation: Confirmation;
  /** The scheme that it was presented with; null for a Transaction Token. */
  readonly scheme: 'bearer' | 'dpop' | null;
}

/** How refusals about this request's tokens ask for better ones. */
export function challengeContext(presented: PresentedTask, host: Host, rules: TaskRules): ChallengeContext {
  const { authorization } = presented;
  const bound = authorization !== null && bindsToKey(authorization.token);
  return {
    scheme: bound || authorization?.scheme === 'dpop' ? 'dpop' : 'bearer',
    host,
    dpopAlgorithms: rules.dpop.algorithms,
    resourceMetadata: rules.resourceMetadata,
  };
}

/**
 * The Transaction Token of the request, verified; null when there is none. Its `iss` names the issuer; without one, the
 * only issuer whose audience it names. Refusals: `task_txn_…`, `task_keys_stale`.
 */
export function txnCandidate(
  { txnToken }: PresentedTask,
  challenge: ChallengeContext,
  rules: TaskRules,
  now: number,
): Soon<VerifiedTaskToken | null | Refusal> {
  if (txnToken === null) return null;
  const refuse = (fault: TokenFault) => tokenRefusal('txn-token', fault, challenge);
  if (txnToken instanceof TokenFault) return refuse(txnToken);
  if (txnToken.header.typ !== 'txntoken+jwt')
    return refuse(new TokenFault('type', 'what stands in txn-token is no Transaction Token'));
  const issuer = txnIssuer(txnToken, rules);
  if (issuer === null)
    return refuse(new TokenFault('issuer', 'no issuer of Transaction Tokens is configured by this name'));
  return after(verifyIssuedTask(txnToken, issuer, issuer.audience, rules.tokens, now), (token) =>
    token instanceof TokenFault ? refuse(token) : candidate(token, txnToken.text, null, challenge),
  );
}

/**
 * The task token in `Authorization`, verified; null when there is none, or when what stands there only says who calls: an
 * identity token, or a JWT-SVID without any task claim. Refusals: `task_token_…`, `task_keys_stale`, and those of the
 * JWT authorities.
 */
export function authorizationCandidate(
  { authorization }: PresentedTask,
  challenge: ChallengeContext,
  rules: TaskRules,
  now: number,
): Soon<VerifiedTaskToken | null | Refusal> {
  if (authorization === null) return null;
  const { issuer } = authorization;
  if (issuer === null) return jwtSvidCandidate(authorization, challenge, rules, now);
  if (rules.identityIssuers.has(issuer) && authorization.token.header.typ !== 'at+jwt') return null;
  const refuse = (fault: TokenFault) => tokenRefusal('access-token', fault, challenge);
  const entry = rules.issuers.find((one) => one.kind === 'access-token' && one.issuer === issuer);
  if (entry?.kind !== 'access-token')
    return refuse(new TokenFault('type', 'this issuer makes no tokens that belong in authorization'));
  const audience = challenge.host.audience ?? '';
  const { token: presented, scheme } = authorization;
  return after(verifyIssuedTask(presented, entry, audience, rules.tokens, now), (token) =>
    token instanceof TokenFault ? refuse(token) : candidate(token, presented.text, scheme, challenge),
  );
}

function jwtSvidCandidate(
  { token: presented, scheme }: PresentedToken,
  challenge: ChallengeContext,
  rules: TaskRules,
  now: number,
): Soon<VerifiedTaskToken | null | Refusal> {
  const subject = unverifiedSubject(presented);
  const entry = subject === null ? undefined : jwtSvidIssuer(rules, subject.trustDomain);
  if (subject === null || entry === undefined || !statesTask(presented, entry)) return null;
  const audience = challenge.host.audience ?? '';
  return afterGood(verifySvidTask(presented, entry, subject, audience, rules.tokens, now), (token) =>
    token instanceof TokenFault
      ? tokenRefusal('jwt-svid', token, challenge)
      : candidate(token, presented.text, scheme, challenge),
  );
}

function candidate(
  token: TaskToken,
  text: string,
  scheme: VerifiedTaskToken['scheme'],
  challenge: ChallengeContext,
): VerifiedTaskToken | Refusal {
  const confirmation = readConfirmation(token.claims);
  if (confirmation instanceof TokenFault) return tokenRefusal(token.source, confirmation, challenge);
  return { token, text, confirmation, scheme };
}

function jwtSvidIssuer(rules: TaskRules, trustDomain: string): JwtSvidIssuer | undefined {
  return rules.issuers.find(
    (one): one is JwtSvidIssuer => one.kind === 'jwt-svid' && one.trustDomains.includes(trustDomain),
  );
}

/** Half a task is one too: it must then be whole. */
function statesTask({ unverifiedClaims }: UnverifiedJws, { idClaim, purposeClaim }: JwtSvidIssuer): boolean {
  return claimAt(unverifiedClaims, idClaim) !== undefined || claimAt(unverifiedClaims, purposeClaim) !== undefined;
}

function txnIssuer({ unverifiedClaims: { iss, aud } }: UnverifiedJws, rules: TaskRules): TxnTokenIssuer | null {
  const issuers = rules.issuers.filter((one): one is TxnTokenIssuer => one.kind === 'txn-token');
  const named = issuers.filter((one) => (iss === undefined ? one.audience === aud : one.issuer === iss));
  return named.length === 1 ? named[0]! : null;
}

function bindsToKey({ unverifiedClaims: { cnf } }: UnverifiedJws): boolean {
  return isJsonObject(cnf) && cnf.jkt !== undefined;
}
