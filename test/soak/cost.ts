import { chains } from '../support/cost/chains.ts';
import { type Field, fields } from '../support/cost/fields.ts';
import { type Growth, grow } from '../support/cost/growth.ts';
import { costOf } from '../support/cost/measure.ts';
import { CostEstate } from '../support/cost/process.ts';
import { hostileTexts, regexTexts, type Text } from '../support/cost/texts.ts';
import { type Ask, encode } from '../support/world.ts';
import { ledgerReads } from '../support/world-asks.ts';
import type { SoakResult } from './run.ts';

/** The most CPU that a check may take, whatever its input. */
const GOAL_MS = 5;
const AGAIN = 4;
/** Single runs above are shown: collections of garbage are among them. */
const SHOWN_MS = 20;
/** Distinct inputs of each kind that could be remembered. */
const DISTINCT = Number(process.env.SOAK_DISTINCT ?? 100_000);
/** Inputs whose audit lines are kept. */
const KEPT = 100;
const WARM_UP = 500;
/** In the short form a cost is a fault only above this many plain checks, where half the text takes a third of it or less. */
const SHORT_FACTOR = 25;
const SUPERLINEAR = 3;
const SHORT_TEXTS = 5;

/** The input that costs most. */
interface Worst {
  readonly name: string;
  readonly median: number;
}

/** One input: a field with a text in it, or certificates. */
interface Input {
  readonly name: string;
  /** The message with this share of the longest text. */
  readonly message: (share: number) => Uint8Array;
}

/**
 * `npm run soak -- cost [short]`: what each field that a client chooses can cost the real process, audit and metrics
 * included, and what it can make it remember. The short form compares with the cost of a plain check and with half of
 * the text, so that a slow machine alone makes no fault, and leaves the growth out.
 */
export async function run([form]: readonly string[]): Promise<SoakResult> {
  const estate = await CostEstate.start();
  try {
    const plain = encode(ledgerReads()(estate.world));
    for (let at = 0; at < WARM_UP; at++) await estate.client.check(plain);
    return form === 'short' ? await short(estate, plain) : await whole(estate);
  } finally {
    await estate.stop();
  }
}

async function whole(estate: CostEstate): Promise<SoakResult> {
  const faults: string[] = [];
  const suspects: Input[] = [];
  let worst: Worst = { name: '', median: 0 };
  let count = 0;
  const began = performance.now();
  for (const input of inputs(estate, [...hostileTexts, ...regexTexts()])) {
    const { median, worst: longest, runs } = await costOf(estate, () => input.message(1));
    if (++count % KEPT === 0) estate.forgetAudit();
    if (longest > SHOWN_MS) process.stdout.write(`  one of ${runs} runs took ${figure(longest)}: ${input.name}\n`);
    if (median > GOAL_MS) suspects.push(input);
    else if (median > worst.median) worst = { name: input.name, median };
  }
  for (const input of suspects) {
    const median = await leastOf(estate, input);
    if (median > worst.median) worst = { name: input.name, median };
    if (median > GOAL_MS) faults.push(`${figure(median)}: ${input.name}`);
  }
  process.stdout.write(`  ${count} inputs: worst ${figure(worst.median)}: ${worst.name}\n`);
  const growths: Growth[] = [];
  for await (const growth of grow(estate, DISTINCT)) {
    process.stdout.write(`  ${growth.name}: ${growth.line}\n`);
    growths.push(growth);
    faults.push(...growth.faults);
  }
  const most = Math.max(...growths.map(({ mebibytes }) => mebibytes));
  return {
    line: `cost: worst ${figure(worst.median)} (${worst.name}), growth ${most} MiB; ${count} inputs, ${DISTINCT} distinct of each of ${growths.length} kinds in ${((performance.now() - began) / 1000).toFixed(0)} s, node ${process.versions.node}`,
    faults,
  };
}

/** The cost of an input when it is measured again, later and more than once: a busy machine has the first word, not the last. */
async function leastOf(estate: CostEstate, input: Input): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at < AGAIN && least > GOAL_MS; at++) {
    least = Math.min(least, (await costOf(estate, () => input.message(1))).median);
  }
  return least;
}

async function short(estate: CostEstate, plain: Uint8Array): Promise<SoakResult> {
  const faults: string[] = [];
  const floor = (await costOf(estate, () => plain)).median;
  // Others each time, over time all of them.
  const turn = Math.floor(Date.now() / 1000);
  const texts = hostileTexts.filter((_, at) => (at + turn) % Math.ceil(hostileTexts.length / SHORT_TEXTS) === 0);
  let worst: Worst = { name: 'a plain check', median: floor };
  let count = 0;
  for (const input of inputs(estate, texts)) {
    const { median } = await costOf(estate, () => input.message(1));
    count++;
    if (median > worst.median) worst = { name: input.name, median };
    if (median > SHORT_FACTOR * floor && (await isSuperlinear(estate, input)))
      faults.push(`${figure(median)}: ${input.name}`);
  }
  const times = (worst.median / floor).toFixed(1);
  return { line: `cost: ${count} inputs, worst ${times} plain checks (${worst.name})`, faults };
}

/** Whether half of the text takes a third of the time or less, also when it is measured again. */
async function isSuperlinear(estate: CostEstate, input: Input): Promise<boolean> {
  for (let at = 0; at < 3; at++) {
    const half = await costOf(estate, () => input.message(0.5));
    const all = await costOf(estate, () => input.message(1));
    if (all.median < SUPERLINEAR * half.median) return false;
  }
  return true;
}

function* inputs(estate: CostEstate, texts: readonly Text[]): Generator<Input> {
  const { world } = estate;
  const encoded = (name: string, ask: (share: number) => Ask): Input => ({
    name,
    message: (share) => encode(ask(share)),
  });
  for (const { name, ask } of chains) yield encoded(name, () => ask(world));
  for (const field of fields) {
    for (const text of texts) yield encoded(`${field.name}: ${text.name}`, (share) => asked(field, text, share));
  }
  function asked(field: Field, text: Text, share: number): Ask {
    return field.ask(world, text.of(Math.floor(field.limit * share)));
  }
}

const figure = (ms: number): string => `${ms.toFixed(1)} ms`;
