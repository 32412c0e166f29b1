import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { duration } from '../../config/values/scalars.ts';
import { shownKey } from '../../state/tasks/key.ts';
import { command, group } from '../commands.ts';
import { momentBy } from '../moment.ts';
import { plainOutput } from '../printable.ts';
import { table } from '../table.ts';
import {
  askList,
  counted,
  LIST_OPTIONS,
  LIST_USAGE,
  type Members,
  ORDER_OPTIONS,
  ORDER_USAGE,
  sendOrder,
  shown,
  whereText,
} from './asking.ts';

const STATES = ['active', 'ended', 'lapsed', 'revoked'];

const TASKS_USAGE = `tasks --control URL …
  the tasks that began, and those that are over and still remembered, as far as the caller may view them
  --workload ID      only those that it may carry
  --purpose NAME     only those with this purpose
  --state STATE      only those in this state: ${STATES.join(', ')}
${LIST_USAGE}`;

const TASKS_OPTIONS = {
  ...LIST_OPTIONS,
  workload: { type: 'string' },
  purpose: { type: 'string' },
  state: { type: 'string' },
} as const;

/** `tasks`: 0 with what the control API lists, 1 when it refuses, 2 when it did not answer. */
export const tasks = plainOutput(
  command(TASKS_USAGE, TASKS_OPTIONS, async (line, io) => {
    const { workload, purpose, state } = line.values;
    if (line.positionals.length > 0) return line.misuse('tasks takes no argument');
    if (state !== undefined && !STATES.includes(state)) return line.misuse(`--state: one of ${STATES.join(', ')}`);
    return askList(line, '/tasks', { workload, purpose, state }, tasksText, io);
  }),
);

const START_USAGE = `task start --issuer ISSUER --purpose NAME --workload ID … --until TIME --reason TEXT --control URL …
  begins a task: its tokens permit from now on, until it ends or lapses; 1 with the reason where the control API refuses
  --issuer ISSUER    the iss of its tokens; of JWT-SVIDs spiffe://TRUST-DOMAIN
  --purpose NAME     what it is for: a purpose of the inventory
  --workload ID      a SPIFFE ID that may carry it; again for each of up to 16
  --until TIME       when it ends by itself: 2026-12-31T00:00:00Z, or a duration from now, such as 2h
  --reason TEXT      why
  --id ID            the id that its tokens state; made if left out
  --owner TEAM       the team whose task it is; that of the first workload if left out
  --lease DURATION   so long it lives without a heartbeat; if left out, it needs none
  --parent ID        the id of the task that it is a part of; --parent-issuer ISSUER if that has another issuer
  --calls N, --writes N, --resources N
                     what it may use up
  --dry-run          only says whether it could begin
${ORDER_USAGE}`;

const START_OPTIONS = {
  ...ORDER_OPTIONS,
  issuer: { type: 'string' },
  purpose: { type: 'string' },
  workload: { type: 'string', multiple: true },
  until: { type: 'string' },
  id: { type: 'string' },
  owner: { type: 'string' },
  lease: { type: 'string' },
  parent: { type: 'string' },
  'parent-issuer': { type: 'string' },
  calls: { type: 'string' },
  writes: { type: 'string' },
  resources: { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const;

const MISSING = {
  issuer: 'state whose tokens carry it: --issuer ISSUER',
  purpose: 'state what it is for: --purpose NAME',
  workload: 'state who may carry it: --workload ID',
  until: 'state when it ends: --until TIME, such as --until 2h',
  reason: 'state why: --reason TEXT',
} as const;

const start = command(START_USAGE, START_OPTIONS, async (line, io) => {
  const { values, positionals, misuse } = line;
  if (positionals.length > 0) return misuse('task start takes no argument');
  for (const [name, problem] of Object.entries(MISSING))
    if (values[name as keyof typeof MISSING] === undefined) return misuse(problem);
  const { issuer, purpose, workload: workloads, reason, id, owner, parent } = values;
  const until = momentBy(values.until!, systemClock.now(), 'future');
  if (until instanceof Fault) return misuse(`--until: ${until.detail}`);
  const lease = values.lease === undefined ? undefined : duration('1s', '24h').safeParse(values.lease);
  if (lease?.success === false) return misuse(`--lease: ${lease.error.issues[0]?.message}`);
  const budgets: Record<string, number> = {};
  for (const name of ['calls', 'writes', 'resources'] as const) {
    const text = values[name];
    if (text === undefined) continue;
    if (!/^\d{1,10}$/.test(text)) return misuse(`--${name}: write a whole number`);
    budgets[name] = Number(text);
  }
  if (parent === undefined && values['parent-issuer'] !== undefined)
    return misuse('--parent-issuer describes a --parent');
  const body = {
    ...{ issuer, purpose, workloads, reason, until: new Date(until).toISOString() },
    ...(id === undefined ? {} : { id }),
    ...(owner === undefined ? {} : { owner }),
    ...(lease === undefined ? {} : { leaseSeconds: lease.data / 1000 }),
    ...(parent === undefined ? {} : { parent: { issuer: values['parent-issuer'] ?? issuer, id: parent } }),
    ...(Object.keys(budgets).length === 0 ? {} : { budgets }),
  };
  const dry = values['dry-run'] === true;
  return sendOrder(line, { path: dry ? '/tasks?dryRun=true' : '/tasks', body }, dry ? dryText : startText, io);
});

const HEARTBEAT_USAGE = `task heartbeat ISSUER ID --control URL …
  says that a task goes on, and gives it another lease; 1 with the reason where the control API refuses, as of one that is over
${ORDER_USAGE}`;

const { reason: _, ...HEARTBEAT_OPTIONS } = ORDER_OPTIONS;

const heartbeat = command(HEARTBEAT_USAGE, HEARTBEAT_OPTIONS, async (line, io) => {
  const key = keyBy(line.positionals);
  if (key === null) return line.misuse('name one task: ISSUER ID');
  return sendOrder(line, { path: `/tasks/${key}/heartbeat` }, heartbeatText, io);
});

const END_USAGE = `task end ISSUER ID --reason TEXT --control URL …
  ends a task and all that are a part of it; nothing makes one go on again
  --reason TEXT      why
  --dry-run          only says what ends with it
${ORDER_USAGE}`;

const END_OPTIONS = { ...ORDER_OPTIONS, 'dry-run': { type: 'boolean' } } as const;

const end = command(END_USAGE, END_OPTIONS, async (line, io) => {
  const key = keyBy(line.positionals);
  if (key === null) return line.misuse('name one task: ISSUER ID');
  const { reason } = line.values;
  if (reason === undefined) return line.misuse(MISSING.reason);
  const dry = line.values['dry-run'] === true;
  const path = `/tasks/${key}/end${dry ? '?dryRun=true' : ''}`;
  return sendOrder(line, { path, body: { reason } }, (answer) => endText(answer, dry), io);
});

/** `task`: 0 when the control API took the order, 1 with its sentence when it refuses, 2 when it did not answer. */
export const taskCommands = group('task', {
  start: plainOutput(start),
  heartbeat: plainOutput(heartbeat),
  end: plainOutput(end),
});

function keyBy([issuer, id, ...more]: readonly string[]): string | null {
  return issuer === undefined || id === undefined || more.length > 0 ? null : shownKey({ issuer, id });
}

const taskIn = (answer: Members): Members => (answer.task ?? {}) as Members;

const dryText = (answer: Members): string => `nothing began; ${shown(answer.summary)}`;

function startText(answer: Members): string {
  const { id, purpose, until } = taskIn(answer);
  return `began ${shown(id)} for ${shown(purpose)} until ${shown(until)}${leaseText(answer)}${whereText(answer)}`;
}

const heartbeatText = (answer: Members): string =>
  `${shown(taskIn(answer).id)} goes on${leaseText(answer)}${whereText(answer)}`;

/** Until when a task lives without another heartbeat. */
function leaseText(answer: Members): string {
  const { leaseUntil } = taskIn(answer);
  return typeof leaseUntil === 'string' ? `, lease until ${leaseUntil}` : '';
}

function endText(answer: Members, dry: boolean): string {
  const { children } = (answer.hits ?? {}) as Members;
  const more = typeof children === 'number' && children > 0 ? ` and ${counted(children, 'task')} within it` : '';
  return dry
    ? `nothing ended; the order ends it${more}`
    : `ended ${shown(taskIn(answer).id)}${more}${whereText(answer)}`;
}

function tasksText(items: readonly Members[]): string {
  const rows = items.map(({ state, issuer, id, purpose, workloads, until, leaseUntil, startedBy }) => [
    ...[state, issuer, id, purpose].map(shown),
    Array.isArray(workloads) ? workloads.map(shown).join(', ') : '-',
    ...[until, leaseUntil, startedBy].map(shown),
  ]);
  return table([['state', 'issuer', 'id', 'purpose', 'workloads', 'until', 'lease until', 'started by'], ...rows]);
}
