import { get } from './api.js';
import { arrange, clock, facts, from, h, lines, mono, quiet, state, time } from './dom.js';
import { live } from './live.js';
import { order } from './order.js';
import { empty } from './table.js';

const EVERY_MS = 3000;
/** What was decided is asked for where something waits no more, and else so rarely. */
const DECIDED_EVERY = 10;
const DECIDED = 50;
const STATES = {
  pending: ['warn', 'waits'],
  granted: ['good', 'granted'],
  refused: ['bad', 'refused'],
  withdrawn: ['off', 'withdrawn'],
  expired: ['off', 'expired'],
};

/** All that waits, the oldest first, however much was decided before. */
async function allWaiting() {
  const all = [];
  let cursor = null;
  do {
    const { items, next } = await get('/approvals', { state: 'pending', limit: 100, cursor });
    all.push(...items);
    cursor = next;
  } while (cursor !== null);
  return all;
}

/** What waits for a person, the oldest first, and what was decided lately, the newest first. */
export function approvals(shell) {
  const element = h('div', { class: 'cards' });
  let following = null;
  let items = new Map();
  let [before, turn] = ['', 0];
  /** By what is on them, so that what is being read, and has the focus, stays where it is. */
  let cards = new Map();
  const nobody = h(
    'div',
    { class: 'sheet' },
    empty('Nobody waits for you', 'When a policy asks for a person, the request comes here at once.'),
  );
  const heading = h('h2', {}, 'Decided lately');
  const reviews = h('h2', {}, 'Break-glass to be reviewed');
  const beginning = h(
    'p',
    { class: 'quiet' },
    'Nobody can break glass: the record of it is new, or was lost. ',
    h(
      'button',
      { type: 'button', class: 'plain', onclick: () => review({ id: 'beginning' }, shell, again) },
      'Begin it…',
    ),
  );
  /** Whether anybody may break glass; null: not asked yet. */
  let begun = null;
  const again = () => {
    begun = null;
    return refresh();
  };

  async function look(isWhole) {
    const waiting = await allWaiting();
    const broken = (await get('/approvals', { review: 'waiting', limit: 100 })).items;
    begun ??= await isBegun();
    const now = JSON.stringify([waiting, broken, begun]);
    if (!isWhole && now === before && ++turn % DECIDED_EVERY !== 0) return;
    const newest = await get('/approvals', { newest: true, limit: DECIDED });
    before = now;
    const decided = newest.items.filter((item) => item.state !== 'pending');
    items = new Map([...decided, ...broken, ...waiting].map((item) => [item.id, item]));
    show();
  }

  function take(changed) {
    for (const item of changed) {
      items.set(item.id, item);
      for (const one of items.values()) if (kindOf(one) === kindOf(item)) one.alike = item.alike;
    }
    show();
  }

  function show() {
    const all = [...items.values()].sort((one, other) => Date.parse(one.askedAt) - Date.parse(other.askedAt));
    const waiting = all.filter((item) => item.state === 'pending');
    const broken = all.filter(({ breakGlass }) => breakGlass !== null && breakGlass.review === null);
    const decided = all
      .filter((item) => item.state !== 'pending' && !broken.includes(item))
      .slice(-DECIDED)
      .reverse();
    shell.count(waiting.length);
    const shown = cards;
    cards = new Map();
    const cardOf = (item) => {
      // How many are like it changes with others.
      const { alike, ...own } = item;
      const text = JSON.stringify(own);
      const one = shown.get(text) ?? card(item, shell, refresh);
      const counted = one.querySelector('.alike');
      if (alike !== undefined) counted.textContent = alikeText(alike);
      cards.set(text, one);
      return one;
    };
    arrange(element, [
      ...(waiting.length === 0 ? [nobody] : waiting.map(cardOf)),
      ...(broken.length === 0 ? [] : [reviews, ...broken.map(cardOf)]),
      ...(decided.length === 0 ? [] : [heading, ...decided.map(cardOf)]),
      ...(begun === false ? [beginning] : []),
    ]);
  }

  const refresh = () => look(true);
  return {
    title: 'Approvals',
    about: 'Requests that a policy lets through only with a person’s consent.',
    tools: [],
    element,
    refresh,
    begin() {
      following = live('approvals', { take, refresh, poll: () => look(false), everyMs: EVERY_MS });
    },
    end: () => following?.end(),
  };
}

/** Facts that were verified, in fixed places; what the caller wrote comes last, as it is. */
function card(item, shell, done) {
  const [kind, word] = STATES[item.state] ?? ['off', item.state];
  const { body, task, declared, chain = [] } = item;
  const sent = [['content-type', item.contentType], ...item.headers.map(({ name, value }) => [name, value])];
  const isPending = item.state === 'pending';
  const acts = [];
  if (isPending)
    acts.push(
      h('button', { type: 'button', onclick: () => breakGlass(item, shell, done) }, 'Break glass…'),
      h('button', { type: 'button', onclick: () => refuse(item, done) }, 'Refuse…'),
      h(
        'button',
        { type: 'button', class: 'main', onclick: () => grant(item, shell, done) },
        'Allow this one request…',
      ),
    );
  if (item.state === 'granted')
    acts.push(h('button', { type: 'button', onclick: () => withdraw(item, done) }, 'Withdraw…'));
  const glass = item.breakGlass ?? null;
  if (glass !== null && glass.review === null)
    acts.push(h('button', { type: 'button', class: 'main', onclick: () => review(item, shell, done) }, 'Review…'));
  return h(
    'article',
    { class: 'card', 'aria-label': `${item.method ?? ''} ${item.host}: ${word}` },
    h('header', {}, h('h2', {}, `${item.action} on ${item.host}`), state(kind, word)),
    facts(
      ['Asks for', item.approvals.join(', ')],
      ['Caller', mono(item.caller)],
      ['Through', chain.length > 1 ? chain.map((id) => h('div', {}, mono(id))) : null],
      ['Owner', item.owner],
      ['Task', task === null ? quiet('none') : [task.purpose ?? '', ' ', mono(task.id)]],
      ['Claims to be in', declared === null ? null : [declared.purpose, ' ', mono(declared.id)]],
      ['Sensitivity', item.sensitivity],
      ['Asked', time(item.askedAt)],
      ['Answer by', isPending ? [time(item.answerBy), ' ', quiet(from(item.answerBy))] : null],
      ['Like this', h('span', { class: 'alike' })],
      ['Decided', said(item.decided)],
      ['Break-glass', said(glass)],
      ['Review', glass === null ? null : (said(glass.review) ?? ['by another person until ', time(glass.reviewBy)])],
    ),
    h('div', {}, quiet('The request, as it was sent')),
    h(
      'pre',
      { tabindex: '0', 'aria-label': 'The request' },
      `${item.method} ${item.path}${item.query === null ? '' : `?${item.query}`}`,
      sent.filter(([, value]) => value !== null).map(([name, value]) => [lines('\n'), `${name}: ${value}`]),
    ),
    body === null
      ? null
      : h(
          'pre',
          { tabindex: '0', 'aria-label': 'The body' },
          body.shown === null ? `${body.bytes} bytes, SHA-256 ${body.sha256}` : lines(body.shown),
        ),
    acts.length === 0 ? null : h('footer', {}, acts),
  );
}

const kindOf = ({ caller, action, host, approvals }) => JSON.stringify([caller, action, host, approvals]);
/** As often as this a policy would spare people the question. */
const OFTEN = 10;
const alikeText = ({ asked, granted, since }) => {
  const isDay = Date.now() - Date.parse(since) > 22 * 3_600_000;
  const when = isDay ? 'in the last day' : `since ${clock.format(new Date(since))}`;
  const told = asked < 2 ? `the first ${when}` : `${asked} ${when}, ${granted} of them granted`;
  return granted < OFTEN ? told : `${told}: a policy could answer them`;
};

/** Who, when and why; null where nobody did. */
const said = (one) => (one == null ? null : [time(one.at), ' by ', mono(one.by), `: ${one.reason}`]);

/** True also for whoever may not know. */
const isBegun = () =>
  get('/state').then(
    ({ parts }) => parts.approvals?.breakGlass.begun ?? true,
    () => true,
  );

const at = (item, what) => () => `/approvals/${encodeURIComponent(item.id)}/${what}`;
const what = (item) => h('p', {}, `${item.method} ${item.host}${item.path}`, ' by ', mono(item.caller));

function grant(item, shell, done) {
  if (!shell.isFresh()) return shell.signInAgain();
  order({
    title: 'Allow this one request',
    about: what(item),
    grave: false,
    verb: () => 'Allow this one request',
    path: at(item, 'grant'),
    body: (reason) => ({ reason, digest: item.digest }),
    preview: async () => ['The same request, byte for byte, is judged again and may pass. Any other is refused.'],
    done,
  });
}

function breakGlass(item, shell, done) {
  if (!shell.isFresh()) return shell.signInAgain();
  order({
    title: 'Break glass for this one request',
    about: what(item),
    least: 20,
    verb: () => 'Let it pass alone',
    path: at(item, 'break-glass'),
    body: (reason) => ({ reason, digest: item.digest }),
    preview: async () => [
      'You alone let this one request pass, once, within ten minutes. Everybody who gets notices is told.',
      'Another person must review it within 24 hours. Until then you may have two more, and after that none.',
    ],
    done,
  });
}

function review(item, shell, done) {
  if (!shell.isFresh()) return shell.signInAgain();
  const isBeginning = item.id === 'beginning';
  order({
    title: isBeginning ? 'Begin the record of break-glass' : 'Review a break-glass',
    about: isBeginning ? h('p', {}, 'In the audit, `event` is `control` and `call` is `breakGlass`.') : what(item),
    grave: false,
    verb: () => 'I have looked at it',
    path: at(item, 'review'),
    body: (reason) => ({ reason }),
    preview: async () => [
      isBeginning
        ? 'No break-glass waits for a review that is not known here. Others may break glass from then on.'
        : 'You say what you found, for the audit. Whoever broke glass may do so again.',
    ],
    done,
  });
}

function refuse(item, done) {
  order({
    title: 'Refuse a request',
    about: what(item),
    verb: () => 'Refuse it',
    path: at(item, 'refuse'),
    body: (reason) => ({ reason }),
    preview: async () => ['It stays denied, and the same request cannot ask again for ten minutes.'],
    done,
  });
}

function withdraw(item, done) {
  order({
    title: 'Withdraw a grant',
    about: what(item),
    verb: () => 'Withdraw it',
    path: at(item, 'withdraw'),
    body: (reason) => ({ reason }),
    preview: async () => ['What was not used yet is refused from then on.'],
    done,
  });
}
