import type { ZodError } from 'zod';
import { jsonOf } from '../base/json.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { type ControlScenario, controlScenarioSchema } from '../policy/load/control-scenario.ts';
import { misspelt, type Scenario, scenarioSchema } from '../policy/load/scenario.ts';
import type { DeclaredHeader } from '../policy/text/sources.ts';
import type { CommandLine } from './commands.ts';

/** The facts of a request on a command line, but caller and request themselves. */
export const STATED_OPTIONS = {
  through: { type: 'string', multiple: true },
  credential: { type: 'string' },
  task: { type: 'string' },
  assurance: { type: 'string' },
  scope: { type: 'string', multiple: true },
  about: { type: 'string', multiple: true },
  declared: { type: 'string' },
  header: { type: 'string', multiple: true },
  client: { type: 'string' },
  'credential-age': { type: 'string' },
  approval: { type: 'string', multiple: true },
  risk: { type: 'string' },
  signal: { type: 'string', multiple: true },
  touched: { type: 'string' },
  'touched-api': { type: 'string', multiple: true },
  'task-touched': { type: 'string' },
  at: { type: 'string' },
} as const;

/** A call of the control API on a command line. */
export const CONTROL_OPTIONS = {
  caller: { type: 'string' },
  control: { type: 'string' },
  proof: { type: 'string' },
  seconds: { type: 'string' },
  'dry-run': { type: 'boolean' },
  purpose: { type: 'string' },
  scope: { type: 'string', multiple: true },
  issuer: { type: 'string' },
  depth: { type: 'string' },
  person: { type: 'string' },
  asking: { type: 'string' },
  uses: { type: 'string' },
  parent: { type: 'string' },
  registered: { type: 'string' },
  at: { type: 'string' },
} as const;

export const STATED_USAGE = `  --through ID …     the earlier hops of the chain, the originator first
  --credential KIND  x509-svid (default), jwt-svid, oidc, api-key, legacy-certificate, waypoint
  --task PURPOSE     the purpose of a proven task; --assurance 1|2|3 (default 2), --scope NAME …,
                     --about 'HOST/NAME?PARAMETER=VALUE' … (what its token says that it is about)
  --declared PURPOSE the purpose of a declared task, without proof
  --header NAME=VALUE …, --client ADDRESS, --credential-age SECONDS, --approval NAME …, --risk 0..100, --signal NAME …
  --touched SENSITIVITY, --touched-api HOST/NAME …, --task-touched SENSITIVITY  what was opened before; default nothing
  --at TIME          when, as 2026-11-25T10:00:00Z; default: now
`;

/** The facts that options state, or what is wrong with one of them. `now` in milliseconds since the epoch. */
export function statedBy(
  values: CommandLine<typeof STATED_OPTIONS>['values'],
  more: { readonly caller?: string | undefined; readonly request?: string | undefined; readonly upgrade?: boolean },
  { headers, inventory }: { readonly headers: readonly DeclaredHeader[]; readonly inventory: Inventory },
  now: number,
): Scenario | string {
  const { task, declared } = values;
  const { assurance, scope, about, 'task-touched': taskTouched, touched, 'touched-api': touchedApis } = values;
  if (task === undefined && [assurance, scope, about, taskTouched].some((value) => value !== undefined)) {
    return '--assurance, --scope, --about and --task-touched describe a --task';
  }
  const stated = headersBy(values.header, headers);
  if (typeof stated === 'string') return stated;
  const parsed = scenarioSchema.safeParse({
    ...more,
    through: values.through,
    credential: values.credential,
    task:
      task === undefined
        ? undefined
        : {
            purpose: task,
            assurance: numeral(assurance),
            scopes: scope,
            resources: about?.map(resourceBy),
            touched: taskTouched === undefined ? undefined : { sensitivity: taskTouched },
          },
    touched:
      touched === undefined && touchedApis === undefined ? undefined : { sensitivity: touched, apis: touchedApis },
    declared: declared === undefined ? undefined : { id: 'declared', purpose: declared },
    headers: stated,
    client: values.client,
    credentialAge: numeral(values['credential-age']),
    approvals: values.approval,
    risk: numeral(values.risk),
    signals: values.signal,
    at: values.at ?? new Date(now).toISOString(),
  });
  if (parsed.success) return misspelt(parsed.data, inventory) ?? parsed.data;
  return optionFault(parsed.error);
}

/** The call of the control API that options state, or what is wrong with one of them. `now` as above. */
export function controlStatedBy(
  values: CommandLine<typeof CONTROL_OPTIONS>['values'],
  now: number,
): ControlScenario | string {
  const { 'dry-run': dryRun, scope, seconds, depth, uses, at = new Date(now).toISOString() } = values;
  const { person, asking, parent, registered } = values;
  const { caller, control, proof, purpose, issuer } = values;
  const terms = {
    seconds: numeral(seconds),
    uses: numeral(uses),
    purpose,
    scopes: scope,
    issuer,
    depth: numeral(depth),
  };
  const tasks = { parent: members(parent), registered: members(registered) };
  const people = { person: members(person), asking: members(asking) };
  const parsed = controlScenarioSchema.safeParse({ caller, control, proof, dryRun, ...terms, ...tasks, ...people, at });
  return parsed.success ? parsed.data : optionFault(parsed.error);
}

function optionFault({ issues: [issue] }: ZodError): string {
  const [name = '', member = ''] = issue?.path.map(String) ?? [];
  return `--${OPTION_OF[`${name}.${member}`] ?? OPTION_OF[name] ?? name}: ${issue?.message}`;
}

const OPTION_OF: Readonly<Record<string, string>> = {
  credentialAge: 'credential-age',
  approvals: 'approval',
  signals: 'signal',
  headers: 'header',
  scopes: 'scope',
  'task.assurance': 'assurance',
  'task.scopes': 'scope',
  'task.resources': 'about',
  'task.touched': 'task-touched',
  'touched.apis': 'touched-api',
};

/** The number that a text writes in plain digits; any other text stays one, which the schema refuses. */
function numeral(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/** An api, and the values of its parameters as in a query. */
function resourceBy(text: string) {
  const [api, query = ''] = text.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  // One that is stated twice is for the schema to refuse.
  return parameters.size > new Set(parameters.keys()).size ? text : { api, parameters: Object.fromEntries(parameters) };
}

/** What a text holds as JSON; any other text stays one, which the schema refuses. */
const members = (text: string | undefined): unknown => (text === undefined ? undefined : (jsonOf(text) ?? text));

function headersBy(texts: readonly string[] | undefined, declared: readonly DeclaredHeader[]) {
  if (texts === undefined) return undefined;
  const found = new Map<string, number | string | undefined>();
  for (const text of texts) {
    const [, named, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (named === undefined) return `--header ${text}: write NAME=VALUE`;
    const name = named.toLowerCase();
    const header = declared.find((candidate) => candidate.name === name);
    if (header === undefined) return `--header: the config lets no header '${name}' through; add it to policy.headers`;
    if (found.has(name)) return `--header: ${name} is stated twice`;
    found.set(name, header.type === 'long' ? numeral(value) : value);
  }
  return Object.fromEntries(found);
}
