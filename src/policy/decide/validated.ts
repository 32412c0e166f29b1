import type { InventoryContent } from '../../inventory/inventory.ts';
import type { Problem } from '../../source/problem.ts';
import type { EntityUid } from './call.ts';
import type { NamedEntities } from './cedar-request.ts';
import type { PolicyFootprint } from './decider.ts';
import type { Program } from './engine.ts';
import type { ActionGroups } from './project.ts';

/** What a grant is good for: how many different persons it takes, how many uses, and how long after it. */
export interface ApprovalTerms {
  readonly quorum: 1 | 2;
  readonly uses: number;
  readonly forMs: number;
}

/** What is known of one policy beside its text. */
export interface PolicyFacts {
  readonly id: string;
  readonly file: string;
  readonly effect: 'permit' | 'forbid';
  /** `@mode("shadow")`: judged, never enforced. */
  readonly shadow: boolean;
  /** The approval that its `@approval` asks for. */
  readonly approval: string | null;
  /** What a grant of that is good for. */
  readonly terms: ApprovalTerms;
  readonly guardrail: boolean;
}

/** Whom a control policy may let view something, and of which types, as its scope says it. */
export interface ViewScope {
  /** Of the policy. */
  readonly id: string;
  /** Null: of any type. */
  readonly principalType: string | null;
  /** What it must be, or be in; null: anything. */
  readonly within: EntityUid | null;
  /** Of what may be viewed. */
  readonly types: readonly string[];
}

/** Control policies that passed. */
export interface ValidatedControl extends Program {
  readonly schema: string;
  readonly policies: Readonly<Record<string, string>>;
  readonly facts: readonly PolicyFacts[];
  /** Of its permits that may let somebody view something. */
  readonly views: readonly ViewScope[];
  readonly named: NamedEntities;
}

/** Sources that passed: plain data, so that it can come back from a worker. */
export interface ValidatedPolicies {
  readonly schema: string;
  /** The thread that serves is not held up by reading YAML once more. */
  readonly inventory: InventoryContent;
  /** `sha256:` and the hex digest of `workloads.jsonl`; null where there is none. */
  readonly workloads: string | null;
  readonly enforced: Readonly<Record<string, string>>;
  /** Each as a permit, whatever its effect: Cedar then names all that apply, and none hides another. */
  readonly shadowed: Readonly<Record<string, string>>;
  readonly policies: readonly PolicyFacts[];
  /** Every entity that a policy names, by type. */
  readonly named: NamedEntities;
  /** What each policy can learn of a call, by its id. */
  readonly footprints: ReadonlyMap<string, PolicyFootprint>;
  readonly actionGroups: ActionGroups;
  /** Null where there are none: then nobody may do anything through the control API. */
  readonly control: ValidatedControl | null;
  readonly warnings: readonly Problem[];
}
