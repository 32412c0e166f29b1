import { get, post } from './api.js';
import { h, mono, quiet, time, word } from './dom.js';
import { choice, order } from './order.js';
import { empty, Listing, Table } from './table.js';

const SHOWN = 50;
const KINDS = { id: 'one workload', under: 'all below this path', seen: 'seen, in no inventory' };

/** The workloads of the inventory: whose they are, when they were last seen, and with what. */
export function workloads() {
  const table = new Table([
    ['Workload', ({ id, scope }) => [mono(id), h('span', { class: 'sub' }, KINDS[scope] ?? scope)]],
    ['Owner', ({ owner }) => owner],
    ['Kind', ({ kind }) => kind],
    ['Last use', ({ lastUse }) => time(lastUse, 'not seen')],
    ['Credentials', ({ credentials }) => (credentials.length === 0 ? quiet('–') : credentials.join(', '))],
    ['Live tasks', ({ tasks }) => (tasks.length === 0 ? quiet('none') : String(tasks.length))],
    ['Reviewed', ({ reviewed }) => (reviewed === null ? quiet('never') : word(reviewed))],
    ['', (item) => h('button', { type: 'button', onclick: () => revoke(item, screen.refresh) }, 'Revoke…')],
  ]);
  let owner = '';
  const listing = new Listing(
    (cursor) => get('/workloads', { limit: SHOWN, owner, cursor }),
    (items, covers, more) =>
      table.show(items, {
        caption: `${items.length} workloads; last use as ${covers} saw it`,
        empty: empty('No workload here', 'The inventory names none that you may view with this filter.'),
        more,
      }),
  );
  const screen = {
    title: 'Workloads',
    about: 'Every machine that may call, and the team that answers for it.',
    tools: [
      h(
        'label',
        {},
        'Owner',
        h('input', {
          spellcheck: 'false',
          onchange: (event) => {
            owner = event.target.value.trim();
            listing.refresh();
          },
        }),
      ),
    ],
    element: table.element,
    refresh: () => listing.refresh(),
  };
  return screen;
}

const SPANS = [
  ['3600', 'for an hour'],
  ['86400', 'for a day'],
  ['604800', 'for a week'],
  ['2592000', 'for 30 days'],
];

/** Revokes a workload, or all below a path. */
function revoke({ id, scope }, done) {
  const span = choice('until', 'How long', SPANS);
  const body = (reason) => ({
    [scope === 'under' ? 'under' : 'workload']: id,
    until: new Date(Date.now() + Number(span.querySelector('select').value) * 1000).toISOString(),
    reason,
  });
  order({
    title: 'Revoke a workload',
    about: h('p', {}, 'Refuses everything that ', mono(id), ' asks, in every chain that it is a part of.'),
    fields: [span],
    verb: () => 'Revoke it',
    path: () => '/revocations',
    body,
    preview: async (reason) => {
      const { hits, summary } = await post('/revocations?dryRun=true', body(reason));
      return [summary, hits.known ? null : 'It is not known here; it is revoked all the same.'].filter(
        (line) => line !== null,
      );
    },
    done,
  });
}
