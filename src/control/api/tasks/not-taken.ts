import type { OrderResult } from '../../../state/revocation-book.ts';
import type { TaskResult } from '../../../state/tasks/registry.ts';
import { ApiProblem, type ProblemCode } from '../../http/problem.ts';

type NotTaken = Exclude<OrderResult | TaskResult, { readonly result: 'stored' | 'unchanged' }>;

/** How orders of one kind are told what is not the same for all of them. */
export interface NotTakenWords {
  /** Nothing has this name. */
  readonly unknown: readonly [ProblemCode, detail: string];
  /** This process has no key that signs what opens. */
  readonly unsigned: ProblemCode;
  readonly conflict?: ProblemCode;
  readonly over?: ProblemCode;
}

/** Why an order about a revocation or a task was not taken. */
export function notTaken(
  result: NotTaken,
  { unknown, unsigned, conflict = 'conflict', over: overCode = 'over' }: NotTakenWords,
): ApiProblem {
  switch (result.result) {
    case 'conflict':
      return ApiProblem.of(conflict, result.detail);
    case 'unknown':
      return ApiProblem.of(...unknown);
    case 'full':
      return ApiProblem.of('full', result.detail);
    case 'unsigned':
      return ApiProblem.of(unsigned, result.detail);
    case 'unavailable':
      return ApiProblem.of('state_unavailable', result.detail);
    case 'over':
      return over(result.state, overCode);
  }
}

/** What is over, and lives no more by any order. */
export const over = (state: 'ended' | 'lapsed' | 'revoked', code: ProblemCode = 'over'): ApiProblem =>
  ApiProblem.of(code, state === 'revoked' ? 'it is revoked' : `it has ${state}; begin another one`);
