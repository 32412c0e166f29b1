import { systemClock } from '../base/clock.ts';
import { sensitivities } from '../inventory/schema.ts';
import { newInstance } from '../policy/decide/engine.ts';
import { type Reached, reach } from '../tools/reach.ts';
import { readPolicies } from '../tools/read-policies.ts';
import { command } from './commands.ts';
import { DONE, failWith } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, openFolder } from './policy-open.ts';
import { indentedJson } from './printable.ts';
import { STATED_OPTIONS, STATED_USAGE, statedBy } from './scenario-options.ts';
import { table } from './table.ts';

const USAGE = `policy reach WORKLOAD --in FOLDER [facts]
  everything that a workload could do with these facts: its blast radius, by api and effect
  --no-task          there is no task; default: any task, unless --task is given
  --direct           there is no delegation; default: any chain, unless --through is given
  --json             as JSON
${STATED_USAGE}${FOLDER_USAGE}`;

const OPTIONS = {
  ...FOLDER_OPTIONS,
  ...STATED_OPTIONS,
  in: { type: 'string' },
  json: { type: 'boolean' },
  'no-task': { type: 'boolean' },
  direct: { type: 'boolean' },
} as const;

/** `policy reach`: 0 when it could be told, whatever can be reached. */
export const policyReach = command(USAGE, OPTIONS, async (line, io) => {
  const { values, positionals, misuse } = line;
  const [caller, ...more] = positionals;
  if (caller === undefined || more.length > 0) return misuse('name one workload by its SPIFFE ID');
  const opened = await openFolder(line, io, values.in === undefined ? [] : [values.in]);
  if (typeof opened === 'number') return opened;
  const { sources, validated, engine, loaded } = opened;
  const { snapshot } = loaded;
  const given = statedBy(values, { caller }, snapshot, systemClock.now());
  if (typeof given === 'string') return misuse(given);
  if (values['no-task'] === true && given.task) return misuse('--task and --no-task exclude each other');
  if (values.direct === true && given.through) return misuse('--through and --direct exclude each other');
  const stated = {
    ...given,
    ...(values['no-task'] === true ? { task: null } : {}),
    ...(values.direct === true ? { through: [] } : {}),
  };
  const policies = readPolicies(sources, newInstance());
  const reached = reach(stated, { policies, validated, snapshot, engine });
  if (typeof reached === 'string') return failWith(reached, io);
  io.out(`${values.json === true ? indentedJson({ caller, reached }) : shown(reached)}\n`);
  return DONE;
});

function shown(reached: readonly Reached[]): string {
  if (reached.length === 0) return 'Nothing: no request by this workload with these facts can be allowed.';
  const rows = reached.map(({ api, named, effect, sensitivity, actions, when, by }) => [
    named ? api : `${api} (no api)`,
    effect,
    sensitivities[sensitivity],
    when,
    actions.join(' '),
    because(when, by),
  ]);
  return table([['api', 'effect', 'sensitivity', 'when', 'actions', 'by'], ...rows]);
}

function because(when: Reached['when'], by: readonly string[]): string {
  if (when === 'now') return by.join(', ');
  if (when === 'approval') return `needs the approval ${by.join(', ')}`;
  return by.length === 0 ? 'permits ask for facts that are not stated' : `${by.join(', ')} may let it pass`;
}
