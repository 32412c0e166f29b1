import type { Refusal } from '../base/outcome.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { AuthorizationCall } from '../policy/decide/call.ts';
import { authorizationCall } from '../policy/decide/cedar-request.ts';
import type { Cedar, Engine, PolicyJson } from '../policy/decide/engine.ts';
import { refusalOf } from '../policy/decide/permit.ts';
import { type HopVerdict, type Question, TOUCHED_DECIDES } from '../policy/decide/question.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { NOTHING_TOUCHED } from '../policy/decide/touched.ts';
import { conjuncts } from '../policy/lint/ast.ts';
import { type AskOptions, askCalls, type Said } from './ask.ts';
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

/**
 * What every policy said to each question: its scope and each of its conditions are taken apart and asked of Cedar as
 * permits of their own, in one call. A string says why Cedar could not be asked.
 */
export function explain(
  policies: readonly ReadPolicy[],
  questions: readonly Question[],
  { validated, purposes, ...engines }: AskOptions & { readonly cedar: Cedar },
): readonly (readonly Account[])[] | string {
  const calls = questions.map((question) => authorizationCall(question, validated.named, purposes));
  return explainCalls(policies, calls, { schema: validated.schema, ...engines });
}

/** The same for calls that are written in the words of a schema. */
export function explainCalls(
  policies: readonly ReadPolicy[],
  calls: readonly AuthorizationCall[],
  { schema, engine, cedar }: { readonly schema: string; readonly engine: Engine; readonly cedar: Cedar },
): readonly (readonly Account[])[] | string {
  const pieces = new Map<string, PolicyJson>();
  const add: Add = (part) => {
    const id = `piece${pieces.size}`;
    pieces.set(id, shallow({ ...PERMIT, ...part }));
    return id;
  };
  const taken = policies.map((policy) => takeApart(policy, add));
  const answers = askCalls(Object.fromEntries(pieces), calls, { schema, engine });
  if (typeof answers === 'string') return answers;
  return answers.map((said) => taken.map((account) => account(said, cedar)));
}

/** One hop of a request with what policies say to it. */
export interface ExplainedHop {
  readonly question: Question;
  readonly result: HopVerdict['result'];
  readonly said: readonly Account[];
  /** Policies that are left out. */
  readonly aside: number;
}

export interface Explanation {
  /** Why policies refuse the request; null where they permit it. */
  readonly refusal: Refusal | null;
  readonly hops: readonly ExplainedHop[];
}

/**
 * What policies decide about a request, and what each that decided or came close said to each hop; with `all`, what every
 * policy said. A string says why Cedar could not be asked.
 */
export function explainRequest(
  policies: readonly ReadPolicy[],
  questions: readonly Question[],
  snapshot: Snapshot<Inventory>,
  asking: Omit<AskOptions, 'purposes'> & { readonly cedar: Cedar },
  all: boolean,
): Explanation | string {
  const verdicts = questions.map((question) => snapshot.decide(question));
  if (verdicts.includes(TOUCHED_DECIDES)) return 'it depends on what was opened before, which the line does not tell';
  // Where that decides nothing, any value will do.
  const answered = questions.map((question) => ({ ...question, touched: question.touched ?? NOTHING_TOUCHED }));
  const accounts = explain(policies, answered, { ...asking, purposes: snapshot.inventory });
  if (typeof accounts === 'string') return accounts;
  const hops = questions.map((question, index): ExplainedHop => {
    const accountsOf = accounts[index] ?? [];
    const said = accountsOf.filter((account) => all || isTelling(account));
    return { question, result: verdicts[index]?.result ?? 'error', said, aside: accountsOf.length - said.length };
  });
  return { refusal: refusalOf(verdicts), hops };
}

/** Decides, or came close: a forbid whose condition fails, and whatever is about other requests, tells little. */
export function isTelling({ result, policy }: Account): boolean {
  if (result === 'condition') return policy.json.effect === 'permit' || policy.shadow;
  return result !== 'scope';
}

/** An explanation as plain data; `path` names a file as its reader does. */
export const explanationJson = ({ refusal, hops }: Explanation, path: (file: string) => string) => ({
  result: refusal === null ? 'allow' : 'deny',
  reason: refusal?.reason ?? null,
  hops: hops.map(({ question, result, said }) => ({
    id: question.hop.id.text,
    role: question.role,
    result,
    policies: said.map((account) => accountJson(account, path)),
  })),
});

/** What one policy said, as plain data. */
export function accountJson(
  { policy: { id, shadow, json, remark }, ...told }: Account,
  path: (file: string) => string,
) {
  const { file, line } = remark('');
  return { id, effect: json.effect, shadow, file: path(file), line, ...told };
}

const OPEN = { op: 'All' } as const;
const PERMIT: PolicyJson = { effect: 'permit', principal: OPEN, action: OPEN, resource: OPEN, conditions: [] };

/** Adds a permit that says no more than this, and gives its id. */
type Add = (part: Partial<PolicyJson>) => string;

/** Takes a policy apart; what it gives tells what the policy said from what its parts said. */
function takeApart(policy: ReadPolicy, add: Add): (said: Said, cedar: Cedar) => Account {
  const { json } = policy;
  const parts = (['principal', 'action', 'resource'] as const).map((scope) => ({
    scope,
    id: add({ [scope]: json[scope] }),
  }));
  const judges = json.conditions.map((condition) => takeClause(condition, add));
  return (said, cedar) => {
    const outside = parts.find(({ id }) => !said.holds.has(id));
    if (outside !== undefined) return { policy, result: 'scope', scope: outside.scope, clauses: [] };
    const clauses: ClauseResult[] = [];
    for (const judge of judges) {
      const clause = judge(said, cedar);
      clauses.push(clause);
      if (clause.result === 'error') return { policy, result: 'error', scope: null, clauses };
      if (clause.result !== (clause.kind === 'when' ? 'true' : 'false')) {
        return { policy, result: 'condition', scope: null, clauses };
      }
    }
    return { policy, result: 'applies', scope: null, clauses };
  };
}

type Condition = PolicyJson['conditions'][number];

function takeClause({ kind, body }: Condition, add: Add): (said: Said, cedar: Cedar) => ClauseResult {
  // `a`, `a && b`, `a && b && c`: a part may be evaluated only where all before it hold.
  const prefixes = conjuncts(body).map((part, index, parts) => {
    const together = parts.slice(0, index + 1).reduce((left, right) => ({ '&&': { left, right } }));
    return { part, id: add({ conditions: [{ kind: 'when', body: together }] }) };
  });
  return ({ holds, errors, call }, cedar) => {
    const stop = prefixes.find(({ id }) => !holds.has(id));
    const part = stop?.part ?? body;
    const error = stop === undefined ? null : (errors.get(stop.id) ?? null);
    const result = stop === undefined ? 'true' : error === null ? 'false' : 'error';
    return { kind, result, part: textOf(part, cedar), values: readValues(part, call), error };
  };
}

/** The expression as Cedar text. */
function textOf(body: Expression, cedar: Cedar): string {
  const printed = cedar.policyToText(shallow({ ...PERMIT, conditions: [{ kind: 'when', body }] }));
  if (printed.type === 'failure') return JSON.stringify(body);
  return printed.text.replace(/^[\s\S]*? when \{ /, '').replace(/ \};\s*$/, '');
}
