import { duration } from '../../config/values/scalars.ts';
import { command } from '../commands.ts';
import { plainOutput } from '../printable.ts';
import { table } from '../table.ts';
import {
  askList,
  askOnce,
  LIST_OPTIONS,
  LIST_USAGE,
  type Members,
  ORDER_OPTIONS,
  ORDER_USAGE,
  sendOrder,
  shown,
  whereText,
} from './asking.ts';

const STATES = ['pending', 'granted', 'refused', 'withdrawn', 'expired'];
const ID = /^[A-Za-z0-9_-]{22}$/;

const APPROVALS_USAGE = `approvals [ID] --control URL …
  what denied calls ask an approval for, the oldest first, as far as the caller may view it; with ID one of them whole
  --state STATE      only those in this state: ${STATES.join(', ')}
  --review waiting   only break-glass that another person has to review
${LIST_USAGE}`;

/** `approvals`: 0 with what the control API lists, 1 when it refuses, 2 when it did not answer. */
export const approvals = plainOutput(
  command(
    APPROVALS_USAGE,
    { ...LIST_OPTIONS, state: { type: 'string' }, review: { type: 'string' } },
    async (line, io) => {
      const { state, review } = line.values;
      const [id, ...more] = line.positionals;
      if (more.length > 0 || (id !== undefined && !ID.test(id)))
        return line.misuse('name one request by its id, or none');
      if (state !== undefined && !STATES.includes(state)) return line.misuse(`--state: one of ${STATES.join(', ')}`);
      if (review !== undefined && review !== 'waiting') return line.misuse('--review: write waiting');
      if (id === undefined) return askList(line, '/approvals', { state, review }, approvalsText, io);
      return askOnce(line, { method: 'GET', path: `/approvals/${id}` }, wholeText, io);
    },
  ),
);

const APPROVE_USAGE = `approve ID --digest DIGEST --reason TEXT --control URL …
  lets one request pass, as the person who signed in; 1 with the reason where the control API refuses
  --digest DIGEST    of the request that was looked at, as \`approvals ID\` shows it
  --reason TEXT      why
  --uses N           how many of the very same request pass; 1 if left out
  --for DURATION     how long after the grant; as long as policies allow, at most 10m, if left out
${ORDER_USAGE}`;

const APPROVE_OPTIONS = {
  ...ORDER_OPTIONS,
  digest: { type: 'string' },
  uses: { type: 'string' },
  for: { type: 'string' },
} as const;

/** `approve`: 0 when the control API took it, 1 with its sentence when it refuses, 2 when it did not answer. */
export const approve = plainOutput(
  command(APPROVE_USAGE, APPROVE_OPTIONS, async (line, io) => {
    const { values, misuse } = line;
    const id = idBy(line.positionals);
    if (id === null) return misuse('name one request by its id');
    const { digest, reason, uses } = values;
    if (digest === undefined) return misuse('state what was looked at: --digest DIGEST, as `approvals ID` shows it');
    if (reason === undefined) return misuse('state why: --reason TEXT');
    if (uses !== undefined && !/^\d{1,2}$/.test(uses)) return misuse('--uses: write a whole number');
    const time = values.for === undefined ? undefined : duration('1s', '8h').safeParse(values.for);
    if (time?.success === false) return misuse(`--for: ${time.error.issues[0]?.message}`);
    const body = {
      ...{ digest, reason },
      ...(uses === undefined ? {} : { uses: Number(uses) }),
      ...(time === undefined ? {} : { seconds: time.data / 1000 }),
    };
    return sendOrder(line, { path: `/approvals/${id}/grant`, body }, decidedText, io);
  }),
);

const REFUSE_USAGE = `refuse ID --reason TEXT --control URL …
  refuses a request, as the person who signed in: the same is not asked again for ten minutes
  --reason TEXT      why
  --withdraw         also ends what was granted already: what was not used yet passes no more
${ORDER_USAGE}`;

/** `refuse`: as `approve`. */
export const refuseApproval = plainOutput(
  command(REFUSE_USAGE, { ...ORDER_OPTIONS, withdraw: { type: 'boolean' } }, async (line, io) => {
    const id = idBy(line.positionals);
    if (id === null) return line.misuse('name one request by its id');
    const { reason, withdraw } = line.values;
    if (reason === undefined) return line.misuse('state why: --reason TEXT');
    const path = `/approvals/${id}/${withdraw === true ? 'withdraw' : 'refuse'}`;
    return sendOrder(line, { path, body: { reason } }, decidedText, io);
  }),
);

/** The one id of a command line; null: there is none, or more. */
export function idBy([id, ...more]: readonly string[]): string | null {
  return id === undefined || more.length > 0 || !ID.test(id) ? null : id;
}

const list = (value: unknown): string => (Array.isArray(value) ? value.map(shown).join(', ') : '-');

/** What was sent, in one line. */
function requestText({ method, host, path, query }: Members): string {
  return `${shown(method)} ${shown(host)}${shown(path)}${typeof query === 'string' ? `?${query}` : ''}`;
}

function approvalsText(items: readonly Members[]): string {
  const rows = items.map((item) => [
    ...[item.state, item.id].map(shown),
    list(item.approvals),
    shown(item.caller),
    requestText(item),
    ...[item.askedAt, item.answerBy].map(shown),
  ]);
  return table([['state', 'id', 'asks for', 'caller', 'request', 'asked', 'answer by'], ...rows]);
}

/** What was verified first, and what was sent last. Whoever asked itself sees only what became of it. */
function wholeText(item: Members): string | null {
  if (typeof item.id !== 'string') return null;
  const task = (item.task ?? null) as Members | null;
  const body = (item.body ?? null) as Members | null;
  const grant = (item.grant ?? null) as Members | null;
  const declared = (item.declared ?? null) as Members | null;
  const headers = (Array.isArray(item.headers) ? item.headers : []) as readonly Members[];
  const rows: readonly (readonly [string, string])[] = [
    ['state', shown(item.state)],
    ['asks for', list(item.approvals)],
    ['asked', `${shown(item.askedAt)}, answer by ${shown(item.answerBy)}`],
    ...glassRows(item),
    ['granted', grant === null ? '-' : `by ${list(grant.by)}: ${shown(grant.uses)} until ${shown(grant.until)}`],
    ...(item.digest === undefined
      ? []
      : ([
          ['digest', shown(item.digest)],
          ['caller', shown(item.caller)],
          ['chain', list(item.chain)],
          ['owner', shown(item.owner)],
          ['like this', alikeText(item)],
          ['task', task === null ? '-' : [task.issuer, task.id, task.purpose, task.subject].map(shown).join(' ')],
          ...(declared === null ? [] : [['claims', [declared.id, declared.purpose].map(shown).join(' ')] as const]),
          ['action', `${shown(item.action)}, ${shown(item.sensitivity)}`],
          ['request', requestText(item)],
          ['type', shown(item.contentType)],
          ...headers.map(({ name, value }) => ['header', `${shown(name)}: ${shown(value)}`] as const),
          ['body', body === null ? '-' : `${shown(body.bytes)} bytes, SHA-256 ${shown(body.sha256)}`],
          // What follows the first line has no name before it, so that no line of a body is taken for another fact.
          ...shown(body?.shown)
            .split('\n')
            .map((line, n) => [n === 0 ? 'sent' : '', line] as const),
        ] as const)),
  ];
  return table(rows);
}

/** How many came lately that one policy could answer as well. */
function alikeText(item: Members): string {
  const { asked, granted, since } = (item.alike ?? {}) as Members;
  return `${shown(asked)} since ${shown(since)}, ${shown(granted)} of them granted`;
}

/** Who let it pass alone, and who looked at it. */
function glassRows({ breakGlass }: Members): readonly (readonly [string, string])[] {
  const broken = (breakGlass ?? null) as Members | null;
  if (broken === null) return [];
  const review = (broken.review ?? null) as Members | null;
  const said = ({ by, at, reason }: Members) => `by ${shown(by)} at ${shown(at)}: ${shown(reason)}`;
  return [
    ['break-glass', said(broken)],
    ['review', review === null ? `by another person until ${shown(broken.reviewBy)}` : said(review)],
  ];
}

/** What became of a request by an order. */
export function decidedText(answer: Members): string {
  const { id, state, consents, grant } = (answer.approval ?? {}) as Members;
  const terms = grant as Members | null;
  const more =
    state === 'granted'
      ? `: ${shown(terms?.uses)} until ${shown(terms?.until)}`
      : state === 'pending' && Array.isArray(consents)
        ? ', and takes one more person'
        : '';
  return `${shown(id)} is ${shown(state)}${more}${whereText(answer)}`;
}
