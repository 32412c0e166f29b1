import type { ServerResponse } from 'node:http';
import type * as z from 'zod';
import type { ControlDecision } from '../../policy/control/decide.ts';
import type { ControlAction, ControlOrder, ControlResource } from '../../policy/control/question.ts';
import type { Asker } from '../asker.ts';
import type { ControlParts } from './parts.ts';
import type { ApiProblem, ProblemCode } from './problem.ts';
import type { Slices } from './slices.ts';

/** Who asks, and what it may by the policies of one moment. */
export interface Rights extends Asker {
  readonly may: (action: ControlAction, resource: ControlResource, order?: ControlOrder) => ControlDecision;
  /** The policies that may let it view something of these kinds. */
  readonly mayViewSome: (kinds: readonly ControlResource['kind'][]) => readonly string[];
  /** Of these policies. */
  readonly revision: string;
}

/** One call of a proven caller, read and checked for its form. */
export interface Call<P = unknown, B = unknown> extends Rights {
  readonly parameters: P;
  readonly body: B;
  /** When it was read whole, in milliseconds since the epoch. */
  readonly nowMs: number;
  readonly idempotencyKey: string | null;
  /** The header of this name, as it came. */
  readonly lastEventId: string | null;
  /** Looks up again who asks, by the same proof, and by the policies of then. It is no use of a session. */
  readonly again: () => Promise<Rights | ApiProblem>;
  /** What long work asks for its pauses. */
  readonly slices: Slices;
}

/** What a call would be about: what policies judge. */
export interface Subject {
  readonly resource: ControlResource;
  /** What else must be permitted by the same order. */
  readonly more?: readonly ControlResource[];
  readonly order?: ControlOrder;
}

/** An answer that is no problem. */
export interface ApiReply {
  readonly status: 200 | 201;
  readonly body: unknown;
  /** Writes what comes in its place until the caller is gone. It must be called, and never rejects. */
  readonly stream?: (response: ServerResponse) => Promise<void>;
}

/** A call that may be carried out. */
export interface Prepared {
  /** What the audit says of the call beside who, what and by which policies: plain data. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Of a list, whose items are judged one by one: whether anything in it may be seen. */
  readonly verdict?: ControlDecision;
  /** What that verdict is about, where the route alone does not say so. */
  readonly action?: ControlAction;
  readonly resource?: ControlResource;
  /** Carries it out, once the audit has its line, at `nowMs`: what came to its end meanwhile is over. */
  readonly run: (nowMs: number) => Promise<ApiReply | ApiProblem>;
}

/** One row of the table of routes. The OpenAPI document is made of it, and so is the way of a call. */
export interface Route<P extends z.ZodType = z.ZodType, B extends z.ZodType | null = z.ZodType | null> {
  /** The operation id, and the label of metrics. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /** As OpenAPI writes it: `/revocations/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly action: ControlAction;
  /** Of path and query together. */
  readonly parameters: P;
  readonly body: B;
  /** The schemas of the answers. */
  readonly answers: Readonly<
    Partial<Record<ApiReply['status'], { readonly what: string; readonly schema: z.ZodType }>>
  >;
  /** Problems beside those that every route may have. */
  readonly problems: readonly ProblemCode[];
  /** Whether it takes an `Idempotency-Key`. */
  readonly idempotent: boolean;
  /** It answers with server-sent events. Then asking is no use of a session, which would never be idle. */
  readonly isStream?: true;
  /** Of a person, it takes a sign-in that is not older than 15 minutes. */
  readonly freshSignIn?: true;
  /** A token endpoint: it takes a form, and tells problems as RFC 6749 section 5.2 has it. */
  readonly oauth?: boolean;
  /** What is public, and given to everybody without a line in the audit. Then nothing else is asked. */
  readonly open?: (parts: ControlParts) => ApiReply | ApiProblem;
  /** What the call is about; null: a list, whose items are judged one by one. Asked before anything is told. */
  readonly subject: (call: CallOf<P, B>, parts: ControlParts) => Subject | ApiProblem | null;
  /** Judges what only a permitted caller may learn: whether what is named exists, and what the order would hit. */
  readonly prepare: (call: CallOf<P, B>, parts: ControlParts) => Promise<Prepared | ApiProblem>;
}

type Output<T> = T extends z.ZodType ? z.output<T> : null;
type CallOf<P extends z.ZodType, B extends z.ZodType | null> = Call<z.output<P>, Output<B>>;

/** A route whose handlers know the types of its schemas; in the table they are forgotten. */
export const route = <P extends z.ZodType, B extends z.ZodType | null>(given: Route<P, B>): Route =>
  given as unknown as Route;
