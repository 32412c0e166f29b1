import type { AuthorizationCall } from '../../policy/decide/call.ts';
import type { EngineAnswer, PolicyJson } from '../../policy/decide/engine.ts';
import { concerns, type RequestEnvironment } from './environments.ts';
import { callOf, type Proving, UNREPLAYED } from './prove.ts';
import { inOneFile, PERMIT_ALL, type Rule } from './rules.ts';

/** What one set of policies permits and forbids. */
export type Side = Pick<Proving, 'permits' | 'forbids'>;

/** What is known of two sides besides. */
export type Comparing = Omit<Proving, 'permits' | 'forbids' | 'alone' | 'environments'>;

/** A request that one side allows and the other denies, by both as evaluated; null: there is none. */
export type Difference =
  | { readonly kind: 'request'; readonly call: AuthorizationCall; readonly permits: readonly string[] }
  | { readonly kind: 'unknown'; readonly why: string };

export type Relation = 'equivalent' | 'narrower' | 'wider' | 'incomparable' | 'unknown';

/** How a side relates to an earlier one in an environment. */
export interface Compared {
  readonly relation: Relation;
  /** What is allowed now and was not. */
  readonly opened: Difference | null;
  /** What was allowed and is not now. */
  readonly closed: Difference | null;
}

/** What `now` allows beyond `before`, and what it no longer allows. Sound where no policy of either fails to be evaluated. */
export async function compareIn(
  environment: RequestEnvironment,
  before: Side,
  now: Side,
  comparing: Comparing,
): Promise<Compared> {
  const opened = await opens(environment, before, now, comparing);
  const closed = await opens(environment, now, before, comparing);
  const unknown = opened?.kind === 'unknown' || closed?.kind === 'unknown';
  const known =
    opened === null ? (closed === null ? 'equivalent' : 'narrower') : closed === null ? 'wider' : 'incomparable';
  return { relation: unknown ? 'unknown' : known, opened, closed };
}

/**
 * Some request that `to` allows and `from` does not. Whoever is allowed by a permit that both have is denied by `from` only
 * through a forbid that `to` lacks; so only permits that `from` lacks, and forbids that `to` lacks, are asked about, each
 * by itself. Of what `from` permits, only what a counterexample shows to matter is said to the solver.
 */
export async function opens(
  environment: RequestEnvironment,
  from: Side,
  to: Side,
  comparing: Comparing,
): Promise<Difference | null> {
  const pair = { from: within(from, environment), to: within(to, environment), environment, comparing };
  let unknown: Difference | null = null;
  for (const permit of lacking(pair.to.permits, pair.from.permits)) {
    const found = await byPermit(permit, pair);
    if (found?.kind === 'request') return found;
    unknown ??= found;
  }
  for (const forbid of lacking(pair.from.forbids, pair.to.forbids)) {
    const found = await byForbid(forbid, pair);
    if (found?.kind === 'request') return found;
    unknown ??= found;
  }
  return unknown;
}

interface Pair {
  readonly from: Side;
  readonly to: Side;
  readonly environment: RequestEnvironment;
  readonly comparing: Comparing;
}

const within = ({ permits, forbids }: Side, environment: RequestEnvironment): Side => ({
  permits: permits.filter(({ json }) => concerns(json, environment)),
  forbids: forbids.filter(({ json }) => concerns(json, environment)),
});

/** What of `some` says nothing that one of `others` says in the same words. */
function lacking(some: readonly Rule[], others: readonly Rule[]): readonly Rule[] {
  const known = new Set(others.map(({ json }) => wordsOf(json)));
  return some.filter(({ json }) => !known.has(wordsOf(json)));
}

const wordsOf = ({ annotations: _, ...json }: PolicyJson): string => JSON.stringify(json);

/** All that holds of every request that is asked, as policies. */
export const factTexts = ({ facts, estate }: Pick<Comparing, 'facts' | 'estate'>): readonly string[] =>
  textsOf([...facts, ...estate]);

const textsOf = (rules: readonly Rule[]): readonly string[] => rules.map(({ text }) => text);

/** What the permit opens. */
async function byPermit(permit: Rule, pair: Pair): Promise<Difference | null> {
  const { from, to, comparing } = pair;
  const facts = factTexts(comparing);
  const known = new Set<Rule>();
  for (;;) {
    const policies = inOneFile([permit.text, ...textsOf(to.forbids), ...facts]);
    const others = inOneFile([...textsOf([...known, ...from.forbids]), ...facts]);
    const found = await difference(policies, others, pair);
    if (found === null || found.kind === 'unknown') return found;
    const { judged } = found;
    if (judged === null) return { kind: 'request', call: found.call, permits: found.permits };
    const more = from.permits.filter((one) => judged.includes(one.id) && !known.has(one));
    if (more.length === 0) return UNREPLAYED;
    for (const one of more) known.add(one);
  }
}

/** What the lack of the forbid opens: by any permit, and where that is too much, by each. */
async function byForbid(forbid: Rule, pair: Pair): Promise<Difference | null> {
  const { to, comparing } = pair;
  const rest = [...textsOf(to.forbids), ...factTexts(comparing)];
  const ask = (permit: string) =>
    difference(inOneFile([permit, ...rest]), inOneFile([permit, ...rest, forbid.text]), pair, true);
  const any = await ask(PERMIT_ALL);
  if (any === null) return null;
  if (any.kind === 'request' && any.judged === null) return { ...any };
  let unknown: Difference | null = null;
  for (const permit of to.permits) {
    const found = await ask(permit.text);
    if (found?.kind === 'request' && found.judged === null) return { ...found };
    if (found !== null) unknown ??= found.kind === 'unknown' ? found : UNREPLAYED;
  }
  return unknown;
}

/** A request between two sets; `judged`: the permits by which `from` allows it after all, null where it really differs. */
type Found =
  | (Extract<Difference, { kind: 'request' }> & { readonly judged: readonly string[] | null })
  | Extract<Difference, { kind: 'unknown' }>;

async function difference(
  policies: string,
  others: string,
  { from, to, environment, comparing }: Pair,
  perhapsDenied = false,
): Promise<Found | null> {
  const answer = await comparing.solver.ask({ kind: 'implies', policies, others }, comparing.schema, environment);
  if (answer.kind === 'holds') return null;
  if (answer.kind === 'unknown') return answer;
  const call = callOf(answer, environment);
  if (typeof call === 'string') return { kind: 'unknown', why: call };
  const ask = ({ permits, forbids }: Side): EngineAnswer =>
    comparing.engine.ask(
      {
        schema: comparing.schema,
        policies: Object.fromEntries([...permits, ...forbids].map(({ id, text }) => [id, text])),
      },
      call,
    );
  const [now, before] = [ask(to), ask(from)];
  const sound = (one: EngineAnswer) => one.kind === 'answered' && one.errors.length === 0;
  if (now.kind !== 'answered' || before.kind !== 'answered' || !sound(now) || !sound(before)) return UNREPLAYED;
  if (now.decision !== 'allow' && !perhapsDenied) return UNREPLAYED;
  const differs = now.decision === 'allow' && before.decision === 'deny';
  return { kind: 'request', call, permits: now.reasons, judged: differs ? null : before.reasons };
}
