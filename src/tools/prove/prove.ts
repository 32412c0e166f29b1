import type { AuthorizationCall } from '../../policy/decide/call.ts';
import type { Engine } from '../../policy/decide/engine.ts';
import { readCounterexample } from './counterexample.ts';
import { concerns, type RequestEnvironment } from './environments.ts';
import { asPermit, inOneFile, mayErr, PERMIT_ALL, type Rule, type Sentence } from './rules.ts';
import type { Solver, SolverAnswer, SolverQuestion } from './solver.ts';

/** What claims are proved about: the policies in force, and what holds of every request that is asked. */
export interface Proving {
  readonly schema: string;
  readonly environments: readonly RequestEnvironment[];
  readonly permits: readonly Rule[];
  readonly forbids: readonly Rule[];
  /** What holds of every request in any estate. */
  readonly facts: readonly Rule[];
  /** What holds in this one besides: asked only where less does not suffice, since each makes the question larger. */
  readonly estate: readonly Rule[];
  /** Whether the forbids that a claim names by `@by` have to suffice, so that none hides what became of them. */
  readonly alone: boolean;
  readonly solver: Solver;
  readonly engine: Engine;
}

/** A request that a solver found and that Cedar's evaluator judged alike. */
export interface Witness {
  readonly environment: RequestEnvironment;
  readonly call: AuthorizationCall;
}

/** What came of a claim. `proved` and `refuted` were replayed; everything else is `unknown`, which is never a pass. */
export type ClaimVerdict =
  | { readonly kind: 'proved'; readonly environments: number; readonly forbidden: Witness }
  | ({ readonly kind: 'refuted'; readonly permits: readonly string[] } & Witness)
  | { readonly kind: 'unknown'; readonly why: string; readonly environment: RequestEnvironment | null };

/** What a solver shows, and the evaluator judges otherwise: nothing is known by it. */
export const UNREPLAYED = { kind: 'unknown', why: 'the counterexample does not replay' } as const;

/** Questions that are open at once: each is two processes. */
const AT_ONCE = 2;

/**
 * Whether the facts leave room for a request in each environment, with one that shows it: facts that contradict each other prove everything.
 * A string says which fact leaves none, or why that is not known.
 */
export async function factsHold(proving: Proving): Promise<readonly Witness[] | string> {
  const { environments } = proving;
  const facts = [...proving.facts, ...proving.estate];
  const tried = await each(environments, async (environment): Promise<Witness | string> => {
    const found = await allowed([PERMIT_ALL, ...facts.map(({ text }) => text)], environment, proving);
    if (found.kind === 'call') return { environment, call: found.call };
    if (found.kind === 'unknown') return `${environment.name}: ${found.why}`;
    const culprit = await firstContradiction(environment, proving);
    return `the facts contradict each other for ${environment.name}: with ${culprit} no request is left`;
  });
  return tried.find((one) => typeof one === 'string') ?? tried.filter((one) => typeof one !== 'string');
}

/** Whether the policies refuse all that a claim forbids, in every environment that it is about. */
export async function proveClaim(claim: Sentence, proving: Proving): Promise<ClaimVerdict> {
  const about = proving.environments.filter((environment) => concerns(claim.json, environment));
  const { solver, schema } = proving;
  for (const environment of mayErr(claim) ? about : []) {
    const answer = await solver.ask({ kind: 'never-errors', policies: claim.text }, schema, environment);
    const why = answer.kind === 'unknown' ? answer.why : 'the claim cannot be evaluated for every request';
    if (answer.kind !== 'holds') return { kind: 'unknown', why, environment };
  }
  const forbidden = await firstForbidden(claim, about, proving);
  if (typeof forbidden === 'string') return { kind: 'unknown', why: forbidden, environment: null };
  const verdicts = await each(about, (environment) => proveIn(environment, claim, proving));
  const wrong = verdicts.filter((one) => one !== null);
  return (
    wrong.find(({ kind }) => kind === 'refuted') ??
    wrong[0] ?? { kind: 'proved', environments: about.length, forbidden }
  );
}

/** Null where the claim holds. */
export async function proveIn(
  environment: RequestEnvironment,
  claim: Sentence,
  proving: Proving,
): Promise<Exclude<ClaimVerdict, { kind: 'proved' }> | null> {
  const { permits, forbids, solver, schema, engine } = proving;
  const facts = [...proving.facts, ...proving.estate];
  const asked = (rules: readonly Rule[], before: readonly string[] = []): SolverQuestion => {
    const all = [...before, ...rules.map(({ text }) => text)];
    return { kind: 'implies', policies: inOneFile(all), others: inOneFile([...all, claim.text]) };
  };
  const suffice = forbids.filter(({ id }) => claim.by?.includes(id));
  if (claim.by !== null && suffice.length === claim.by.length) {
    // Whatever else is forbidden only refuses more, and nothing permits more than all.
    const first = await solver.ask(asked([...suffice, ...proving.facts], [PERMIT_ALL]), schema, environment);
    if (first.kind === 'holds') return null;
  }
  const inForce = [...permits, ...(proving.alone && claim.by !== null ? suffice : forbids)];
  const about = inForce.filter(({ json }) => concerns(json, environment));
  const answer = await solver.ask(asked([...about, ...facts]), schema, environment);
  if (answer.kind === 'holds') return null;
  if (answer.kind === 'unknown') return { kind: 'unknown', why: answer.why, environment };
  const call = callOf(answer, environment);
  if (typeof call === 'string') return { kind: 'unknown', why: call, environment };
  const policies = Object.fromEntries(inForce.map(({ id, text }) => [id, text]));
  const judged = engine.ask({ schema, policies }, call);
  const refused =
    judged.kind === 'answered' && judged.errors.length === 0 && judged.decision === 'allow' ? null : judged;
  const meant = replays([asPermit(claim), ...facts.map(({ text }) => text)], call, proving);
  if (refused === null && meant && judged.kind === 'answered')
    return { kind: 'refuted', environment, call, permits: judged.reasons };
  return { ...UNREPLAYED, environment };
}

/** A request that the policies allow, which Cedar's evaluator allows too. */
export type Allowed =
  | { readonly kind: 'none' }
  | { readonly kind: 'call'; readonly call: AuthorizationCall }
  | { readonly kind: 'unknown'; readonly why: string };

/** A request of an environment that these policies allow. */
export async function allowed(
  policies: readonly string[],
  environment: RequestEnvironment,
  proving: Pick<Proving, 'solver' | 'schema' | 'engine'>,
): Promise<Allowed> {
  const question = { kind: 'always-denies', policies: inOneFile(policies) } as const;
  const answer = await proving.solver.ask(question, proving.schema, environment);
  if (answer.kind === 'holds') return { kind: 'none' };
  if (answer.kind === 'unknown') return answer;
  const call = callOf(answer, environment);
  if (typeof call === 'string') return { kind: 'unknown', why: call };
  if (!replays(policies, call, proving)) return UNREPLAYED;
  return { kind: 'call', call };
}

/** Whether the evaluator allows the call by these policies, none of which fails. */
function replays(
  policies: readonly string[],
  call: AuthorizationCall,
  { engine, schema }: Pick<Proving, 'engine' | 'schema'>,
) {
  const program = { schema, policies: Object.fromEntries(policies.map((text, index) => [`p${index}`, text])) };
  const answer = engine.ask(program, call);
  return answer.kind === 'answered' && answer.decision === 'allow' && answer.errors.length === 0;
}

/** The call of a counterexample, or why there is none. Actions are of the schema, which brings them. */
export function callOf(
  { counterexample }: Extract<SolverAnswer, { kind: 'fails' }>,
  { principal, action, resource }: RequestEnvironment,
): AuthorizationCall | string {
  const call = readCounterexample(counterexample);
  if (call === null) return 'the counterexample cannot be read';
  const isOurs = call.principal.type === principal && call.resource.type === resource;
  if (!isOurs || `${call.action.type}::${JSON.stringify(call.action.id)}` !== action)
    return 'the counterexample is of another environment';
  return { ...call, entities: call.entities.filter(({ uid }) => uid.type !== call.action.type) };
}

async function firstForbidden(
  claim: Sentence,
  about: readonly RequestEnvironment[],
  proving: Proving,
): Promise<Witness | string> {
  const policies = [asPermit(claim), ...proving.facts.map(({ text }) => text)];
  for (const environment of about) {
    const found = await allowed(policies, environment, proving);
    if (found.kind === 'call') return { environment, call: found.call };
    if (found.kind === 'unknown') return found.why;
  }
  return 'it forbids nothing that is ever asked';
}

/** The first fact with which those before it leave no request. */
async function firstContradiction(environment: RequestEnvironment, proving: Proving): Promise<string> {
  const facts = [...proving.facts, ...proving.estate];
  let [few, many] = [0, facts.length];
  while (many - few > 1) {
    const half = Math.floor((few + many) / 2);
    const some = facts.slice(0, half).map(({ text }) => text);
    const found = await allowed([PERMIT_ALL, ...some], environment, proving);
    if (found.kind === 'none') many = half;
    else few = half;
  }
  return facts[many - 1]?.id ?? 'any';
}

/** What `of` gives for each, in their order, a few at once. */
export async function each<T, R>(items: readonly T[], of: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await of(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}
