import { Refusal } from '../base/outcome.ts';
import { afterGood, type Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Target } from '../inventory/model.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { type BoundTask, bind, type KnownWorkloads, verifiedTask } from './binding.ts';
import { combineTasks } from './combine-tasks.ts';
import { readDeclared } from './declared.ts';
import type { TaskContext, VerifiedTask } from './model.ts';
import { type TaskOptions, taskRules } from './options.ts';
import { taskOptionProblems } from './options-check.ts';
import { consumedHeaders, presentedTask } from './presented.ts';
import { readProofs } from './proofs.ts';
import { tokenRefusal } from './token-refusal.ts';
import {
  authorizationCandidate,
  challengeContext,
  txnCandidate,
  type VerifiedTaskToken,
} from './verified-task-token.ts';

/** Finds out why a caller asks, and through whom. `now` is in milliseconds since the epoch. */
export type ReadTask = (
  input: CheckInput,
  credentials: Credentials,
  target: Target,
  caller: Caller,
  known: KnownWorkloads,
  now: number,
  /** Called with each token that was verified, and last with the one that is refused. */
  onVerified?: (task: VerifiedTask) => void,
) => Soon<TaskContext | Refusal>;

/**
 * The stage that reads tasks, by these options. Throws when they contradict themselves (options-check.ts).
 *
 * It reads whatever says why the caller asks: declared headers, task tokens, proofs. A token or a proof that is there must
 * be good: it is never taken for "no task". Nothing is used up here; `TaskContext.redemptions` are for `redeem`.
 */
export function taskReader(options: TaskOptions): ReadTask {
  const rules = taskRules(options);
  const problems = taskOptionProblems(rules);
  if (problems.length > 0) throw new Error(`tasks: ${problems.join('; ')}`);
  return (input, credentials, { resource }, caller, known, now, onVerified = () => {}) => {
    const declared = readDeclared(input.headers, rules.headers);
    if (declared instanceof Refusal) return declared;
    const presented = presentedTask(credentials, resource.host, rules);
    if (presented instanceof Refusal) return presented;
    const challenge = challengeContext(presented, resource.host, rules);
    const note = (one: VerifiedTaskToken | null): void => {
      if (one !== null) onVerified(verifiedTask(one.token));
    };
    return afterGood(txnCandidate(presented, challenge, rules, now), (txn) => {
      note(txn);
      return afterGood(authorizationCandidate(presented, challenge, rules, now), (authorization) => {
        note(authorization);
        const candidates = [txn, authorization].filter((one) => one !== null);
        const occasion = { input, challenge, caller, rules, history: rules.history(), now };
        return afterGood(readProofs(presented, candidates, occasion), (proofs) => {
          const bound: BoundTask[] = [];
          for (const one of candidates) {
            note(one);
            const outcome = bind(one.token, one.confirmation, proofs.over(one), caller, known, rules.maxDepth);
            if (outcome instanceof TokenFault) return tokenRefusal(one.token.source, outcome, challenge);
            if (outcome instanceof Refusal) return outcome;
            bound.push(outcome);
          }
          const agreed = combineTasks(bound, declared);
          if (agreed instanceof Refusal) return agreed;
          return {
            task: agreed?.task ?? null,
            declared,
            chain: agreed?.chain ?? [caller.workload],
            backing: bound.map(({ task }) => task),
            challenge,
            keys: [...new Set([...candidates.flatMap(({ confirmation }) => confirmation.keys), ...proofs.keys])],
            consumed: consumedHeaders(presented, authorization !== null),
            redemptions: proofs.redemptions,
            responseHeaders: proofs.responseHeaders,
          };
        });
      });
    });
  };
}
