import { Refusal } from '../../base/outcome.ts';
import type { EngineAnswer } from './engine.ts';
import type { HopVerdict } from './question.ts';

/** The verdict where Cedar could not be asked. */
export function unjudged(answer: Exclude<EngineAnswer, { kind: 'answered' }>): HopVerdict {
  const reason = answer.kind === 'invalid' ? 'policy_input_invalid' : 'internal';
  return {
    result: 'error',
    permits: [],
    forbids: [],
    errors: [],
    shadow: [],
    approvals: [],
    failure: new Refusal(reason, answer.message),
  };
}
