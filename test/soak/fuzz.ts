import { fileParsers } from '../support/fuzz/files.ts';
import { identityParsers } from '../support/fuzz/identity.ts';
import type { Found } from '../support/fuzz/parser.ts';
import { requestParsers } from '../support/fuzz/request.ts';
import { taskParsers } from '../support/fuzz/task.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_SECONDS = 600;
/** What the slowest input should take; above it a parser is named, since a busy machine makes failures of nothing. */
const GOAL_MS = 50;

const parsers = [...requestParsers, ...identityParsers, ...taskParsers, ...fileParsers];

/**
 * `npm run soak -- fuzz [SECONDS [PARSER]]`: no throw leaves a parser, and what it takes has one meaning. One line for each
 * parser, with the slowest input. The seed is printed; FUZZ_SEED repeats a run, with other keys.
 */
export async function run([seconds = String(DEFAULT_SECONDS), only]: readonly string[]): Promise<SoakResult> {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 2 ** 31);
  const chosen = parsers.filter(({ name }) => only === undefined || name === only);
  const found: Found[] = [];
  for (const parser of chosen) {
    const one = await parser.feed(Number(seconds) / chosen.length, seed);
    process.stdout.write(`  ${one.name}: ${one.inputs} inputs, ${one.taken} taken, slowest ${timeOf(one)}\n`);
    found.push(one);
  }
  const total = found.reduce((sum, { inputs }) => sum + inputs, 0);
  const slow = found.filter(({ slowestMs }) => slowestMs > GOAL_MS).map(({ name }) => name);
  const line =
    `${total} inputs to ${found.length} parsers, seed ${seed}, ` +
    `slowest ${Math.max(...found.map(({ slowestMs }) => slowestMs)).toFixed(1)} ms` +
    (slow.length > 0 ? `, above ${GOAL_MS} ms in ${slow.join(', ')}` : '');
  return { line, faults: found.flatMap(faultsOf) };
}

const timeOf = ({ slowestMs, slowest }: Found): string => `${slowestMs.toFixed(1)} ms: ${slowest}`;

function faultsOf({ name, inputs, taken, fault }: Found): string[] {
  if (fault !== null) return [`${name}: ${fault}`];
  if (inputs === 0) return [`${name}: nothing was tried`];
  // What takes nothing of so many that are nearly good was not tried either.
  return inputs > 100 && taken === 0 ? [`${name}: none of ${inputs} inputs was taken`] : [];
}
