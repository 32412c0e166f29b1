import { Engine } from '../../src/policy/decide/engine.ts';
import { checkAgainstSchema } from '../../src/policy/load/parsed-set.ts';
import type { ReadClaims } from '../../src/tools/prove/claims.ts';
import { concerns } from '../../src/tools/prove/environments.ts';
import { type ClaimVerdict, proveIn } from '../../src/tools/prove/prove.ts';
import { type Rule, readRule, type Sentence } from '../../src/tools/prove/rules.ts';
import { Solver } from '../../src/tools/prove/solver.ts';
import { proveTools } from '../support/prove-tools.ts';
import { cedar, shippedClaims, shippedRules, shippedSchema } from '../support/proved.ts';
import { weakerPolicies } from './weaker-policies.ts';

/**
 * Does each condition of each guardrail have a claim that rests on it? One guardrail after another is weakened: left out,
 * one alternative or requirement deleted, one comparison shifted by one. Some claim must be refuted with a request that
 * replays. A weakening that changes nothing which is ever asked is proved to do so, and counted apart.
 * `node test/mutation/claims.ts [WORD]` takes the guardrails whose name holds the word.
 */

interface Weakened {
  readonly guardrail: Rule;
  readonly what: string;
  /** Null: it is left out. */
  readonly rule: Rule | null;
}

const [, , word = ''] = process.argv;
const listed = (['', 'control'] as const).map((within) => ({ within, mutants: weakenedBy(within) }));
const all = listed.flatMap(({ mutants }) => mutants);
process.exitCode = await run();

/** The exit code: 1 when a weakening goes unnoticed. */
async function run(): Promise<number> {
  if (process.env.MUTATION_LIST === '1') {
    process.stdout.write(`claims: ${all.length} mutants\n`);
    return all.length > 0 ? 0 : 1;
  }
  const solver = await Solver.open(await proveTools());
  if (typeof solver === 'string') throw new Error(solver);
  let [unnoticed, same] = [0, 0];
  for (const { within, mutants } of listed) {
    const read = await shippedClaims(within, shippedRules(within), { solver, engine: new Engine() });
    for (const mutant of mutants) {
      if (await refutedBy(mutant, read)) continue;
      const isSame = await changesNothing(mutant, read);
      if (isSame) same++;
      else unnoticed++;
      process.stdout.write(`  ${isSame ? 'changes nothing' : 'unnoticed'}: ${mutant.guardrail.id}: ${mutant.what}\n`);
    }
  }
  solver.close();
  const more = same === 0 ? '' : `, ${same} more change nothing that is ever asked`;
  process.stdout.write(`claims: ${all.length - same} mutants, ${unnoticed} unnoticed${more}\n`);
  return unnoticed === 0 && all.length > same ? 0 : 1;
}

function weakenedBy(within: '' | 'control'): readonly Weakened[] {
  const guardrails = shippedRules(within).filter(({ id, json }) => json.effect === 'forbid' && id.includes(word));
  return guardrails.flatMap((guardrail) => [
    { guardrail, what: 'left out', rule: null },
    ...weakerPolicies(guardrail.json, cedar).flatMap(({ what, json }): Weakened[] => {
      const answer = cedar.policyToText(json);
      if (answer.type === 'failure') return [];
      const rule = readRule(guardrail.id, answer.text, cedar);
      // What is no valid policy any more is refused before it is served, and shows nothing of claims.
      return isValid(rule, shippedSchema(within)) ? [{ guardrail, what, rule }] : [];
    }),
  ]);
}

/** Whether some claim that rests on the guardrail is refuted. */
async function refutedBy({ guardrail, rule }: Weakened, { claims, proving }: ReadClaims): Promise<boolean> {
  for (const claim of claims.filter(({ by }) => by?.includes(guardrail.id))) {
    if ((await verdictOf(claim, rule, guardrail, proving))?.kind === 'refuted') return true;
  }
  return false;
}

/** Whether what is left of the guardrail refuses all that it refused. */
async function changesNothing({ guardrail, rule }: Weakened, { proving }: ReadClaims): Promise<boolean> {
  const original: Sentence = { ...guardrail, sentence: '', by: [guardrail.id] };
  const verdict = await verdictOf(original, rule, guardrail, proving);
  if (verdict?.kind === 'unknown') process.stdout.write(`  ${guardrail.id}: ${verdict.why}\n`);
  return verdict === null;
}

/** What comes of a claim with what is left of a guardrail: the first answer that is no proof. */
async function verdictOf(
  claim: Sentence,
  rule: Rule | null,
  guardrail: Rule,
  proving: ReadClaims['proving'],
): Promise<ClaimVerdict | null> {
  const others = proving.forbids.filter(({ id }) => id !== guardrail.id);
  const weaker = { ...proving, forbids: rule === null ? others : [...others, rule] };
  for (const environment of proving.environments.filter((one) => concerns(claim.json, one))) {
    const verdict = await proveIn(environment, claim, weaker);
    if (verdict !== null) return verdict;
  }
  return null;
}

function isValid(rule: Rule, schema: string): boolean {
  const source = { file: 'mutant.cedar', text: rule.text };
  const parsed = { ...rule, source, start: 0, guardrail: true };
  return checkAgainstSchema(cedar, schema, [parsed], () => []).errors.length === 0;
}
