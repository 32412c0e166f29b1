import { Engine } from '../../src/policy/decide/engine.ts';
import {
  approvalContradiction,
  explainContradiction,
  idleContradiction,
  idleOf,
  laterContradiction,
  reachContradiction,
  reachFacts,
  reachOf,
  sameContradiction,
  shadowContradictions,
  testContradiction,
  type World,
  worldOf,
} from '../support/tools/contradictions.ts';
import { anyEstate, changedEstate, inventoryOf } from '../support/tools/estates.ts';
import { anyFocus, anyPolicy } from '../support/tools/policies.ts';
import { Random } from '../support/tools/random.ts';
import { type Ask, anyAsk, type Checked, reallyCheck } from '../support/tools/real.ts';
import type { SoakResult } from './run.ts';

const ESTATES = 200;
const ASKS = 30;
/** Reaches of one estate: each asks for everything that its inventory lists. */
const MAX_REACHES = 3;
const FAULTS = 20;

/** What was asked, what came of it, and what contradicted. */
interface Tally {
  questions: number;
  allowed: number;
  early: number;
  approvals: number;
  readonly faults: string[];
}

/**
 * `npm run soak -- tools [ESTATES [FAULTS]]`: estates that nest, overlap and change, and about each the same requests to the check
 * of the sidecar and to every tool for policies, up to so many faults. The seed is printed; TOOLS_SEED repeats a run.
 */
export async function run([estates = String(ESTATES), most = String(FAULTS)]: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.TOOLS_SEED ?? Date.now() % 2 ** 31);
  const tally: Tally = { questions: 0, allowed: 0, early: 0, approvals: 0, faults: [] };
  const engine = new Engine();
  let tried = 0;
  for (let number = 0; tried < Number(estates) && tally.faults.length < Number(most); number++) {
    if (await tryEstate(seed + number, engine, tally)) tried++;
  }
  const { questions, allowed, early, approvals, faults } = tally;
  // A generator whose requests are all refused would find nothing.
  if (tried >= 20 && Math.min(allowed, early, approvals) < tried / 4)
    faults.push(`only ${allowed} requests were allowed, ${early} refused early, ${approvals} asked for an approval`);
  const line = `tools: ${questions} questions over ${tried} estates, ${faults.length} contradictions`;
  return { line: `${line} (seed ${seed}, ${allowed} allowed, ${early} refused before policies)`, faults };
}

const writesNeedAnApproval = `@id("approval") @approval("owner")
forbid (principal, action in Mesh::Action::"write", resource) unless { context.approvals.contains("owner") };\n`;

/** False when the estate could not be loaded. */
async function tryEstate(seed: number, engine: Engine, tally: Tally): Promise<boolean> {
  const random = new Random(seed);
  const sections = anyEstate(random);
  const now = inventoryOf(sections);
  const later = inventoryOf(changedEstate(sections, random));
  if (now === null || later === null) return false;
  const focus = random.chance(40) ? anyFocus(now.inventory, random) : null;
  const texts = Array.from({ length: 5 + random.below(8) }, (_, i) => anyPolicy(`p${i}`, now.inventory, random, focus));
  if (focus !== null) texts.push(`@id("focus") permit (principal, action, resource) when { ${focus} };\n`);
  if (random.chance(50)) texts.push(writesNeedAnApproval);
  const files = Object.fromEntries(texts.map((text, i) => [`p${i}.cedar`, text]));
  const shown = new Set(random.chance(60) ? ['q', 'r'] : random.pick([[], ['q']]));
  const world = worldOf(now.text, files, engine, shown);
  if (world === null) return false;
  const changed = random.chance(50)
    ? files
    : { ...files, 'new.cedar': anyPolicy('new', later.inventory, random, null) };
  const after = worldOf(later.text, changed, engine, shown);
  const asks = Array.from({ length: ASKS }, () => anyAsk(random, now.inventory));
  await compare(
    asks,
    world,
    after,
    (fault, ask) => {
      tally.faults.push(`seed ${seed}: ${fault}${ask === null ? '' : `; ${JSON.stringify(ask)}`}`);
    },
    tally,
  );
  return true;
}

type Report = (fault: string, ask: Ask | null) => void;

async function compare(asks: readonly Ask[], world: World, after: World | null, report: Report, tally: Tally) {
  const idle = idleOf(world);
  if (typeof idle === 'string') return report(idle, null);
  const reaches = new Map<string, ReturnType<typeof reachOf>>();
  const reals: Checked[] = [];
  for (const [number, ask] of asks.entries()) {
    const real = await reallyCheck(ask, world.loaded.snapshot, world.shown);
    reals.push(real);
    if (real.result === 'allow') tally.allowed++;
    if (real.record.hops.length === 0) tally.early++;
    if (real.reason === 'approval_required') tally.approvals++;
    const explained = explainContradiction(ask, real, world);
    const found = [
      testContradiction(ask, real, world),
      explained.fault,
      idleContradiction(explained.applying, real, idle, world.loaded.snapshot),
      approvalContradiction(ask, real, world),
      sameContradiction(real, world),
    ];
    if (after !== null)
      found.push(laterContradiction(real, await reallyCheck(ask, after.loaded.snapshot, after.shown), after));
    if (real.result === 'allow') {
      const facts = reachFacts(ask, [0, 0, 1, 2][number % 4] ?? 0);
      const key = JSON.stringify(facts);
      const reached = reaches.get(key) ?? (reaches.size < MAX_REACHES ? reachOf(facts, world) : null);
      if (reached !== null) {
        reaches.set(key, reached);
        found.push(reachContradiction(real, reached));
      }
    }
    tally.questions += found.length;
    for (const fault of found) if (fault !== null) report(fault, ask);
  }
  const shadowed = await shadowContradictions(asks, reals, world);
  tally.questions += asks.length;
  for (const fault of shadowed) report(fault, null);
}
