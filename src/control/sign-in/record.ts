import { randomUUIDv7 } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { PersonFacts } from '../../identity/person.ts';
import { type AuditBody, boundedJson } from '../../observe/record.ts';
import type { ApiProblem } from '../http/problem.ts';
import type { SessionKind } from './sessions.ts';

/** What became of a session, for its line of the audit. */
export interface SessionEvent {
  readonly event: 'sign-in' | 'sign-out';
  /** Null: it was done. */
  readonly problem: ApiProblem | null;
  readonly person: PersonFacts | null;
  readonly kind: SessionKind | null;
  /** Who ended it: the person, or the provider; null for a sign-in. */
  readonly endedBy: 'person' | 'provider' | null;
  /** How many sessions ended. */
  readonly sessions: number | null;
  /** IP address of the peer. */
  readonly from: string | null;
}

/** Of what a provider or a browser said went wrong. */
const MAX_DETAIL = 512;

/** The id of a request, which is in its line of the audit and in its answer. */
export function decisionOf(request: IncomingMessage): string {
  const decision = decisions.get(request) ?? randomUUIDv7();
  decisions.set(request, decision);
  return decision;
}
const decisions = new WeakMap<IncomingMessage, string>();

/** The line. `time`: milliseconds since the epoch. It has neither ids of sessions nor tokens. */
export function sessionBody(told: SessionEvent, decision: string, time: number): AuditBody {
  const { event, problem, person, kind, endedBy, sessions, from } = told;
  const head = {
    event,
    decision,
    result: problem === null ? 'allow' : 'deny',
    reason: problem?.code ?? 'permitted',
  };
  const whole = {
    ...head,
    detail: (problem?.privateDetail ?? problem?.detail ?? null)?.slice(0, MAX_DETAIL) ?? null,
    person: person === null ? null : shownPerson(person),
    session: kind,
    ...(event === 'sign-out' ? { endedBy, sessions } : {}),
    from,
  };
  return { time, decision, json: boundedJson(whole, head) };
}

const shownPerson = ({ issuer, subject, groups, acr, amr, signedInMs }: PersonFacts) => ({
  issuer,
  subject,
  groups,
  acr,
  amr,
  signedIn: new Date(signedInMs).toISOString(),
});
