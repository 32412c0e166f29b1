import { Fault } from '../../base/fault.ts';
import { jsonOf } from '../../base/json.ts';
import { readBounded } from '../../source/bounded.ts';
import { command, group } from '../commands.ts';
import { UNREAD } from '../io.ts';
import { indentedJson, plainOutput } from '../printable.ts';
import { table } from '../table.ts';
import { askOnce, type Members, ORDER_OPTIONS, ORDER_USAGE, sendOrder, shown } from './asking.ts';
import { CONNECTION_OPTIONS, CONNECTION_USAGE } from './connection.ts';

const SHOW_USAGE = `behaviour show ID --control URL …
  what is usual for a workload and what is now, side by side, as the process behind the control API counts it
${CONNECTION_USAGE}`;

const EXPORT_USAGE = `behaviour export ID --control URL …
  what was learned of a workload, as JSON for behaviour import
${CONNECTION_USAGE}`;

const FORGET_USAGE = `behaviour forget ID --reason TEXT --control URL …
  forgets what was learned of a workload: until it was learned anew its risk is unknown
  --reason TEXT      why
${ORDER_USAGE}`;

const ACCEPT_USAGE = `behaviour accept ID --reason TEXT --control URL …
  says that what a workload did lately, and never before, is normal
  --reason TEXT      why
${ORDER_USAGE}`;

const IMPORT_USAGE = `behaviour import ID FILE --reason TEXT --control URL …
  puts back what behaviour export gave, in place of what was learned since
  --reason TEXT      why
${ORDER_USAGE}`;

const NO_ID = 'name one workload: its SPIFFE ID';
const NO_REASON = 'state why: --reason TEXT';
/** An export, and room for its white space. */
const MAX_BYTES = 64 * 1024;

const pathOf = (id: string, what: 'behaviour' | 'baseline'): string => `/workloads/${encodeURIComponent(id)}/${what}`;

const show = command(SHOW_USAGE, CONNECTION_OPTIONS, async (line, io) => {
  const [id, ...more] = line.positionals;
  if (id === undefined || more.length > 0) return line.misuse(NO_ID);
  return askOnce(line, { method: 'GET', path: pathOf(id, 'behaviour') }, shownText, io);
});

const exportOne = command(EXPORT_USAGE, CONNECTION_OPTIONS, async (line, io) => {
  const [id, ...more] = line.positionals;
  if (id === undefined || more.length > 0) return line.misuse(NO_ID);
  return askOnce(line, { method: 'GET', path: pathOf(id, 'baseline') }, (answer) => indentedJson(answer), io);
});

/** The order that needs no more than a workload and a reason. */
const simple = (usage: string, order: 'forget' | 'accept') =>
  command(usage, ORDER_OPTIONS, async (line, io) => {
    const [id, ...more] = line.positionals;
    const { reason } = line.values;
    if (id === undefined || more.length > 0) return line.misuse(NO_ID);
    if (reason === undefined) return line.misuse(NO_REASON);
    return sendOrder(line, { path: pathOf(id, 'baseline'), body: { order, reason } }, takenText, io);
  });

const importOne = command(IMPORT_USAGE, ORDER_OPTIONS, async (line, io) => {
  const [id, file, ...more] = line.positionals;
  const { reason } = line.values;
  if (id === undefined || file === undefined || more.length > 0)
    return line.misuse('name one workload and one file: ID FILE');
  if (reason === undefined) return line.misuse(NO_REASON);
  const bytes = await readBounded(file, MAX_BYTES, AbortSignal.timeout(5000));
  const { baseline } =
    (bytes instanceof Fault ? null : (jsonOf(Buffer.from(bytes).toString()) as Members | null)) ?? {};
  if (bytes instanceof Fault || typeof baseline !== 'object') {
    io.err(`${bytes instanceof Fault ? bytes.detail : `${file}: is not what behaviour export gave`}\n`);
    return UNREAD;
  }
  return sendOrder(line, { path: pathOf(id, 'baseline'), body: { order: 'import', reason, baseline } }, takenText, io);
});

/** `behaviour`: 0 with what the control API says, 1 when it refuses, 2 when it did not answer or a file cannot be read. */
export const behaviourCommands = group('behaviour', {
  show: plainOutput(show),
  export: plainOutput(exportOne),
  forget: plainOutput(simple(FORGET_USAGE, 'forget')),
  accept: plainOutput(simple(ACCEPT_USAGE, 'accept')),
  import: plainOutput(importOne),
});

const PAST = { forget: 'forgotten', accept: 'accepted', import: 'put back' } as const;

const takenText = ({ workload, order, covers }: Members): string =>
  `${PAST[order as keyof typeof PAST] ?? 'taken'}: ${shown(workload)}; covers ${shown(covers)}`;

function shownText({ mode, known, requests, days, quarantinedUntil, rates, apis, ...shares }: Members): string | null {
  if (typeof known !== 'boolean' || !Array.isArray(rates) || typeof days !== 'number') return null;
  const count = (what: string, { now, usual, seconds }: Members): readonly string[] => [
    `${what} in ${shown(seconds)} s`,
    rounded(now),
    rounded(usual),
  ];
  const share = (what: string, { now, requests: of, usual }: Members): readonly string[] => [
    what,
    `${shown(now)} of ${shown(of)}`,
    typeof usual === 'number' ? `${(usual * 100).toFixed(2)} %` : '-',
  ];
  const held = typeof quarantinedUntil === 'string' ? `; quarantined until ${quarantinedUntil}` : '';
  return [
    `mode ${shown(mode)}; ${known ? 'known' : 'not known yet'}: ${shown(requests)} requests in ${days.toFixed(1)} days${held}`,
    table([
      ['', 'now', 'usual'],
      ...rates.map((one) => count('requests', one as Members)),
      count('apis', apis as Members),
      share('new apis', shares.novel as Members),
      share('refusals', shares.refused as Members),
      share('writes', shares.writes as Members),
    ]),
  ].join('\n');
}

const rounded = (value: unknown): string => (typeof value === 'number' ? String(Math.round(value * 10) / 10) : '-');
