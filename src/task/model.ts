import type { ResponseHeader } from '../base/outcome.ts';
import type { Workload } from '../inventory/model.ts';
import type { Redemption } from '../state/redemption.ts';
import type { ChallengeContext } from './challenge.ts';
import type { TaskResource } from './resources.ts';

/** A task that is merely said in plain headers. Never a Task. */
export interface Declared {
  readonly id: string;
  readonly purpose: string;
}

/** 1 signed only, 2 signed and bound to a caller who proved possession, 3 bound and used once. */
export type Assurance = 1 | 2 | 3;

/** The kinds of token that state a task. */
export const taskSources = ['txn-token', 'access-token', 'jwt-svid'] as const;
export type TaskSource = (typeof taskSources)[number];

/** The bounded piece of work that a request belongs to, as a verified token states it. Times are seconds since the epoch. */
export interface Task {
  /** The kind of token that states it. State is keyed by source, issuer and id together. */
  readonly source: TaskSource;
  readonly id: string;
  /** A purpose of the inventory. */
  readonly purpose: string;
  readonly assurance: Assurance;
  readonly scopes: readonly string[];
  /** What it is about; null: the token names nothing, and empty: nothing that is known. */
  readonly resources: readonly TaskResource[] | null;
  readonly issuer: string;
  readonly subject: string | null;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** `sha256:` and the hex digest of the token's canonical content. */
  readonly token: string;
  readonly jti: string | null;
}

/** A task token that was verified, before it is known whether this caller may carry it: for the record of a refusal alone. */
export type VerifiedTask = Omit<Task, 'assurance'>;

/** The workloads through which a task was handed on: originator first, caller last. Without a token, the caller alone. */
export type Chain = readonly [Workload, ...Workload[]];

/** The verified task of a request, what is only declared of it, and its delegation chain. */
export interface TaskContext {
  readonly task: Task | null;
  readonly declared: Declared | null;
  readonly chain: Chain;
  /** Every verified statement behind `task`: one, or two that agree. Revoking any of them ends the task. */
  readonly backing: readonly Task[];
  /**
   * Headers in which a credential of ours stood, in lower case: `authorization` where a task token was in it, `dpop`, the
   * others. Whatever is the application's is not among them.
   */
  readonly consumed: readonly string[];
  /** What this request uses up, if it is permitted: for `redeem` of state/. */
  readonly redemptions: readonly Redemption[];
  /** RFC 7638 thumbprints of the keys that its tokens are bound to, and of those that made its proofs. */
  readonly keys: readonly string[];
  /** How a later denial asks for a better token. */
  readonly challenge: ChallengeContext;
  /** Headers that the caller gets with an allow (DPoP-Nonce). */
  readonly responseHeaders: readonly ResponseHeader[];
}
