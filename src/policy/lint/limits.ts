import type { Problem } from '../../source/problem.ts';
import { type PolicyText, problemIn } from '../text/split-policies.ts';
import { byDepth, OPENING } from '../text/tokens.ts';

/**
 * Far below what kills a Wasm instance (118 nested brackets, 360 operators in a row; measured on the pinned Node, see
 * docs/decisions/2026-11-25-cedar-where-it-runs.md), and far above what a person can review.
 */
const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 32;
const MAX_OPERATORS = 64;
const MAX_CLAUSES = 32;
/** `a.b.c`: each step is a level of the evaluator too. */
const MAX_STEPS = 128;

const OPERATORS: ReadonlySet<string> = new Set(['&&', '||', '+', '-', '*', '!', 'if']);

/** What of a policy is larger than the engine is trusted with. Looks at the text alone, before Cedar sees it. */
export function limitProblems(policy: PolicyText): Problem[] {
  const problems: Problem[] = [];
  const over = (offset: number, message: string): void => {
    problems.push(problemIn(policy, offset, message));
  };
  if (Buffer.byteLength(policy.text) > MAX_BYTES)
    over(0, `longer than ${MAX_BYTES} bytes; make several policies of it`);
  const seen = { operators: 0, clauses: 0, steps: 0 };
  for (const [{ text, start }, depth] of byDepth(policy.tokens)) {
    if (OPENING.has(text) && depth === MAX_DEPTH + 1) {
      over(start, `nested deeper than ${MAX_DEPTH} brackets; make several policies of it`);
    } else if (OPERATORS.has(text) && ++seen.operators === MAX_OPERATORS + 1) {
      over(start, `more than ${MAX_OPERATORS} operators; use [...].contains(x) instead of ||, or several policies`);
    } else if ((text === 'when' || text === 'unless') && depth === 0 && ++seen.clauses === MAX_CLAUSES + 1) {
      over(start, `more than ${MAX_CLAUSES} clauses; join them, or make several policies of it`);
    } else if (text === '.' && ++seen.steps === MAX_STEPS + 1) {
      over(start, `more than ${MAX_STEPS} attribute accesses; make several policies of it`);
    }
  }
  return problems;
}
