import { get } from './api.js';
import { h, mono, quiet, say, state, time, word } from './dom.js';
import { live } from './live.js';
import { empty, Table } from './table.js';

const EVERY_MS = 2000;
const SHOWN = 100;

const columns = [
  ['Time', ({ time: at }) => time(at)],
  ['Result', ({ result }) => (result === 'allow' ? state('good', 'allowed') : state('bad', 'denied'))],
  ['Reason', ({ reason }) => word(reason)],
  [
    'Caller',
    ({ caller }) =>
      caller === null ? quiet('nobody proven') : [mono(caller.id), h('span', { class: 'sub' }, caller.owner ?? '')],
  ],
  [
    'Action',
    ({ action, host, resource }) => [
      action === null ? quiet('–') : mono(action),
      resource === null ? h('span', { class: 'sub' }, host ?? '') : null,
    ],
  ],
  ['Resource', ({ resource }) => (resource === null ? quiet('–') : mono(resource.id))],
  ['Task', ({ task }) => (task === null ? quiet('–') : [task.purpose, h('span', { class: 'sub mono' }, task.id)])],
];

/** What was decided lately, as it happens, until somebody pauses it. */
export function decisions() {
  const table = new Table(columns, { key: ({ decision }) => decision });
  const filter = { result: '', workload: '', reason: '' };
  let following = null;
  let isPaused = false;
  let items = [];
  let covers = '';

  async function refresh() {
    ({ items, covers } = await get('/decisions', { limit: SHOWN, ...filter }));
    show();
  }

  function show() {
    table.show(items, {
      caption: caption(),
      empty: empty('Nothing was decided yet', 'Each denial comes here at once, and one in some allows.'),
    });
  }

  function caption() {
    const omitted = items.reduce((sum, item) => sum + item.omitted, 0);
    return `The last ${items.length} that are kept, of ${covers}: each denial, one in some allows${omitted > 0 ? `; ${omitted} denials more were not kept` : ''}`;
  }

  const isWanted = ({ result, reason, caller }) =>
    (filter.result === '' || filter.result === result) &&
    (filter.reason === '' || filter.reason === reason) &&
    (filter.workload === '' || filter.workload === caller?.id);

  function take(came) {
    const known = new Set(items.map(({ decision }) => decision));
    const fresh = came
      .filter((item) => isWanted(item) && !known.has(item.decision))
      .reverse()
      .slice(0, SHOWN);
    if (fresh.length === 0) return;
    const isFirst = items.length === 0;
    items = [...fresh, ...items].slice(0, SHOWN);
    if (isFirst) show();
    else table.prepend(fresh, SHOWN, caption());
  }

  const pause = h('button', { type: 'button', 'aria-pressed': 'false', onclick: toggle }, 'Pause');
  function toggle() {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    pause.setAttribute('aria-pressed', String(isPaused));
    say(isPaused ? 'The list stands still' : 'The list goes on');
    following?.look();
  }

  const change = (name) => (event) => {
    filter[name] = event.target.value.trim();
    refresh().catch(() => {});
  };

  return {
    title: 'Decisions',
    about: 'What sidecars answered lately, and why.',
    tools: [
      h(
        'label',
        {},
        'Result',
        h(
          'select',
          { onchange: change('result') },
          [
            ['', 'all'],
            ['deny', 'denied'],
            ['allow', 'allowed'],
          ].map(([value, text]) => h('option', { value }, text)),
        ),
      ),
      h(
        'label',
        {},
        'Caller',
        h('input', { placeholder: 'spiffe://…', spellcheck: 'false', onchange: change('workload') }),
      ),
      h(
        'label',
        {},
        'Reason',
        h('input', { placeholder: 'policy_denied', spellcheck: 'false', onchange: change('reason') }),
      ),
      pause,
    ],
    element: table.element,
    refresh,
    begin() {
      following = live('decisions', { take, refresh, everyMs: EVERY_MS, isPaused: () => isPaused });
    },
    end: () => following?.end(),
  };
}
