import { Engine, newInstance } from '../../policy/decide/engine.ts';
import { pathNotes } from '../../policy/lint/paths.ts';
import { runTests } from '../../policy/load/cases.ts';
import { checkEmergency } from '../../policy/load/emergency.ts';
import type { Problem } from '../../source/problem.ts';
import { findIdle, permittedByControl } from '../../tools/idle.ts';
import { keyNotes } from '../../tools/key-notes.ts';
import { noteworthy, noteworthyControl } from '../../tools/notes.ts';
import { checkDeep } from '../../tools/prove/deep.ts';
import { provingOf } from '../../tools/prove/estate.ts';
import { type ReadPolicy, readControlPolicies, readPolicies } from '../../tools/read-policies.ts';
import { command } from '../commands.ts';
import { DONE, FAILED, failWith, type Io } from '../io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder, report } from '../policy-open.ts';
import { openSolver, SOLVER_USAGE } from './solver.ts';

const USAGE = `policy check FOLDER [--deep] [--inventory FILE] [--config FILE]
  what a sidecar does before it uses a folder: lint, strict validation, the folder's tests; then notes on unused
  permits and workloads
  --deep             also what only a solver can tell of each policy: that it never matches, permits nothing, changes nothing,
                     or can fail to be evaluated; 2 if nothing could be asked
${SOLVER_USAGE}${FOLDER_USAGE}`;

/** `policy check`: 0 when a sidecar would serve the folder, 1 with every problem at its place. */
export const policyCheck = command(USAGE, { ...FOLDER_OPTIONS, deep: { type: 'boolean' } }, async (line, io) => {
  const opened = await openFolder(line, io, line.positionals, FAILED);
  if (typeof opened === 'number') return opened;
  const { sources, validated, engine, loaded, notes, place } = opened;
  const { outcomes, unread, failed } = runTests(sources, loaded.snapshot);
  if (unread.length + failed.length > 0) return report(unread.length > 0 ? unread : failed, place, io);
  const cedar = newInstance();
  const [policies, control] = [readPolicies(sources, cedar), readControlPolicies(sources, cedar)];
  const urgent = await checkEmergency(
    opened.folder,
    { inventory: loaded.snapshot.inventory, settings: sources.settings },
    cedar,
  );
  if (urgent.problems.length > 0) return report(urgent.problems, place, io);
  const idle = findIdle(policies, validated, loaded.snapshot.inventory, engine);
  if (typeof idle === 'string') return failWith(`unused permits and workloads cannot be determined: ${idle}`, io);
  const deep = line.values.deep === true ? await deepNotes(opened, policies, io) : [];
  if (typeof deep === 'number') return deep;
  // A forbid in shadow stops nothing: whoever shadowed an enforced one should see it.
  const shadowedForbids = policies.filter(({ json, shadow }) => shadow && json.effect === 'forbid');
  const remarks = [
    ...notes,
    ...loaded.warnings,
    ...urgent.notes,
    ...shadowedForbids.map(({ id, remark }) => remark(`${id} is a forbid in shadow: it stops nothing yet`)),
    ...idle.policies,
    ...policies.flatMap(({ json, remark }) => pathNotes(json).map(remark)),
    ...noteworthy(policies, loaded.snapshot.inventory, sources.settings),
    ...keyNotes(policies),
    ...noteworthyControl(control, loaded.snapshot.inventory, sources.settings),
    ...deep,
  ];
  for (const remark of remarks) io.out(`${place({ ...remark, message: `note: ${remark.message}` })}\n`);
  const called = permittedByControl(idle.workloads, control, loaded.snapshot, engine);
  for (const entry of idle.workloads.filter((one) => !called.has(one)))
    io.out(`note: nothing permits anything to ${entry}\n`);
  if (idle.more !== null) io.out(`note: ${idle.more}\n`);
  const ownOf = (some: readonly ReadPolicy[]) => some.filter(({ guardrail }) => !guardrail);
  const [own, ownControl] = [ownOf(policies), ownOf(control)];
  const guardrails = policies.length + control.length - own.length - ownControl.length;
  const shadowed = own.filter(({ shadow }) => shadow).length;
  const counts = [
    count(own.length, 'policy', 'policies'),
    ...(shadowed > 0 ? [`${shadowed} of them in shadow`] : []),
    ...(ownControl.length > 0 ? [count(ownControl.length, 'control policy', 'control policies')] : []),
    ...(urgent.policies > 0 ? [count(urgent.policies, 'emergency forbid', 'emergency forbids')] : []),
    count(guardrails, 'guardrail', 'guardrails'),
    count(outcomes.length, 'test', 'tests'),
  ];
  io.out(`good: ${counts.join(', ')}; revision ${loaded.snapshot.revision.slice(0, 19)}\n`);
  return DONE;
});

/** What a solver tells of the operators' policies, or the exit code where none could be asked. */
async function deepNotes(
  { validated, loaded }: Opened,
  policies: readonly ReadPolicy[],
  io: Io,
): Promise<readonly Problem[] | number> {
  const solver = await openSolver(io);
  if (typeof solver === 'number') return solver;
  try {
    const cedar = newInstance();
    const proving = await provingOf(
      { schema: validated.schema, policies, inventories: [loaded.snapshot.inventory] },
      { solver, engine: new Engine(), cedar },
      (note) => io.err(`note: ${note}\n`),
    );
    const own = new Set(policies.filter(({ guardrail }) => !guardrail).map(({ id }) => id));
    const found = await checkDeep({ ...proving, own }, cedar);
    return found.flatMap(({ policy: { id }, message }) =>
      policies.filter((one) => one.id === id).map(({ remark }) => remark(`${id} ${message}`)),
    );
  } finally {
    solver.close();
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
