import type { AuthorizationCall } from '../policy/decide/call.ts';
import { authorizationCall, type PurposeHierarchy } from '../policy/decide/cedar-request.ts';
import type { Cedar, Engine, PolicyJson } from '../policy/decide/engine.ts';
import type { Question } from '../policy/decide/question.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';
import { conjuncts } from '../policy/lint/ast.ts';
import type { Expression } from './bound.ts';
import type { ReadPolicy } from './read-policies.ts';
import { shallow } from './shallow.ts';
import { type ReadValue, readValues } from './values.ts';

/** One `when` or `unless` of a policy, as it came out for a question. */
export interface ClauseResult {
  readonly kind: 'when' | 'unless';
  readonly result: 'true' | 'false' | 'error';
  /** The part that decided: the first that was not true; the whole where it is true. As Cedar text. */
  readonly part: string;
  readonly values: readonly ReadValue[];
  readonly error: string | null;
}

/** What one policy said to one question. */
export interface Account {
  readonly policy: ReadPolicy;
  /** `applies`: it permits or forbids. `error`: it could not be evaluated, which refuses the request. */
  readonly result: 'applies' | 'scope' | 'condition' | 'error';
  /** The part of the scope that does not hold, for `scope`. */
  readonly scope: 'principal' | 'action' | 'resource' | null;
  /** In the order of the text; empty for `scope`. Those behind the one that decided are left out. */
  readonly clauses: readonly ClauseResult[];
}

interface Piece {
  readonly id: string;
  readonly json: PolicyJson;
}

interface ClausePieces {
  readonly kind: ClauseResult['kind'];
  readonly body: Expression;
  /** `a`, `a && b`, `a && b && c`: a part may be evaluated only where all before it hold. */
  readonly prefixes: readonly { readonly id: string; readonly part: Expression }[];
}

interface Taken {
  readonly policy: ReadPolicy;
  readonly scope: readonly { readonly id: string; readonly name: NonNullable<Account['scope']> }[];
  readonly clauses: readonly ClausePieces[];
}

/** How a question is put to Cedar. */
export interface Explaining {
  readonly validated: ValidatedPolicies;
  readonly purposes: PurposeHierarchy;
  readonly engine: Engine;
  readonly cedar: Cedar;
}

/**
 * What every policy said to each question: its scope and each of its conditions are taken apart and asked of Cedar as
 * permits of their own, in one call. A string says why Cedar could not be asked.
 */
export function explain(
  policies: readonly ReadPolicy[],
  questions: readonly Question[],
  { validated, purposes, engine, cedar }: Explaining,
): readonly (readonly Account[])[] | string {
  const pieces: Piece[] = [];
  const taken = policies.map((policy) => takeApart(policy, pieces));
  const program = { schema: validated.schema, policies: Object.fromEntries(pieces.map(({ id, json }) => [id, json])) };
  const fault = engine.prepare(program);
  if (fault !== null) return fault;
  const accounts: (readonly Account[])[] = [];
  for (const question of questions) {
    const call = authorizationCall(question, validated.named, purposes);
    const answer = engine.ask(program, call);
    if (answer.kind !== 'answered') return answer.message;
    const said: Said = {
      holds: new Set(answer.reasons),
      errors: new Map(answer.errors.map(({ policy, message }) => [policy, message])),
      call,
      cedar,
    };
    accounts.push(taken.map((one) => accountOf(one, said)));
  }
  return accounts;
}

const OPEN = { op: 'All' } as const;
const PERMIT: PolicyJson = { effect: 'permit', principal: OPEN, action: OPEN, resource: OPEN, conditions: [] };

function takeApart(policy: ReadPolicy, pieces: Piece[]): Taken {
  const add = (json: PolicyJson): string => {
    const id = `piece${pieces.length}`;
    pieces.push({ id, json: shallow(json) });
    return id;
  };
  const { principal, action, resource, conditions } = policy.json;
  return {
    policy,
    scope: [
      { name: 'principal', id: add({ ...PERMIT, principal }) },
      { name: 'action', id: add({ ...PERMIT, action }) },
      { name: 'resource', id: add({ ...PERMIT, resource }) },
    ],
    clauses: conditions.map(({ kind, body }) => {
      const parts = conjuncts(body);
      const prefixes = parts.map((part, index) => {
        const together = parts.slice(0, index + 1).reduce((left, right) => ({ '&&': { left, right } }));
        return { part, id: add({ ...PERMIT, conditions: [{ kind: 'when', body: together }] }) };
      });
      return { kind, body, prefixes };
    }),
  };
}

interface Said {
  readonly holds: ReadonlySet<string>;
  readonly errors: ReadonlyMap<string, string>;
  readonly call: AuthorizationCall;
  readonly cedar: Cedar;
}

function accountOf({ policy, scope, clauses }: Taken, said: Said): Account {
  const outside = scope.find(({ id }) => !said.holds.has(id));
  if (outside !== undefined) return { policy, result: 'scope', scope: outside.name, clauses: [] };
  const found: ClauseResult[] = [];
  for (const pieces of clauses) {
    const clause = clauseOf(pieces, said);
    found.push(clause);
    if (clause.result === 'error') return { policy, result: 'error', scope: null, clauses: found };
    if (clause.result !== (clause.kind === 'when' ? 'true' : 'false')) {
      return { policy, result: 'condition', scope: null, clauses: found };
    }
  }
  return { policy, result: 'applies', scope: null, clauses: found };
}

function clauseOf({ kind, body, prefixes }: ClausePieces, said: Said): ClauseResult {
  const stop = prefixes.find(({ id }) => !said.holds.has(id));
  const part = stop?.part ?? body;
  const error = stop === undefined ? null : (said.errors.get(stop.id) ?? null);
  const result = stop === undefined ? 'true' : error === null ? 'false' : 'error';
  return { kind, result, part: textOf(part, said.cedar), values: readValues(part, said.call), error };
}

/** The expression as Cedar text. */
function textOf(body: Expression, cedar: Cedar): string {
  const printed = cedar.policyToText(shallow({ ...PERMIT, conditions: [{ kind: 'when', body }] }));
  if (printed.type === 'failure') return JSON.stringify(body);
  return printed.text.replace(/^[\s\S]*? when \{ /, '').replace(/ \};\s*$/, '');
}
