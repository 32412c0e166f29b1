import type { SpiffeId } from '../../base/spiffe-id.ts';

/** What a caller of the control API asks to do, as actions of cedar/control.cedarschema. */
export const controlActions = ['view', 'explain', 'revoke', 'lift'] as const;
export type ControlAction = (typeof controlActions)[number];

/** How a workload proved who it is: by a certificate on this connection, or by a token that works for whoever holds it. */
export const controlProofs = ['svid', 'bearer'] as const;
export type ControlProof = (typeof controlProofs)[number];

/** Who asks. */
export interface ControlPrincipal {
  readonly kind: 'workload';
  readonly id: SpiffeId;
  readonly proof: ControlProof;
}

/** What is asked about. Owner and groups of a workload are those of the inventory, which need not know it. */
export type ControlResource =
  | { readonly kind: 'everything' }
  | { readonly kind: 'trustDomain'; readonly name: string }
  | { readonly kind: 'team'; readonly name: string }
  /** Every workload below a SPIFFE ID that has a path, and itself. */
  | { readonly kind: 'path'; readonly id: SpiffeId }
  | { readonly kind: 'workload'; readonly id: SpiffeId }
  | { readonly kind: 'task'; readonly issuer: string; readonly id: string }
  | {
      readonly kind: 'credential';
      readonly of: 'token' | 'key' | 'certificate' | 'subject';
      readonly id: string;
      /** Of a token or a subject, where it is stated. */
      readonly issuer: string | null;
    };

/** What is known of an order beside its subject. Times are milliseconds since the epoch. */
export interface ControlOrder {
  /** Asks what the order would hit, and changes nothing. */
  readonly dryRun: boolean;
  readonly untilMs: number;
}

/** What policies judge. */
export interface ControlContext {
  readonly nowMs: number;
  /** Of `revoke`, and of that alone. */
  readonly order: ControlOrder | null;
}

/** One question to the control policies. */
export interface ControlQuestion extends ControlContext {
  readonly principal: ControlPrincipal;
  readonly action: ControlAction;
  readonly resource: ControlResource;
}
