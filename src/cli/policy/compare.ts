import { Engine, newInstance } from '../../policy/decide/engine.ts';
import { type Compared, compareIn, type Difference } from '../../tools/prove/compare.ts';
import type { RequestEnvironment } from '../../tools/prove/environments.ts';
import { failureIn } from '../../tools/prove/errors.ts';
import { provingOf } from '../../tools/prove/estate.ts';
import { each, type Proving } from '../../tools/prove/prove.ts';
import { valuesFor } from '../../tools/prove/written.ts';
import { type ReadPolicy, readPolicies } from '../../tools/read-policies.ts';
import { command } from '../commands.ts';
import { DONE, FAILED, type Io } from '../io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder } from '../policy-open.ts';
import { indentedJson } from '../printable.ts';
import { openSolver, SOLVER_USAGE } from './solver.ts';

const USAGE = `policy compare OLD NEW [--json]
  for each action, whether NEW allows the same requests as OLD, or fewer, or more, with a request that shows it;
  0 if the same everywhere, 1 if not or if it is unknown, 2 if nothing could be asked
  --json             as JSON
${SOLVER_USAGE}${FOLDER_USAGE}`;

const OPTIONS = { ...FOLDER_OPTIONS, json: { type: 'boolean' } } as const;

/** `policy compare`: 0 when both folders allow the same requests, 1 when they do not or it is unknown. */
export const policyCompare = command(USAGE, OPTIONS, async (line, io) => {
  const [before, now, ...more] = line.positionals;
  if (before === undefined || now === undefined || more.length > 0) return line.misuse('name two folders of policies');
  const sides: Opened[] = [];
  for (const folder of [before, now]) {
    const opened = await openFolder(line, io, [folder]);
    if (typeof opened === 'number') return opened;
    sides.push(opened);
  }
  const solver = await openSolver(io);
  if (typeof solver === 'number') return solver;
  try {
    const [old, latest] = sides as [Opened, Opened];
    if (old.validated.schema !== latest.validated.schema)
      return line.misuse('the two folders have schemas of their own that differ: nothing can be asked of both');
    const cedar = newInstance();
    const [mine, theirs] = [old, latest].map(({ sources }) => readPolicies(sources, cedar)) as [
      ReadPolicy[],
      ReadPolicy[],
    ];
    const inventories = [latest, old].map(({ loaded }) => loaded.snapshot.inventory);
    const of = (policies: readonly ReadPolicy[], others: readonly ReadPolicy[], told: (note: string) => void) =>
      provingOf(
        { schema: latest.validated.schema, policies, others, inventories },
        { solver, engine: new Engine(), cedar },
        told,
      );
    const from = await of(mine, theirs, () => {});
    const to = await of(theirs, mine, (note) => io.err(`note: ${note}\n`));
    const found = await each(to.environments, async (environment) => ({
      environment,
      compared: await compareIn(environment, from, to, to),
    }));
    const failing = await failingOf([from, to], cedar);
    if (line.values.json === true) io.out(`${indentedJson(asJson(found, failing))}\n`);
    else tell(found, failing, [from, to], io);
    const same = found.every(({ compared }) => compared.relation === 'equivalent');
    return same && failing.length === 0 ? DONE : FAILED;
  } finally {
    solver.close();
  }
});

/** Policies that can fail to be evaluated: what is said of the others does not hold where they do. */
async function failingOf(
  sides: readonly [Proving, Proving],
  cedar: ReturnType<typeof newInstance>,
): Promise<readonly string[]> {
  const failing = new Set<string>();
  const [{ environments }] = sides;
  const texts = new Map(
    sides.flatMap(({ permits, forbids }) => [...permits, ...forbids].map((one) => [one.text, one])),
  );
  for (const policy of texts.values()) {
    const failure = await failureIn(policy, environments, sides[0], cedar);
    if (failure !== null) failing.add(`${policy.id} can fail to be evaluated (${failure})`);
  }
  return [...failing];
}

interface Found {
  readonly environment: RequestEnvironment;
  readonly compared: Compared;
}

function tell(found: readonly Found[], failing: readonly string[], [from, to]: readonly Proving[], io: Io): void {
  const width = Math.max(...found.map(({ environment }) => environment.name.length));
  for (const { environment, compared } of found) {
    io.out(`${environment.name.padEnd(width)}  ${compared.relation}\n`);
    for (const text of shown('is allowed now', compared.opened, to)) io.out(`  ${text}\n`);
    for (const text of shown('was allowed', compared.closed, from)) io.out(`  ${text}\n`);
  }
  for (const text of failing) io.out(`${text}: for such requests nothing is said here\n`);
}

function shown(what: string, difference: Difference | null, side: Proving | undefined): readonly string[] {
  if (difference === null) return [];
  if (difference.kind === 'unknown') return [difference.why];
  const { call, permits } = difference;
  const read = (side?.permits ?? []).filter(({ id }) => permits.includes(id)).map(({ json }) => json);
  return [
    `${what} by ${permits.join(', ')}, where`,
    ...valuesFor(read, call).map(({ path, value }) => `  ${path} is ${value ?? 'absent'}`),
  ];
}

function asJson(found: readonly Found[], failing: readonly string[]) {
  const said = (difference: Difference | null) =>
    difference?.kind === 'request' ? { permits: difference.permits, request: difference.call } : null;
  return {
    actions: found.map(({ environment, compared }) => ({
      action: environment.name,
      relation: compared.relation,
      opened: said(compared.opened),
      closed: said(compared.closed),
    })),
    failing,
  };
}
