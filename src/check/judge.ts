import { Refusal } from '../base/outcome.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Target, Workload } from '../inventory/model.ts';
import { factsOfEarlierHop } from '../policy/decide/facts.ts';
import { type Enforcement, type Permit, permitFrom } from '../policy/decide/permit.ts';
import type { HopVerdict, Question, Role } from '../policy/decide/question.ts';
import { type ShadowFinding, shadowFindings } from '../policy/decide/shadow.ts';
import type { Snapshot, Trials } from '../policy/decide/snapshot.ts';
import type { TouchedFacts } from '../policy/decide/touched.ts';
import type { TaskContext } from '../task/model.ts';
import { askForScope } from '../task/scopes.ts';
import type { Facts } from './recall.ts';

/** One hop of the chain with Cedar's answer about it. */
export interface JudgedHop {
  readonly workload: Workload;
  readonly role: Role;
  readonly verdict: HopVerdict;
}

/**
 * Asks Cedar about every hop by itself, with the whole chain in the context of each, so that no hop gains from another.
 * A fact of the caller's own connection (address, age of its credential) is known of the caller alone. `touched`: null where it was
 * not read.
 */
export function judge(
  snapshot: Pick<Snapshot, 'decide'>,
  input: CheckInput,
  target: Target,
  caller: Caller,
  taskContext: TaskContext,
  facts: Facts,
  touched: TouchedFacts | null,
  now: number,
  trials: Trials | null = null,
): readonly JudgedHop[] {
  const last = taskContext.chain.length - 1;
  return taskContext.chain.map((hop, index) => {
    const isCaller = index === last;
    const role: Role = isCaller ? 'caller' : index === 0 ? 'originator' : 'intermediary';
    const question: Question = {
      ...facts,
      ...(isCaller ? null : factsOfEarlierHop(facts)),
      now,
      hop,
      role,
      target,
      credential: isCaller ? caller.credential : 'delegated',
      chain: taskContext.chain,
      task: taskContext.task,
      declared: taskContext.declared,
      query: input.query,
      touched,
    };
    return { workload: hop, role, verdict: snapshot.decide(question, trials) };
  });
}

/**
 * What each shadowed policy would have made of the answer, judged over the whole check. An answer that something else
 * than policy refused afterwards stays a refusal, so nothing would have turned it into one.
 */
export function shadowOf(hops: readonly JudgedHop[], outcome: Permit | Refusal): readonly ShadowFinding[] {
  const findings = shadowFindings(hops.map(({ verdict }) => verdict));
  return outcome instanceof Refusal ? findings.filter(({ would }) => would === 'allow') : findings;
}

/** All hops must be permitted; the refusal names the hops that were not, and asks for a scope where one is missing. */
export function conclude(
  hops: readonly JudgedHop[],
  target: Target,
  taskContext: TaskContext,
  enforcement: Enforcement,
): Permit | Refusal {
  const outcome = permitFrom(
    hops.map(({ verdict }) => verdict),
    enforcement,
  );
  if (!(outcome instanceof Refusal)) return outcome;
  const refused = hops.filter(({ verdict }) => verdict.result !== 'allow');
  const names = refused.map(({ role, workload }) => `${role} ${workload.id.text}`).join(', ');
  const denial = new Refusal(outcome.reason, `${names}: ${outcome.detail}`, outcome.headers);
  return askForScope(
    denial,
    taskContext,
    target,
    refused.flatMap(({ verdict }) => verdict.forbids),
  );
}
