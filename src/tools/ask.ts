import type { AuthorizationCall } from '../policy/decide/call.ts';
import { authorizationCall, type PurposeHierarchy } from '../policy/decide/cedar-request.ts';
import type { Engine, Program } from '../policy/decide/engine.ts';
import type { Question } from '../policy/decide/question.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';

/** How a question is put to Cedar. */
export interface AskOptions {
  readonly validated: ValidatedPolicies;
  readonly purposes: PurposeHierarchy;
  readonly engine: Engine;
}

/** What policies said to one question, by their ids. */
export interface Said {
  readonly call: AuthorizationCall;
  readonly holds: ReadonlySet<string>;
  readonly errors: ReadonlyMap<string, string>;
}

/** What policies that are not those of the snapshot say to each question. A string says why Cedar could not be asked. */
export function askEach(
  policies: Program['policies'],
  questions: readonly Question[],
  { validated, purposes, engine }: AskOptions,
): readonly Said[] | string {
  const calls = questions.map((question) => authorizationCall(question, validated.named, purposes));
  return askCalls(policies, calls, { schema: validated.schema, engine });
}

/** The same for calls that are written in the words of a schema. */
export function askCalls(
  policies: Program['policies'],
  calls: readonly AuthorizationCall[],
  { schema, engine }: { readonly schema: string; readonly engine: Engine },
): readonly Said[] | string {
  const program = { schema, policies };
  const fault = engine.prepare(program);
  if (fault !== null) return fault;
  const found: Said[] = [];
  for (const call of calls) {
    const answer = engine.ask(program, call);
    if (answer.kind !== 'answered') return answer.message;
    const errors = new Map(answer.errors.map(({ policy, message }) => [policy, message]));
    found.push({ call, holds: new Set(answer.reasons), errors });
  }
  return found;
}
