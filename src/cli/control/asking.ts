import { randomUUID } from 'node:crypto';
import type { CommandLine } from '../commands.ts';
import { DONE, FAILED, type Io, UNREAD } from '../io.ts';
import { indentedJson } from '../printable.ts';
import { type Ask, type ControlProblem, call } from './call.ts';
import { CONNECTION_OPTIONS, CONNECTION_USAGE, type ControlConnection, connectionBy } from './connection.ts';

export type Members = Readonly<Record<string, unknown>>;
type Values = CommandLine<typeof CONNECTION_OPTIONS>['values'];
type Misuse = CommandLine<typeof CONNECTION_OPTIONS>['misuse'];

/** The connection of a command line, or the exit code after what is wrong with it was printed. */
async function connected(values: Values, misuse: Misuse, io: Io): Promise<ControlConnection | number> {
  const connection = await connectionBy(values, io.env);
  if (!('fault' in connection)) return connection;
  if (connection.misused) return misuse(connection.fault);
  io.err(`${connection.fault}\n`);
  return UNREAD;
}

/** Of whoever gives an order. */
export const ORDER_OPTIONS = {
  ...CONNECTION_OPTIONS,
  reason: { type: 'string' },
  'idempotency-key': { type: 'string' },
} as const;
export const ORDER_USAGE = `  --idempotency-key KEY
                     the same order again: what was taken already is not taken twice
${CONNECTION_USAGE}`;

/** One order to the control API: sent once, under a key by which it can be sent again without being taken twice. */
export async function sendOrder(
  line: { readonly values: CommandLine<typeof ORDER_OPTIONS>['values']; readonly misuse: Misuse },
  order: Pick<Ask, 'path' | 'body'>,
  text: (answer: Members) => string,
  io: Io,
): Promise<number> {
  const { 'idempotency-key': idempotencyKey = randomUUID() } = line.values;
  const unknown = `It is not known whether the order was taken; repeat it with --idempotency-key ${idempotencyKey}\n`;
  return askOnce(line, { method: 'POST', ...order, idempotencyKey }, text, io, unknown);
}

/**
 * One call of the control API, and its answer as text; null: the answer is none. `unknown` is said where no answer came to what
 * was sent.
 */
export async function askOnce(
  { values, misuse }: { readonly values: Values; readonly misuse: Misuse },
  ask: Ask,
  text: (answer: Members) => string | null,
  io: Io,
  unknown = '',
): Promise<number> {
  const connection = await connected(values, misuse, io);
  if (typeof connection === 'number') return connection;
  const answer = await call(connection, ask);
  if (answer.kind === 'problem') return refused(answer, values.json === true, io);
  if (answer.kind === 'none') {
    io.err(`${connection.url}: ${answer.fault}\n`);
    if (answer.sent) io.err(unknown);
    return UNREAD;
  }
  const told = text(answer.value);
  if (told === null) {
    io.err(`${connection.url}: it answered what is not understood; --json shows it\n`);
    if (values.json !== true) return UNREAD;
  }
  io.out(values.json === true ? `${indentedJson(answer.value)}\n` : `${told}\n`);
  return DONE;
}

export const LIST_OPTIONS = { ...CONNECTION_OPTIONS, limit: { type: 'string' } } as const;
export const LIST_USAGE = `  --limit N          at most N, 1 to 10000, 100 by default
${CONNECTION_USAGE}`;

const PAGE = 100;
const MOST = 10_000;
/** Pages may be empty and go on, where the caller may view little of what is there. */
const MAX_PAGES = 1000;

/** The items of a list of the control API, page by page, and whom the list covers. */
export async function askList(
  line: { readonly values: CommandLine<typeof LIST_OPTIONS>['values']; readonly misuse: Misuse },
  path: string,
  filters: Readonly<Record<string, string | undefined>>,
  text: (items: readonly Members[]) => string,
  io: Io,
): Promise<number> {
  const { values, misuse } = line;
  const limit = Number(values.limit ?? PAGE);
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST))
    return misuse(`--limit: write a whole number between 1 and ${MOST}`);
  const connection = await connected(values, misuse, io);
  if (typeof connection === 'number') return connection;
  const items: Members[] = [];
  let next: string | null = null;
  let covers: unknown = null;
  for (let asked = 0; asked < MAX_PAGES && (asked === 0 || next !== null) && items.length < limit; asked++) {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, limit - items.length)) });
    for (const [name, value] of Object.entries(filters)) if (value !== undefined) query.set(name, value);
    if (next !== null) query.set('cursor', next);
    const answer = await call(connection, { method: 'GET', path: `${path}?${query}` });
    if (answer.kind === 'problem') return refused(answer, values.json === true, io);
    const page = answer.kind === 'good' ? pageOf(answer.value) : null;
    if (page === null) {
      io.err(`${connection.url}: ${answer.kind === 'none' ? answer.fault : 'it answered what is no list'}\n`);
      return UNREAD;
    }
    items.push(...page.items.slice(0, limit - items.length));
    next = page.next;
    covers = page.covers;
  }
  if (values.json === true) io.out(`${indentedJson({ items, more: next !== null, covers })}\n`);
  else {
    io.out(items.length === 0 ? 'none\n' : `${text(items)}\n`);
    if (typeof covers === 'string') io.err(`covers ${covers}\n`);
    if (next !== null) io.err(`there are more; ask with a higher --limit, or with a filter\n`);
  }
  return DONE;
}

interface Page {
  readonly items: readonly Members[];
  readonly next: string | null;
  readonly covers: unknown;
}

function pageOf({ items, next, covers }: Members): Page | null {
  if (!Array.isArray(items) || !items.every((item) => typeof item === 'object' && item !== null)) return null;
  return { items: items as Members[], next: typeof next === 'string' ? next : null, covers };
}

/** Says in a sentence what the control API refused, and why. */
function refused(answer: { problem: ControlProblem; document: unknown }, json: boolean, io: Io): number {
  const { status, title, detail, code, decision, wrong } = answer.problem;
  const about = [
    ...(code === null ? [] : [code]),
    `status ${status}`,
    ...(decision === null ? [] : [`audit ${decision}`]),
  ];
  io.err(`${detail === null ? title : `${title}: ${detail}`} (${about.join(', ')})\n`);
  for (const text of wrong) io.err(`  ${text}\n`);
  if (json) io.out(`${indentedJson(answer.document)}\n`);
  return FAILED;
}

/** A text of an answer, or a dash. */
export const shown = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '-';

/** Who has an order, and since when. */
export function whereText({ at, replicas, covers }: Members): string {
  const since = typeof at === 'string' ? `, taken at ${at}` : '';
  const copies = typeof replicas === 'number' ? ` and by ${counted(replicas, 'replica')}` : '';
  return `${since}${copies}${typeof covers === 'string' ? `; covers ${covers}` : ''}`;
}

/** `2 workloads`. */
export const counted = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
