import { get, post } from './api.js';
import { from, h, mono, quiet, state, time } from './dom.js';
import { order } from './order.js';
import { empty, Listing, Table } from './table.js';

const SHOWN = 50;
const STATES = { active: 'good', ended: 'off', lapsed: 'warn', revoked: 'bad' };

const budget = ({ calls, writes, resources }) =>
  [
    ['calls', calls],
    ['writes', writes],
    ['resources', resources],
  ]
    .filter(([, limit]) => limit !== null)
    .map(([name, limit]) => `${limit} ${name}`)
    .join(', ');

/** The tasks that were registered. */
export function tasks() {
  let only = 'active';
  const table = new Table(
    [
      ['Purpose', ({ purpose, id }) => [purpose, h('span', { class: 'sub mono' }, id)]],
      ['State', (item) => state(STATES[item.state] ?? 'off', item.state)],
      ['Workloads', ({ workloads }) => workloads.map((id) => h('div', {}, mono(id)))],
      ['Owner', ({ owner }) => owner ?? quiet('–')],
      ['Began', ({ started, startedBy }) => [time(started), h('span', { class: 'sub mono' }, startedBy)]],
      [
        'Ends',
        ({ until, leaseUntil, ended }) =>
          ended !== null
            ? [time(ended.at), h('span', { class: 'sub' }, ended.reason)]
            : [time(until), leaseUntil === null ? null : h('span', { class: 'sub' }, `lapses ${from(leaseUntil)}`)],
      ],
      ['Budget', ({ budgets }) => budget(budgets) || quiet('–')],
      [
        '',
        (item) =>
          item.state === 'active'
            ? h('button', { type: 'button', onclick: () => end(item, () => listing.refresh()) }, 'End…')
            : null,
      ],
    ],
    { key: ({ key }) => key },
  );
  const listing = new Listing(
    (cursor) => get('/tasks', { limit: SHOWN, state: only, cursor }),
    (items, covers, more) =>
      table.show(items, {
        caption: `${items.length} tasks, of ${covers}`,
        empty: empty(
          only === 'active' ? 'No task is active' : 'No such task',
          'Tasks begin at the token service, or by the command line.',
        ),
        more,
      }),
  );
  return {
    title: 'Tasks',
    about: 'Why machines call: a credential is useless outside its task.',
    tools: [
      h(
        'label',
        {},
        'State',
        h(
          'select',
          {
            onchange: (event) => {
              only = event.target.value;
              listing.refresh();
            },
          },
          ['active', 'ended', 'lapsed', 'revoked', ''].map((value) => h('option', { value }, value || 'all')),
        ),
      ),
    ],
    element: table.element,
    refresh: () => listing.refresh(),
  };
}

function end(item, done) {
  const path = `/tasks/${encodeURIComponent(item.key)}/end`;
  order({
    title: 'End a task',
    about: h('p', {}, 'Its credentials are useless from then on: ', mono(item.id), `, ${item.purpose}`),
    verb: () => 'End it',
    path: () => path,
    body: (reason) => ({ reason }),
    preview: async (reason) => {
      const { hits } = await post(`${path}?dryRun=true`, { reason });
      return [
        hits.children === 0 ? 'Ends this task alone.' : `Ends this task, and ${hits.children} that are a part of it.`,
        'Nothing makes it go on again.',
      ];
    },
    done,
  });
}
