import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sourcesOf } from '../../test/support/policy.ts';
import { differentialEstate, policyFile, questions } from '../../test/support/policy-arbitraries.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { loadInventory } from '../inventory/load.ts';
import { Engine, newInstance } from '../policy/decide/engine.ts';
import type { Question } from '../policy/decide/question.ts';
import type { ValidatedPolicies } from '../policy/decide/validated.ts';
import { install, type Loaded } from '../policy/load/load.ts';
import type { Scenario } from '../policy/load/scenario.ts';
import { validate } from '../policy/load/validate.ts';
import { formatProblem } from '../source/problem.ts';
import type { Task } from '../task/model.ts';
import { explain } from './explain.ts';
import { findIdle } from './idle.ts';
import { reach } from './reach.ts';
import { type ReadPolicy, readPolicies } from './read-policies.ts';

const RUNS = Number(process.env.POLICY_TOOLS_RUNS ?? 15);
const cedar = newInstance();
const engine = new Engine();
const inventoryFile = { file: 'inventory.yaml', text: differentialEstate };

const loadedInventory = loadInventory(inventoryFile.text, inventoryFile.file, {
  ownTrustDomains: new Set(['prod.example']),
});
if (Array.isArray(loadedInventory)) throw new Error(loadedInventory.map(formatProblem).join('\n'));
const inventory: Inventory = loadedInventory;

interface World {
  readonly validated: ValidatedPolicies;
  readonly loaded: Loaded;
  readonly policies: readonly ReadPolicy[];
}

/** Runs with a snapshot of the policies; sets that Cedar warns about are loaded too, since dead policies are of interest. */
function withPolicies(text: string, use: (world: World) => void): void {
  const plain = sourcesOf({ 'a.cedar': text }, { inventory: inventoryFile });
  const sources = { ...plain, settings: { ...plain.settings, allowWarnings: true } };
  const validated = validate(sources, cedar, 0);
  if (Array.isArray(validated)) throw new Error(validated.map(formatProblem).join('\n'));
  const loaded = install(engine, sources, validated);
  if ('problems' in loaded) throw new Error(loaded.problems.map(formatProblem).join('\n'));
  use({ validated, loaded, policies: readPolicies(sources, cedar) });
}

const anyQuestions = fc.array(questions(inventory), { minLength: 1, maxLength: 6 });

/** The policies that apply to a question, or cannot be evaluated for it, as `explain` tells. */
function applying({ policies, validated }: World, question: Question) {
  const accounts = explain(policies, [question], { validated, purposes: inventory, engine, cedar });
  if (typeof accounts === 'string') throw new Error(accounts);
  return accounts[0]!;
}

test('explain says of every policy what Cedar says of them together', () => {
  fc.assert(
    fc.property(policyFile, anyQuestions, (text, asked) => {
      withPolicies(text, (world) => {
        for (const question of asked) {
          const verdict = world.loaded.snapshot.decide(question);
          const enforced = applying(world, question).filter(({ policy }) => !policy.shadow);
          const ids = (result: string, effect?: string) =>
            enforced
              .filter(
                (account) =>
                  account.result === result && (effect ?? account.policy.json.effect) === account.policy.json.effect,
              )
              .map(({ policy }) => policy.id)
              .toSorted();
          assert.deepEqual(ids('error'), verdict.errors.map(({ policy }) => policy).toSorted());
          const forbids = ids('applies', 'forbid');
          assert.deepEqual(verdict.forbids, forbids);
          assert.deepEqual(verdict.permits, forbids.length === 0 ? ids('applies', 'permit') : []);
        }
      });
    }),
    { numRuns: RUNS },
  );
});

test('a policy that applies to anything is never called idle, nor its workload unpermitted', () => {
  let idlePolicies = 0;
  fc.assert(
    fc.property(policyFile, anyQuestions, (text, asked) => {
      withPolicies(text, (world) => {
        const idle = findIdle(world.policies, world.validated, inventory, engine);
        if (typeof idle === 'string') throw new Error(idle);
        idlePolicies += idle.policies.length;
        for (const question of asked) {
          for (const { policy, result } of applying(world, question)) {
            if (result !== 'applies') continue;
            assert.ok(!idle.policies.some(({ message }) => message.startsWith(`${policy.id} can`)), policy.id);
            if (policy.json.effect === 'permit' && !policy.shadow) {
              assert.ok(!idle.workloads.includes(question.hop.entry), question.hop.entry);
            }
          }
        }
      });
    }),
    { numRuns: RUNS },
  );
  assert.ok(idlePolicies > 0, 'no policy of any run was idle: nothing was tried');
});

/** The facts that a reach states of a question: task and assurance, and at random what else is known. */
function statedOf(question: Question, more: boolean): Scenario {
  const { task, hop } = question;
  const stated: Scenario = {
    caller: hop.id.text,
    credential: 'x509-svid',
    at: new Date(question.now).toISOString(),
    task: task === null ? null : { purpose: task.purpose, assurance: task.assurance },
  };
  if (!more) return stated;
  return {
    ...stated,
    ...(question.risk === null ? {} : { risk: question.risk }),
    signals: [...question.signals],
    task: task === null ? null : wholly(task),
  };
}

const wholly = ({ purpose, assurance, scopes, resources }: Task) => ({
  ...{ purpose, assurance, scopes: [...scopes] },
  ...(resources === null ? {} : { resources: [...resources] }),
});

test('whatever is allowed to a caller stands in its reach', () => {
  let [rows, perhaps] = [0, 0];
  const alone = questions(inventory).map((question): Question => {
    const { hop } = question;
    return { ...question, chain: [hop], role: 'caller', credential: 'x509-svid' };
  });
  fc.assert(
    fc.property(policyFile, fc.array(alone, { minLength: 1, maxLength: 4 }), fc.boolean(), (text, asked, more) => {
      withPolicies(text, ({ policies, validated, loaded: { snapshot } }) => {
        for (const question of asked) {
          if (snapshot.decide(question).result !== 'allow') continue;
          const reached = reach(statedOf(question, more), { policies, validated, snapshot, engine });
          if (typeof reached === 'string') throw new Error(reached);
          const { resource, effect, action } = question.target;
          const api = resource.apis.at(-1) ?? resource.host.name;
          const row = reached.find((one) => one.api === api && one.effect === effect && one.actions.includes(action));
          assert.ok(row, `${action} ${resource.id} is missing`);
          rows++;
          if (row.when === 'perhaps') perhaps++;
        }
      });
    }),
    { numRuns: RUNS },
  );
  assert.ok(rows > 0, 'nothing was allowed, so nothing was tried');
  // A short run may meet no condition that depends on the request.
  if (RUNS >= 100) assert.ok(perhaps > 0, `${rows} allows, none of them perhaps`);
});
