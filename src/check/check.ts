import { Refusal } from '../base/outcome.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller, OnVerified, VerifiedCredential } from '../identity/caller.ts';
import type { Credentials, ReadCredentials } from '../identity/credentials.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { Enforcement, Permit } from '../policy/decide/permit.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { GiveBack, PendingClaim } from '../state/commit.ts';
import type { Use } from '../state/model.ts';
import type { VerifiedTask, Why } from '../task/model.ts';
import type { ReadTask } from '../task/read-task.ts';
import { type Admission, admit } from './admission.ts';
import { type Facts, gatherFacts } from './facts.ts';
import { conclude, type JudgedHop, judge } from './judge.ts';
import { Stopwatch } from './stopwatch.ts';

/** What became known on the way, as far as the way was gone: what the audit record is built from. */
export interface Trail {
  readonly snapshot?: Snapshot<Inventory>;
  /** Microseconds of each stage that ran. */
  readonly micros?: Stopwatch['micros'];
  readonly target?: Target;
  /** What was verified of a credential and of a task that were refused. */
  readonly verified?: Verified;
  readonly caller?: Caller;
  readonly why?: Why;
  readonly facts?: Facts;
  readonly hops?: readonly JudgedHop[];
}

/** Credentials that were good by themselves: they say who was refused, and are never more than a record. */
export interface Verified {
  credential: VerifiedCredential | null;
  task: VerifiedTask | null;
}

/** An allow holds its Permit, a denial its reason; nothing else leaves a check. */
export type Decision =
  | { readonly outcome: Permit; readonly admission: Admission; readonly giveBack: GiveBack; readonly trail: Trail }
  | { readonly outcome: Refusal; readonly trail: Trail };

/** The stages, built by app.ts. Each takes what the one before proved, and the clock. */
export interface Stages {
  readonly serves: readonly string[];
  readonly enforcement: Enforcement;
  readonly taskHeaders: readonly string[];
  readonly readCredentials: ReadCredentials;
  readonly identify: (
    input: CheckInput,
    credentials: Credentials,
    target: Target,
    known: Inventory,
    now: number,
    onVerified: OnVerified,
  ) => Promise<Caller | Refusal>;
  readonly readTask: ReadTask;
  /** Uses up, after the permit, what may be used once; a GiveBack when the allow stands. */
  readonly commit: (claims: readonly PendingClaim[], use: Use, now: number) => Promise<Refusal | GiveBack>;
}

/** This one Check: its id in the audit, and when Envoy stops waiting (milliseconds since the epoch). */
export interface Occasion {
  readonly decision: string;
  readonly deadline: number;
  /** Whether Envoy stopped waiting already. */
  readonly gaveUp: () => boolean;
}

/** The way of one request, from what was read to what is decided. `now` is in milliseconds since the epoch. */
export async function check(
  input: CheckInput,
  snapshot: Snapshot<Inventory>,
  stages: Stages,
  occasion: Occasion,
  now: number,
): Promise<Decision> {
  const known = snapshot.inventory;
  const target = known.locate(input, { serves: stages.serves });
  if (target instanceof Refusal) return { outcome: target, trail: { snapshot } };

  const watch = new Stopwatch();
  const { micros } = watch;
  const verified: Verified = { credential: null, task: null };
  const credentials = stages.readCredentials(input.headers, target.resource.host);
  const caller = await stages.identify(input, credentials, target, known, now, (credential) => {
    verified.credential = credential;
  });
  watch.lap('identity');
  if (caller instanceof Refusal) return { outcome: caller, trail: { snapshot, micros, target, verified } };

  const why = await stages.readTask(input, credentials, target, caller, known, now, (task) => {
    verified.task = task;
  });
  watch.lap('task');
  if (why instanceof Refusal) return { outcome: why, trail: { snapshot, micros, target, verified, caller } };

  const facts = gatherFacts(input, caller, snapshot.headers, now);
  watch.lap('facts');
  if (facts instanceof Refusal) return { outcome: facts, trail: { snapshot, micros, target, caller, why } };

  const hops = judge(snapshot, input, target, caller, why, facts, now);
  const verdict = conclude(hops, target, why, stages.enforcement);
  watch.lap('policy');
  const trail = { snapshot, micros, target, caller, why, facts, hops };
  if (verdict instanceof Refusal) return { outcome: verdict, trail };

  if (occasion.gaveUp()) return { outcome: new Refusal('overloaded', 'Envoy gave up before it was decided'), trail };
  const { id: requestId, checkPeer, digest } = input;
  const use = {
    requestId,
    caller: caller.workload.id.text,
    checkPeer,
    digest,
    deadline: occasion.deadline,
    judgedBy: snapshot.revision,
  };
  const giveBack = await stages.commit(why.claims, use, now);
  watch.lap('commit');
  if (giveBack instanceof Refusal) return { outcome: giveBack, trail };
  const admission = admit(input.headers, target, caller, why, stages.taskHeaders, occasion.decision);
  return { outcome: verdict, admission, giveBack, trail };
}
