import type { Fault } from '../../base/fault.ts';
import type { Refusal } from '../../base/outcome.ts';
import type { SpiffeId } from '../../base/spiffe-id.ts';
import type { UsualAndNow } from '../../behaviour/usual-and-now.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { ControlPolicies } from '../../policy/control/decide.ts';
import type { ApprovalTerms } from '../../policy/decide/validated.ts';
import type { Scenario } from '../../policy/load/scenario.ts';
import type { Activity } from '../../state/activity/model.ts';
import type { ApprovalBook } from '../../state/approvals/book.ts';
import type { RevocationBook } from '../../state/revocation-book.ts';
import type { RevocableNames } from '../../state/revocation-names.ts';
import type { RevocationLookup } from '../../state/revocations.ts';
import type { TaskLookup, TaskRegistry } from '../../state/tasks/registry.ts';
import type { BoundTask } from '../../task/binding.ts';
import type { TxnTokenIssuer } from '../../task/options.ts';
import type { SigningKeys } from '../../token/signing-keys.ts';
import type { TokenVerifier } from '../../token/verifier.ts';
import type { EventStreams } from '../events/event-streams.ts';
import type { JudgedLately } from '../events/judged.ts';

/** What takes too long for the thread that answers checks. Each gives plain data, or the problem that there is with it. */
export interface Apart {
  explain(scenario: Scenario): Promise<unknown>;
  reach(caller: string): Promise<unknown>;
}

/** The tasks that began, and for which issuers one can begin. */
export interface ControlTasks {
  readonly registry: TaskRegistry;
  /** Those that are known at `nowMs`; a Fault while nobody knows. */
  readonly current: (nowMs: number) => TaskLookup | Fault;
  /** By their `iss`; of JWT-SVIDs the SPIFFE ID of the trust domain. */
  readonly issuers: ReadonlyMap<string, TaskIssuerRules>;
  /** By the same names: the issuer of the people whom their tasks name as subjects, where it is known. */
  readonly subjectIssuers: ReadonlyMap<string, string>;
}

/** What tokens of an issuer may say of a task. */
export interface TaskIssuerRules {
  /** Those of the workloads that may hold them. */
  readonly trustDomains: readonly string[];
  /** Of the inventory, with those below them; null: any. */
  readonly purposes: readonly string[] | null;
  /** How long after the end of a task a token that carries it could be accepted. */
  readonly keptMs: number;
}

/** Inventory and control policies of one snapshot. */
export interface ControlSnapshot {
  readonly inventory: Inventory;
  readonly policies: ControlPolicies;
  /** What a grant of these approvals is good for; null where no policy asks for one of them. */
  readonly approvalTerms: (names: readonly string[]) => ApprovalTerms | null;
}

/** What is usual for a workload and what is now. */
export interface BehaviourShown extends UsualAndNow {
  readonly mode: 'learn' | 'observe' | 'act';
  readonly quarantinedUntilMs: number | null;
}

/** What is known of a workload as it can be kept elsewhere, and put back where hashes are the same. */
export interface KeptBaseline {
  /** Names the hashes that it was learned with. */
  readonly hashes: string;
  readonly bytes: Uint8Array;
}

/** What is usual for workloads, as this process counts it. */
export interface BehaviourBook {
  /** Null where it has not seen the workload. */
  readonly show: (id: SpiffeId, nowMs: number) => BehaviourShown | null;
  readonly keep: (id: SpiffeId) => KeptBaseline | null;
  /** Whom an order reaches. */
  readonly covers: 'this process' | 'store';
  /** Nothing is known of it any more. Each of these is false where nothing was. */
  readonly forget: (id: SpiffeId) => boolean;
  /** What it did lately, and never before, is usual. */
  readonly accept: (id: SpiffeId) => boolean;
  /** Puts back what was kept, of a workload that need not have been seen. */
  readonly putBack: (id: SpiffeId, kept: KeptBaseline) => 'done' | 'other hashes' | 'no baseline';
}

/** What the control API stands on. */
export interface ControlParts {
  /** Null while none could be loaded. */
  readonly snapshot: () => ControlSnapshot | null;
  readonly book: RevocationBook;
  /** Null where nothing could be granted. */
  readonly approvals: ApprovalBook | null;
  readonly measures: ApprovalMeasures;
  /** What is revoked at `nowMs`; a Fault while nobody knows. */
  readonly revocations: (nowMs: number) => RevocationLookup | Fault;
  readonly activity: Activity;
  readonly behaviour: BehaviourBook;
  readonly apart: Apart;
  readonly streams: Pick<EventStreams, 'open'>;
  readonly judged: JudgedLately;
  readonly tasks: ControlTasks;
  /** Names that an order may not misspell; null while none could be loaded. */
  readonly known: () => RevocableNames | null;
  /** The token service; null where this process has none. */
  readonly tokenService: TokenServiceParts | null;
  /** What `GET /state` shows: plain data without secrets. */
  readonly state: () => StateShown;
}

/** What is measured of decisions about approvals. */
export interface ApprovalMeasures {
  /** `seconds`: since it was asked for. */
  decided(decision: 'granted' | 'refused' | 'break-glass', seconds: number): void;
  brokeGlass(outcome: GlassOutcome): void;
}

/** `unreviewed`: refused since another one waits for a review; `refused`: for all else. */
export const glassOutcomes = ['used', 'reviewed', 'unreviewed', 'refused'] as const;
export type GlassOutcome = (typeof glassOutcomes)[number];

/** What `GET /state` shows. */
export interface StateShown {
  readonly version: string;
  readonly ready: boolean;
  /** What is missing, for a person. */
  readonly missing: readonly string[];
  /** Of the policies in force. */
  readonly revision: string | null;
  /** The parts of the process, as `/status` has them. */
  readonly parts: Readonly<Record<string, unknown>>;
}

/** What the token service of this process stands on. */
export interface TokenServiceParts {
  /** As which its tokens are read, here and at every sidecar. */
  readonly issuer: TxnTokenIssuer;
  readonly tokens: TokenVerifier;
  /** Null while no key could be read. */
  readonly keys: () => SigningKeys | null;
  /** Bounds, in seconds. */
  readonly maxTokenSeconds: number;
  readonly maxTaskSeconds: number;
  /** Workloads in a chain. */
  readonly maxDepth: number;
  readonly registry: TaskRegistry;
  /** Whom a token names that is no task token: a JWT-SVID, or a workload token, for the audience of the control API. */
  readonly subjectOf: (token: string, inventory: Inventory, nowMs: number) => Promise<Caller | Refusal>;
  /** Why the task of a token is over: it ended, lapsed or is revoked, or something that it rests on is. Null: it is not. */
  readonly over: (caller: Caller, held: BoundTask, nowMs: number) => Refusal | null;
  /** A token went out. */
  readonly issued: (grant: TokenGrant) => void;
}

/** What a token is given for. */
export type TokenGrant = 'start' | 'hand-on' | 'refresh';
