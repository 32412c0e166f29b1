import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { ContainerLog } from '../observe/container-log.ts';
import { auditMembers, eachLine, type LineReader, placeOf } from '../observe/line.ts';
import { plainJson, plainJsonText } from '../observe/text.ts';
import { inputName, openInput } from './audit-input.ts';
import { type CommandLine, command } from './commands.ts';
import { DONE, FAILED, type Io, UNREAD, unread } from './io.ts';
import { momentBy } from './moment.ts';
import { plain } from './printable.ts';

const USAGE = `audit find FILE … [filters]
  the lines of audit files that all filters match, in the order of the files: 0 if there are some, 1 if there is none
  FILE               - reads standard input; a name that ends in .gz is unpacked
  --decision ID      this decision
  --caller ID        the SPIFFE ID that was proven
  --task ID          the id of the task
  --result RESULT    allow or deny
  --reason CODE      the reason, such as policy_no_permit
  --event NAME       the event, such as policy-loaded; without filters, events are shown beside decisions
  --since TIME       from then on, as 2026-11-25T10:00:00Z, or a duration before now, such as 15m
  --until TIME       before then
  --limit N          only the last N of them, 1 to 1000
  --json             the lines as they were written
`;

const OPTIONS = {
  decision: { type: 'string' },
  caller: { type: 'string' },
  task: { type: 'string' },
  result: { type: 'string' },
  reason: { type: 'string' },
  event: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
} as const;

type Members = Readonly<Record<string, unknown>>;
type Values = CommandLine<typeof OPTIONS>['values'];

const MAX_KEPT = 1000;

/** `audit find FILE …`: 0 when some line matches, 1 when none does, 2 when a file cannot be read or is no audit. */
export const auditFind = command(USAGE, OPTIONS, async ({ values, positionals: files, misuse }, io) => {
  if (files.length === 0) return misuse('name an audit file, or -');
  const filter = filterBy(values, systemClock.now());
  if (filter instanceof Fault) return misuse(filter.detail);
  const limit = values.limit === undefined ? null : Number(values.limit);
  if (limit !== null && !(Number.isInteger(limit) && limit >= 1 && limit <= MAX_KEPT))
    return misuse(`--limit: write a whole number between 1 and ${MAX_KEPT}`);
  const found = new Found(limit, io);
  let faulty = 0;
  for (const named of files) {
    const show = (members: Members, line: Uint8Array, number: number): string =>
      values.json === true
        ? `${plainJsonText(Buffer.from(line).toString())}\n`
        : lineText(members, files.length > 1 ? `${inputName(named)}:${number}: ` : '');
    const search = new Search(filter, (...line) => found.add(show(...line)));
    try {
      search.end(await eachLine(openInput(named, io), search));
    } catch (error) {
      unread(inputName(named), error, io);
      faulty += 1;
      continue;
    }
    if (!search.report(inputName(named), io)) faulty += 1;
  }
  found.end();
  if (faulty > 0) return UNREAD;
  if (found.count > 0) return DONE;
  io.err(`no line matches\n`);
  return FAILED;
});

/** Whether a line matches every option, or what is wrong with one of them. */
function filterBy(values: Values, nowMs: number): ((members: Members) => boolean) | Fault {
  const { decision, caller, task, result, reason, event } = values;
  const id = caller === undefined ? null : SpiffeId.parse(caller);
  if (id !== null && !(id instanceof SpiffeId)) return new Fault(`--caller: ${id.detail}`);
  if (result !== undefined && result !== 'allow' && result !== 'deny')
    return new Fault('--result: write allow or deny');
  const since = values.since === undefined ? null : momentBy(values.since, nowMs, 'past');
  if (since instanceof Fault) return new Fault(`--since: ${since.detail}`);
  const until = values.until === undefined ? null : momentBy(values.until, nowMs, 'past');
  if (until instanceof Fault) return new Fault(`--until: ${until.detail}`);
  const wanted: readonly (readonly [text: string | undefined, of: (members: Members) => unknown])[] = [
    [decision, (members) => members.decision],
    [caller, (members) => member(members.caller, 'id')],
    [task, (members) => member(members.task, 'id')],
    [result, (members) => members.result],
    [reason, (members) => members.reason],
    [event, (members) => members.event],
  ];
  const stated = wanted.filter(([text]) => text !== undefined);
  return (members) => {
    if (!stated.every(([text, of]) => of(members) === text)) return false;
    if (since === null && until === null) return true;
    const timeMs = typeof members.time === 'string' ? Date.parse(members.time) : Number.NaN;
    return (since === null || timeMs >= since) && (until === null || timeMs < until);
  };
}

/** What was found: printed at once, or, with a limit, the last of it at the end. */
class Found {
  count = 0;
  readonly #limit: number | null;
  readonly #io: Io;
  readonly #kept: string[] = [];

  constructor(limit: number | null, io: Io) {
    this.#limit = limit;
    this.#io = io;
  }

  add(text: string): void {
    if (this.#limit === null) this.#io.out(text);
    else this.#kept[this.count % this.#limit] = text;
    this.count += 1;
  }

  end(): void {
    const oldest = this.#limit === null ? 0 : this.count % this.#limit;
    for (const text of [...this.#kept.slice(oldest), ...this.#kept.slice(0, oldest)]) this.#io.out(text);
  }
}

/** Reads the lines of one file; what is no line of an audit is counted and passed over. */
class Search implements LineReader {
  readonly #matches: (members: Members) => boolean;
  readonly #found: (members: Members, line: Uint8Array, number: number) => void;
  readonly #container = new ContainerLog();
  #number = 0;
  #audited = 0;
  #strange = 0;
  #firstStrange = 0;
  #overlong = false;

  constructor(
    matches: (members: Members) => boolean,
    found: (members: Members, line: Uint8Array, number: number) => void,
  ) {
    this.#matches = matches;
    this.#found = found;
  }

  line(bytes: Uint8Array): void {
    this.#number += 1;
    const written = this.#overlong ? null : this.#container.unwrap(bytes);
    const tooLong = this.#overlong;
    this.#overlong = false;
    if (tooLong) this.#passOver();
    if (written === null || written.length === 0) return;
    const members = auditMembers(written);
    if (members === null || placeOf(members) === null) {
      this.#passOver();
      return;
    }
    this.#audited += 1;
    if (this.#matches(members)) this.#found(members, written, this.#number);
  }

  overlong(): void {
    this.#overlong = true;
  }

  end(rest: Uint8Array): void {
    if (rest.length > 0 || this.#overlong) this.line(rest);
  }

  /** Says how many lines were passed over; false when all were. */
  report(file: string, io: Io): boolean {
    if (this.#strange === 0) return true;
    if (this.#audited === 0) {
      io.err(`${file}: holds no line of an audit; name an audit file\n`);
      return false;
    }
    const lines = this.#strange === 1 ? '1 line is' : `${this.#strange} lines are`;
    io.err(`${file}: ${lines} no whole line of an audit and passed over; the first is line ${this.#firstStrange}\n`);
    return true;
  }

  #passOver(): void {
    this.#strange += 1;
    if (this.#strange === 1) this.#firstStrange = this.#number;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Members)[name] : undefined;
}

/** One line for a terminal, and the private detail below it. */
function lineText(members: Members, where: string): string {
  const { time, boot: _, seq: __, prev: ___, event, ...told } = members;
  if (typeof event === 'string') return `${plain(`${where}${shown(time)} ${event} ${plainJson(told)}`)}\n`;
  const { decision, result, reason, detail } = members;
  const task = member(members.task, 'id');
  const cells = [
    ...[time, result, reason, member(members.caller, 'id'), members.action],
    member(members.resource, 'id') ?? member(members.request, 'host'),
  ];
  const ids = [...(task === undefined ? [] : [`task ${shown(task)}`]), `decision ${shown(decision)}`].join(' ');
  const text = plain(`${where}${cells.map(shown).join(' ')} ${ids}`);
  return typeof detail === 'string' ? `${text}\n    ${plain(detail.replaceAll('\n', ' '))}\n` : `${text}\n`;
}

/** A text of a line, in one line; of anything else a dash. */
const shown = (value: unknown): string => (typeof value === 'string' ? value.replaceAll('\n', ' ') : '-');
