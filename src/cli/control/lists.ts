import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { command } from '../commands.ts';
import { momentBy } from '../moment.ts';
import { plainOutput } from '../printable.ts';
import { table } from '../table.ts';
import { askList, LIST_OPTIONS, LIST_USAGE, type Members, shown } from './asking.ts';

const KINDS = ['workload', 'under', 'owner', 'task', 'token', 'key', 'certificate', 'subject'];

const REVOCATIONS_USAGE = `revocations --control URL …
  the revocations that apply or will apply, as far as the caller may view them
  --kind KIND        only of this kind: ${KINDS.join(', ')}
  --subject SUBJECT  only of this subject
${LIST_USAGE}`;

const REVOCATIONS_OPTIONS = { ...LIST_OPTIONS, kind: { type: 'string' }, subject: { type: 'string' } } as const;

/** `revocations`: 0 with what the control API lists, 1 when it refuses, 2 when it did not answer. */
export const revocations = plainOutput(
  command(REVOCATIONS_USAGE, REVOCATIONS_OPTIONS, async (line, io) => {
    const { kind, subject } = line.values;
    if (line.positionals.length > 0) return line.misuse('revocations takes no argument');
    if (kind !== undefined && !KINDS.includes(kind)) return line.misuse(`--kind: one of ${KINDS.join(', ')}`);
    return askList(line, '/revocations', { kind, subject }, revocationsText, io);
  }),
);

const DECISIONS_USAGE = `decisions --control URL …
  what was decided, the newest first: each denial and one in some allows, as far as the caller may view them
  --workload ID      only of this caller
  --result RESULT    allow or deny
  --reason CODE      only with this reason
  --since TIME       from then on, as 2026-11-25T10:00:00Z, or a duration before now, such as 15m
${LIST_USAGE}`;

const DECISIONS_OPTIONS = {
  ...LIST_OPTIONS,
  workload: { type: 'string' },
  result: { type: 'string' },
  reason: { type: 'string' },
  since: { type: 'string' },
} as const;

/** `decisions`: as `revocations`. */
export const decisions = plainOutput(
  command(DECISIONS_USAGE, DECISIONS_OPTIONS, async (line, io) => {
    const { workload, result, reason, since } = line.values;
    if (line.positionals.length > 0) return line.misuse('decisions takes no argument');
    if (result !== undefined && result !== 'allow' && result !== 'deny')
      return line.misuse('--result: write allow or deny');
    const from = since === undefined ? null : momentBy(since, systemClock.now(), 'past');
    if (from instanceof Fault) return line.misuse(`--since: ${from.detail}`);
    const filters = { workload, result, reason, since: from === null ? undefined : new Date(from).toISOString() };
    return askList(line, '/decisions', filters, decisionsText, io);
  }),
);

const WORKLOADS_USAGE = `workloads --control URL …
  the workloads of the inventory: owner, kind, last use and credentials seen, as far as the caller may view them
  --owner TEAM       only of this team
  --reach            with what each could reach
${LIST_USAGE}`;

const WORKLOADS_OPTIONS = { ...LIST_OPTIONS, owner: { type: 'string' }, reach: { type: 'boolean' } } as const;

/** `workloads`: as `revocations`. */
export const workloads = plainOutput(
  command(WORKLOADS_USAGE, WORKLOADS_OPTIONS, async (line, io) => {
    const { owner, reach } = line.values;
    if (line.positionals.length > 0) return line.misuse('workloads takes no argument');
    return askList(line, '/workloads', { owner, reach: reach === true ? 'true' : undefined }, workloadsText, io);
  }),
);

/** What a revocation names, as the command line writes it. */
export function subjectText(revocation: Members): string {
  const kind = KINDS.find((name) => revocation[name] !== undefined);
  const subject = kind === undefined ? undefined : revocation[kind];
  const parts = typeof subject === 'object' && subject !== null ? Object.values(subject).map(shown) : [shown(subject)];
  return [kind ?? '-', ...parts].join(' ');
}

function revocationsText(items: readonly Members[]): string {
  const rows = items.map((item) => [
    shown(item.id),
    subjectText(item),
    shown(item.until),
    shown(item.origin),
    shown(item.by),
    shown(item.reason),
  ]);
  return table([['id', 'revokes', 'until', 'from', 'by', 'reason'], ...rows]);
}

function decisionsText(items: readonly Members[]): string {
  const rows = items.map(({ time, result, reason, caller, action, resource, decision }) => [
    ...[time, result, reason].map(shown),
    shown(idOf(caller)),
    `${shown(action)} ${shown(idOf(resource))}`,
    shown(decision),
  ]);
  return table([['time', 'result', 'reason', 'caller', 'request', 'decision'], ...rows]);
}

function workloadsText(items: readonly Members[]): string {
  const rows = items.map(({ id, owner, kind, lastUse, credentials }) => [
    ...[id, owner, kind, lastUse].map(shown),
    Array.isArray(credentials) ? credentials.map(shown).join(', ') : '-',
  ]);
  return table([['workload', 'owner', 'kind', 'last use', 'credentials seen'], ...rows]);
}

/** The id of something that is told with it. */
const idOf = (value: unknown): unknown => (typeof value === 'object' && value !== null ? (value as Members).id : value);
