import type { IncomingMessage } from 'node:http';
import { Fault } from '../../base/fault.ts';
import type { PersonFacts } from '../../identity/person.ts';
import type { AuditBody } from '../../observe/record.ts';
import { ApiProblem } from '../http/problem.ts';
import { droppedBody } from '../http/record.ts';
import { RefusedLines } from '../http/refused-lines.ts';
import { NoAnswer, type SignedIn, type SignInFault } from './provider.ts';
import { decisionOf, type SessionEvent, sessionBody } from './record.ts';
import type { SessionKind } from './sessions.ts';

/** What became of the sessions of people, for a metric. */
export type SignInResult = 'signed-in' | 'refused' | 'signed-out' | 'ended-by-provider';

export interface SessionAuditOptions {
  /** Writes a line of the audit: false where it is not in every sink in time. */
  readonly audit: (body: AuditBody, orWithdraw: boolean) => Promise<boolean>;
  readonly counted: (result: SignInResult) => void;
  /** Refused sign-ins that got no line of their own. */
  readonly dropped: (calls: number) => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Writes down what becomes of sign-ins and sessions, and counts it. */
export class SessionAudit {
  readonly #options: SessionAuditOptions;
  readonly #refused: RefusedLines;

  constructor(options: SessionAuditOptions) {
    this.#options = options;
    this.#refused = new RefusedLines((calls) => {
      options.dropped(calls);
      void options.audit(droppedBody(calls, options.clock()), false);
    });
  }

  /** Writes what was counted and not told. */
  close(): void {
    this.#refused.flush();
  }

  /** Begins something for a person who signed in, after its line of the audit. */
  async began(
    request: IncomingMessage,
    { person }: SignedIn,
    kind: SessionKind,
    begin: () => Promise<string | Fault>,
  ): Promise<string | ApiProblem> {
    const { audit, clock, counted } = this.#options;
    const event = { event: 'sign-in', problem: null, person, kind, endedBy: null, sessions: null } as const;
    if (!(await audit(sessionBody({ ...event, from: fromOf(request) }, decisionOf(request), clock()), true)))
      return ApiProblem.of('audit_unavailable');
    const id = await begin();
    if (id instanceof Fault)
      return this.refuse(request, ApiProblem.of('state_unavailable', id.detail), 'sign-in', person);
    counted('signed-in');
    return id;
  }

  /** Tells of sessions that ended. What closes is done in any case. */
  async ended(
    request: IncomingMessage,
    person: PersonFacts | null,
    kind: SessionKind | null,
    endedBy: SessionEvent['endedBy'],
    sessions: number,
  ): Promise<void> {
    const { audit, clock, counted } = this.#options;
    const event = { event: 'sign-out', problem: null, person, kind, endedBy, sessions, from: fromOf(request) } as const;
    await audit(sessionBody(event, decisionOf(request), clock()), false);
    counted(endedBy === 'provider' ? 'ended-by-provider' : 'signed-out');
  }

  /** Tells of somebody whom the provider did not vouch for. */
  notIn(request: IncomingMessage, fault: SignInFault): Promise<ApiProblem> {
    const code = fault instanceof NoAnswer ? 'provider_unavailable' : 'sign_in_refused';
    return this.refuse(request, ApiProblem.of(code, null, { privateDetail: fault.detail }));
  }

  /** Tells of what was refused: of strangers, so many a second get a line. Gives the problem. */
  async refuse(
    request: IncomingMessage,
    problem: ApiProblem,
    event: SessionEvent['event'] = 'sign-in',
    person: PersonFacts | null = null,
  ): Promise<ApiProblem> {
    const { audit, clock, counted } = this.#options;
    counted('refused');
    const told = { event, problem, person, kind: null, endedBy: null, sessions: null, from: fromOf(request) };
    if (this.#refused.take('stranger')) await audit(sessionBody(told, decisionOf(request), clock()), false);
    return problem;
  }
}

const fromOf = ({ socket }: IncomingMessage): string | null => socket.remoteAddress ?? null;
