import type { SpiffeId } from '../../base/spiffe-id.ts';
import type { PersonFacts } from '../../identity/person.ts';

/** What a caller of the control API asks to do, as actions of cedar/control.cedarschema. */
export const controlActions = [
  'view',
  'explain',
  'revoke',
  'lift',
  'teach',
  'start',
  'handOn',
  'extend',
  'end',
  'grant',
  'refuse',
  'withdraw',
  'breakGlass',
  'review',
] as const;
export type ControlAction = (typeof controlActions)[number];

/** How a workload proved who it is: by a certificate on this connection, or by a token that works for whoever holds it. */
export const controlProofs = ['svid', 'bearer'] as const;
export type ControlProof = (typeof controlProofs)[number];

/** Who asks. */
export type ControlPrincipal =
  | { readonly kind: 'workload'; readonly id: SpiffeId; readonly proof: ControlProof }
  /** By the session that began when it signed in. */
  | { readonly kind: 'person'; readonly person: PersonFacts; readonly proof: 'session' };

/** What is asked about. Owner and groups of a workload are those of the inventory, which need not know it. */
export type ControlResource =
  | { readonly kind: 'everything' }
  | { readonly kind: 'trustDomain'; readonly name: string }
  | { readonly kind: 'team'; readonly name: string }
  /** Every workload below a SPIFFE ID that has a path, and itself. */
  | { readonly kind: 'path'; readonly id: SpiffeId }
  | { readonly kind: 'workload'; readonly id: SpiffeId }
  | ControlTask
  | ControlApproval
  | {
      readonly kind: 'credential';
      readonly of: 'token' | 'key' | 'certificate' | 'subject';
      readonly id: string;
      /** Of a token or a subject, where it is stated. */
      readonly issuer: string | null;
    };

/** A task, with what a registry knows of it; null where none does. */
export interface ControlTask {
  readonly kind: 'task';
  readonly issuer: string;
  readonly id: string;
  readonly registered: TaskFacts | null;
}

/** One name of those that a denied call asked an approval for, and the request that would pass. */
export interface ControlApproval {
  readonly kind: 'approval';
  /** Of the approval request. */
  readonly id: string;
  readonly name: string;
  readonly caller: SpiffeId;
  readonly action: string;
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly sensitivity: string | null;
  readonly task: ControlTask | null;
}

/** What is registered of a task. A field that is null is not known. */
export interface TaskFacts {
  /** A team. */
  readonly owner: string | null;
  /** Of the inventory, which need not have it any more. */
  readonly purpose: string | null;
  /** SPIFFE IDs of those that may carry it. */
  readonly workloads: readonly string[] | null;
  /** Whoever began it: a SPIFFE ID, or a person (`personText`). */
  readonly startedBy: string | null;
}

/** What is known of an order beside its subject. Times are milliseconds since the epoch. */
export type ControlOrder = RevokeOrder | StartOrder | HandOnOrder | GrantTerms;

/** What a person would let pass, until then. */
interface GrantTerms {
  readonly action: 'grant';
  readonly uses: number;
  readonly untilMs: number;
}

interface RevokeOrder {
  readonly action: 'revoke';
  /** Asks what the order would hit, and changes nothing. */
  readonly dryRun: boolean;
  readonly untilMs: number;
}

/** What a task, or the next token of one, would allow. */
interface TaskTerms {
  readonly issuer: string;
  /** Of the inventory. */
  readonly purpose: string;
  readonly scopes: readonly string[];
  readonly untilMs: number;
}

interface StartOrder extends TaskTerms {
  readonly action: 'start';
  readonly dryRun: boolean;
  /** The task that it would be a part of. */
  readonly parent: ControlTask | null;
}

interface HandOnOrder extends TaskTerms {
  readonly action: 'handOn';
  /** Workloads of the chain, the next one among them. */
  readonly depth: number;
}

/** What policies judge. */
export interface ControlContext {
  readonly nowMs: number;
  /** That of `revoke`, `start`, `handOn` or `grant`; null for the other actions. */
  readonly order: ControlOrder | null;
}

/** One question to the control policies. */
export interface ControlQuestion extends ControlContext {
  readonly principal: ControlPrincipal;
  readonly action: ControlAction;
  readonly resource: ControlResource;
}
