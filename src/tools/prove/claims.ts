import type { Cedar, Engine } from '../../policy/decide/engine.ts';
import type { Problem } from '../../source/problem.ts';
import type { ClaimFiles } from './claim-files.ts';
import { environmentsOf } from './environments.ts';
import { type ClaimVerdict, factsHold, type Proving, proveClaim, type Witness } from './prove.ts';
import { areProblems, type Rule, readSentences, type Sentence } from './rules.ts';
import type { Solver } from './solver.ts';

/** What claims of one schema are about. */
export interface ClaimsOf {
  readonly files: readonly ClaimFiles[];
  readonly schema: string;
  /** The namespace whose actions are asked about. */
  readonly namespace: string;
  readonly policies: readonly Rule[];
  readonly alone: boolean;
  /** Facts of the estate, beside those of the files. */
  readonly more: (named: readonly Sentence[]) => readonly Rule[];
}

/** Claims that were read, ready to be proved. */
export interface ReadClaims {
  readonly claims: readonly Sentence[];
  readonly proving: Proving;
}

/** Reads claims and facts against a schema, or gives every problem with them. */
export function readClaims(
  { files, schema, namespace, policies, alone, more }: ClaimsOf,
  { solver, engine, cedar }: { readonly solver: Solver; readonly engine: Engine; readonly cedar: Cedar },
): ReadClaims | readonly Problem[] {
  const resolved = cedar.schemaToJsonWithResolvedTypes(schema);
  if (resolved.type === 'failure') throw new Error('a schema that was judged is none');
  const own = Object.entries(resolved.json).filter(([name]) => name === namespace);
  const claims = readSentences(
    files.flatMap((file) => file.claims),
    schema,
    cedar,
  );
  const facts = readSentences(
    files.flatMap((file) => file.facts),
    schema,
    cedar,
  );
  if (areProblems(claims)) return areProblems(facts) ? [...claims, ...facts] : claims;
  if (areProblems(facts)) return facts;
  const proving: Proving = {
    schema,
    environments: environmentsOf(Object.fromEntries(own)),
    permits: policies.filter(({ json }) => json.effect === 'permit'),
    forbids: policies.filter(({ json }) => json.effect === 'forbid'),
    facts,
    estate: more([...claims, ...facts]),
    alone,
    solver,
    engine,
  };
  return { claims, proving };
}

/** What came of all claims. */
export interface Proof {
  readonly claims: readonly { readonly claim: Sentence; readonly verdict: ClaimVerdict }[];
  readonly actions: number;
  readonly facts: number;
  /** Requests that a solver found, and that the evaluator judged alike: one that the facts leave in each environment, one that each claim forbids, and the counterexamples. */
  readonly replayed: number;
}

/** Proves claims one after the other, and tells of each; a string says what is wrong with the facts. */
export async function proveAll(
  { claims, proving }: ReadClaims,
  tell: (claim: Sentence, verdict: ClaimVerdict) => void,
): Promise<Proof | string> {
  const room = await factsHold(proving);
  if (typeof room === 'string') return room;
  const found: { claim: Sentence; verdict: ClaimVerdict }[] = [];
  for (const claim of claims) {
    const verdict = await proveClaim(claim, proving);
    tell(claim, verdict);
    found.push({ claim, verdict });
  }
  const witnesses: Witness[] = [...room];
  for (const { verdict } of found) {
    if (verdict.kind === 'proved') witnesses.push(verdict.forbidden);
    if (verdict.kind === 'refuted') witnesses.push(verdict);
  }
  const actions = new Set(proving.environments.map(({ action }) => action)).size;
  return { claims: found, actions, facts: proving.facts.length + proving.estate.length, replayed: witnesses.length };
}

/** What proofs come to, all together. */
export function totals(proofs: readonly Proof[]): Proof {
  const sum = (of: (proof: Proof) => number): number => proofs.reduce((total, proof) => total + of(proof), 0);
  return {
    claims: proofs.flatMap(({ claims }) => claims),
    actions: sum(({ actions }) => actions),
    facts: sum(({ facts }) => facts),
    replayed: sum(({ replayed }) => replayed),
  };
}

/** The line of a proof: what `policy prove` ends with. */
export function summary(proofs: readonly Proof[]): string {
  const { claims, actions, facts, replayed } = totals(proofs);
  const proved = claims.filter(({ verdict }) => verdict.kind === 'proved').length;
  return (
    `prove: ${proved} of ${claims.length} claims proved over ${actions} actions, ` +
    `${facts} facts, ${replayed} counterexamples replayed`
  );
}
