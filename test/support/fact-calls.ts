import { Refusal } from '../../src/base/outcome.ts';
import type { AuthorizationCall } from '../../src/policy/decide/call.ts';
import { authorizationCall } from '../../src/policy/decide/cedar-request.ts';
import { Engine, newInstance } from '../../src/policy/decide/engine.ts';
import type { Question } from '../../src/policy/decide/question.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import { NOTHING_TOUCHED } from '../../src/policy/decide/touched.ts';
import { namedBy } from '../../src/policy/load/parsed-set.ts';
import { questionsFor, type Scenario } from '../../src/policy/load/scenario.ts';
import { estateFacts } from '../../src/tools/prove/estate.ts';
import { PERMIT_ALL, type Rule } from '../../src/tools/prove/rules.ts';
import { statedTask, type World, worldOf } from './tools/contradictions.ts';
import { anyEstate, inventoryOf } from './tools/estates.ts';
import { anyPolicy } from './tools/policies.ts';
import { Random } from './tools/random.ts';
import { type Ask, anyAsk, NOW, reallyCheck } from './tools/real.ts';

const cedar = newInstance();

/** What was tried of facts. */
export interface FactsTried {
  readonly calls: number;
  readonly estates: number;
  /** Each fact that a call broke, with the call. */
  readonly faults: readonly string[];
}

/**
 * Makes calls as the product makes them, for random requests about random estates, and asks Cedar whether one of the
 * facts forbids it: those of `shipped`, and those of the estate. `asks`: requests about each estate.
 */
export async function tryFacts(shipped: readonly Rule[], seed: number, enough: number, asks = 60): Promise<FactsTried> {
  const engine = new Engine();
  const faults: string[] = [];
  let [calls, estates] = [0, 0];
  for (let number = 0; calls < enough && faults.length < 10; number++) {
    const random = new Random(seed + number);
    const world = anyWorld(random, engine);
    if (world === null) continue;
    estates++;
    const { snapshot } = world.loaded;
    const named = namedBy([...world.policies, ...shipped]);
    const own = estateFacts(snapshot.inventory, [...world.policies, ...shipped], cedar, () => {});
    const rules = [...shipped, ...own].map(({ id, text }) => [id, text] as const);
    const program = { schema: world.validated.schema, policies: Object.fromEntries([['any', PERMIT_ALL], ...rules]) };
    for (const asked of await anyQuestions(random, snapshot, asks)) {
      // What was opened is looked up only where the rest does not decide: policies that read it see it then.
      const question = { ...asked, touched: asked.touched ?? NOTHING_TOUCHED };
      const call = authorizationCall(question, named, snapshot.inventory);
      const answer = engine.ask(program, call);
      calls++;
      const holds = answer.kind === 'answered' && answer.errors.length === 0 && answer.decision === 'allow';
      if (!holds) faults.push(faultOf(seed + number, answer, call));
    }
  }
  return { calls, estates, faults };
}

const faultOf = (seed: number, answer: ReturnType<Engine['ask']>, call: AuthorizationCall): string =>
  `seed ${seed}: ${answer.kind === 'answered' ? [...answer.reasons, ...answer.errors.map(({ policy }) => policy)].join(', ') : answer.message}: ${JSON.stringify(call)}`;

function anyWorld(random: Random, engine: Engine): World | null {
  const now = inventoryOf(anyEstate(random));
  if (now === null) return null;
  const texts = Array.from({ length: 4 }, (_, i) => anyPolicy(`p${i}`, now.inventory, random, null));
  return worldOf(now.text, Object.fromEntries(texts.map((text, i) => [`p${i}.cedar`, text])), engine, new Set());
}

/** What checks and tools ask about random requests: each hop of a chain is a question. */
async function anyQuestions(
  random: Random,
  snapshot: World['loaded']['snapshot'],
  asks: number,
): Promise<readonly Question[]> {
  const found: Question[] = [];
  const seen = new Proxy(snapshot, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]) => {
        if (name === 'decide') found.push(args[0] as Question);
        return value.apply(target, args) as unknown;
      };
    },
  });
  for (let asked = 0; asked < asks; asked++) {
    const ask = anyAsk(random, snapshot.inventory);
    if (random.chance(50)) await reallyCheck(ask, seen as Snapshot<typeof snapshot.inventory>, new Set());
    else {
      const questions = questionsFor(anyScenario(random, ask), snapshot.inventory, snapshot.headers);
      if (typeof questions !== 'string' && !(questions instanceof Refusal)) found.push(...questions);
    }
  }
  return found;
}

/** The request with any facts that a person can state. */
function anyScenario(random: Random, { task, ...ask }: Ask): Scenario {
  const touched = () => ({ sensitivity: random.pick(['public', 'internal', 'confidential', 'restricted'] as const) });
  return {
    ...{ caller: ask.caller, through: [...ask.through], upgrade: ask.upgrade, client: ask.client },
    request: `${ask.method} ${ask.host}${ask.target}`,
    credential: ask.credential,
    at: new Date(NOW + random.below(1000)).toISOString(),
    task: task === null ? null : { ...statedTask(task), ...random.maybe(50, () => ({ touched: touched() })) },
    ...random.maybe(30, () => ({ risk: random.below(101) })),
    ...random.maybe(30, () => ({ signals: ['burst'] })),
    ...random.maybe(30, () => ({ approvals: ['resource-owner'] })),
    ...random.maybe(30, () => ({ credentialAge: random.below(10_000_000) })),
    ...random.maybe(30, () => ({ touched: touched() })),
  };
}
