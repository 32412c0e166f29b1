import { newInstance } from '../policy/decide/engine.ts';
import { pathNotes } from '../policy/lint/paths.ts';
import type { Problem } from '../source/problem.ts';
import { findIdle } from '../tools/idle.ts';
import { keyNotes } from '../tools/key-notes.ts';
import { noteworthy } from '../tools/notes.ts';
import { readPolicies } from '../tools/read-policies.ts';
import { areRuns, runTests } from '../tools/run-tests.ts';
import { readArguments } from './arguments.ts';
import { DONE, FAILED, type Io } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, openFolder, report } from './policy-open.ts';

export const CHECK_USAGE = `policy check FOLDER [--inventory FILE] [--config FILE]
  what a sidecar does before it uses a folder: lint, strict validation, the folder's tests; then notes on unused
  permits and workloads
${FOLDER_USAGE}`;

/** `policy check`: 0 when a sidecar would serve the folder, 1 with every problem at its place. */
export async function policyCheck(args: readonly string[], io: Io): Promise<number> {
  const parsed = readArguments(args, FOLDER_OPTIONS, CHECK_USAGE, io);
  if (typeof parsed === 'number') return parsed;
  const opened = await openFolder(parsed.positionals, parsed.values, CHECK_USAGE, io, FAILED);
  if (typeof opened === 'number') return opened;
  const { sources, validated, engine, loaded, notes, place } = opened;
  const runs = runTests(sources, loaded.snapshot);
  if (!areRuns(runs)) return report(runs, place, io);
  const outcomes = runs.flatMap((run) => run.outcomes);
  const failed = outcomes.flatMap(({ stated, differs }) => (differs === null ? [] : [stated.problem(differs)]));
  if (failed.length > 0) return report(failed, place, io);
  const policies = readPolicies(sources, newInstance());
  const idle = findIdle(policies, validated, loaded.snapshot.inventory, engine);
  if (typeof idle === 'string') {
    io.err(`unused permits and workloads cannot be determined: ${idle}\n`);
    return FAILED;
  }
  const noted = [...partialPatterns(policies), ...noteworthy(policies, loaded.snapshot.inventory, sources.settings)];
  const remarks = [
    ...notes,
    ...loaded.warnings,
    ...shadowedForbids(policies),
    ...idle.policies,
    ...noted,
    ...keyNotes(policies),
  ];
  for (const remark of remarks) io.out(`${place({ ...remark, message: `note: ${remark.message}` })}\n`);
  for (const entry of idle.workloads) io.out(`note: nothing permits anything to ${entry}\n`);
  const own = policies.filter(({ guardrail }) => !guardrail);
  const shadowed = own.filter(({ shadow }) => shadow).length;
  const counts = [
    count(own.length, 'policy', 'policies'),
    ...(shadowed > 0 ? [`${shadowed} of them in shadow`] : []),
    count(policies.length - own.length, 'guardrail', 'guardrails'),
    count(outcomes.length, 'test', 'tests'),
  ];
  io.out(`good: ${counts.join(', ')}; revision ${loaded.snapshot.revision.slice(0, 19)}\n`);
  return DONE;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A forbid in shadow stops nothing: whoever shadowed an enforced one should see it. */
function shadowedForbids(policies: ReturnType<typeof readPolicies>): Problem[] {
  return policies
    .filter(({ json, shadow }) => shadow && json.effect === 'forbid')
    .map(({ id, remark }) => remark(`${id} is a forbid in shadow: it stops nothing yet`));
}

/** A pattern that leaves out the path it is about. */
function partialPatterns(policies: ReturnType<typeof readPolicies>): Problem[] {
  return policies.flatMap(({ json, remark }) => pathNotes(json).map(remark));
}
