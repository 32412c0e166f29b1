import { get } from './api.js';
import { from, h, mono, time } from './dom.js';
import { order } from './order.js';
import { empty, Listing, Table } from './table.js';

const SHOWN = 50;
/** The members of a revocation that are no subject. */
const OTHER = new Set(['id', 'issuedUpTo', 'until', 'reason', 'by', 'origin', 'orderedAt']);

/** What a revocation is of, as one text. */
function subjectOf(item) {
  const [kind, value] = Object.entries(item).find(
    ([name, given]) => !OTHER.has(name) && given !== undefined && given !== null,
  ) ?? ['?', ''];
  return [kind, typeof value === 'string' ? value : Object.values(value).join(' ')];
}

/** What is refused before any policy is asked. */
export function revocations(shell) {
  const table = new Table([
    [
      'What',
      (item) => {
        const [kind, value] = subjectOf(item);
        return [mono(value), h('span', { class: 'sub' }, kind)];
      },
    ],
    ['Reason', ({ reason }) => reason],
    ['By', ({ by, origin }) => [mono(by), h('span', { class: 'sub' }, origin)]],
    ['Ordered', ({ orderedAt }) => time(orderedAt)],
    ['Ends', ({ until }) => [time(until), h('span', { class: 'sub' }, from(until))]],
    [
      '',
      (item) =>
        item.origin === 'file'
          ? null
          : h('button', { type: 'button', onclick: () => lift(item, shell, () => listing.refresh()) }, 'Lift…'),
    ],
  ]);
  const listing = new Listing(
    (cursor) => get('/revocations', { limit: SHOWN, cursor }),
    (items, covers, more) =>
      table.show(items, {
        caption: `${items.length} in force, of ${covers}`,
        empty: empty('Nothing is revoked', 'Revoke a workload under Workloads; everything else by the command line.'),
        more,
      }),
  );
  return {
    title: 'Revocations',
    about: 'What is refused, whatever policies say.',
    tools: [],
    element: table.element,
    refresh: () => listing.refresh(),
  };
}

function lift(item, shell, done) {
  if (!shell.isFresh()) return shell.signInAgain();
  const [kind, value] = subjectOf(item);
  order({
    title: 'Lift a revocation',
    about: h('p', {}, `Lets this ${kind} be judged by policies again: `, mono(value)),
    grave: false,
    verb: () => 'Lift it',
    path: () => `/revocations/${encodeURIComponent(item.id)}/lift`,
    body: (reason) => ({ reason }),
    preview: async () => [
      'It ends before its time, at every sidecar that hears of it. The order is signed.',
      `It was ordered for: ${item.reason}`,
    ],
    done,
  });
}
