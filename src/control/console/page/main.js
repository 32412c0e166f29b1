import { get, Problem, post, signedOut } from './api.js';
import { approvals } from './approvals.js';
import { decisions } from './decisions.js';
import { add, from, h, mono, say } from './dom.js';
import { health } from './health.js';
import { revocations } from './revocations.js';
import { tasks } from './tasks.js';
import { workloads } from './workloads.js';

const screens = { approvals, decisions, workloads, tasks, revocations, health };
const NAMES = {
  approvals: 'Approvals',
  decisions: 'Decisions',
  workloads: 'Workloads',
  tasks: 'Tasks',
  revocations: 'Revocations',
  health: 'Health',
};
const FIRST = 'approvals';
/** How long before its end a session is said to end. */
const WARN_MS = 300_000;

const icon = document.querySelector('link[rel=icon]').href;
const here = () => encodeURIComponent(`${location.pathname}${location.hash}`);
const nameOf = () => (Object.hasOwn(screens, location.hash.slice(2)) ? location.hash.slice(2) : FIRST);

let session = null;
/** How far the clock of the server is ahead of this one's. */
let aheadMs = 0;
let current = null;
let isOver = false;

const count = h('span', { class: 'count', hidden: true });
const links = Object.fromEntries(
  Object.entries(NAMES).map(([name, text]) => [
    name,
    h('a', { href: `#/${name}` }, h('span', {}, text), name === 'approvals' ? count : null),
  ]),
);
const main = h('main', { id: 'main', tabindex: '-1' });
const warning = h('p', { class: 'note', hidden: true, role: 'status' });

const shell = {
  isFresh: () => Date.parse(session.freshUntil) > Date.now() + aheadMs,
  signInAgain: () => location.assign(`/sign-in?fresh=true&return=${here()}`),
  count(waiting) {
    const before = Number(count.textContent);
    if (waiting > before && !count.hidden) say(`${waiting - before} new approvals`);
    count.textContent = String(waiting);
    count.hidden = waiting === 0;
  },
};

function enter(title, text, problem = null) {
  isOver = true;
  current?.end?.();
  document.querySelector('.shell')?.remove();
  document.querySelector('.enter')?.remove();
  document.body.append(
    h(
      'div',
      { class: 'enter' },
      h(
        'main',
        { class: 'card', id: 'main', tabindex: '-1' },
        h('div', { class: 'brand' }, h('img', { src: icon, alt: '' }), 'cedar-ext-authz'),
        h('h1', {}, title),
        h('p', { class: 'quiet' }, text),
        problem === null ? null : h('p', { class: 'fault', role: 'alert' }, problem),
        h('a', { class: 'button main', href: `/sign-in?return=${here()}` }, 'Sign in'),
      ),
    ),
  );
}

async function open(name) {
  current?.end?.();
  const screen = screens[name](shell);
  current = screen;
  for (const [each, link] of Object.entries(links)) {
    if (each === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${screen.title} · cedar-ext-authz`;
  const fault = h('div');
  main.replaceChildren(
    h(
      'div',
      { class: 'head' },
      h('div', { class: 'title' }, h('h1', {}, screen.title), h('p', { class: 'quiet' }, screen.about)),
      h('div', { class: 'tools' }, screen.tools),
    ),
    warning,
    fault,
    screen.element,
  );
  try {
    await screen.refresh();
    if (current === screen) screen.begin?.();
  } catch (problem) {
    if (current !== screen || isOver) return;
    const text = problem instanceof Problem ? problem.message : 'This page failed.';
    add(
      fault,
      h(
        'p',
        { class: 'note bad', role: 'alert' },
        text,
        ' ',
        h('button', { type: 'button', class: 'plain', onclick: () => open(name) }, 'Try again'),
      ),
    );
  }
}

/** The session as the server has it; its end is told before it comes. */
async function look() {
  session = await get('/session');
  aheadMs = Date.parse(session.at) - Date.now();
  const ends = [session.ends, session.idleEnds].sort()[0];
  warning.hidden = Date.parse(ends) - Date.parse(session.at) > WARN_MS;
  warning.replaceChildren(
    `The session ends ${from(ends)}. `,
    h('a', { href: `/sign-in?return=${here()}` }, 'Sign in again'),
  );
}

async function begin() {
  try {
    await look();
  } catch (problem) {
    if (problem.status === 401)
      enter('Sign in', 'Approvals, revocations and decisions of this mesh are for people who signed in.');
    else enter('Not now', 'The console could not be opened.', problem.message);
    return;
  }
  const { person } = session;
  const out = h('button', { type: 'button', onclick: signOut }, 'Sign out');
  document.body.append(
    h(
      'div',
      { class: 'shell' },
      h(
        'header',
        { class: 'side' },
        h('div', { class: 'brand' }, h('img', { src: icon, alt: '' }), 'cedar-ext-authz'),
        h(
          'nav',
          { 'aria-label': 'Screens' },
          h(
            'ul',
            {},
            Object.values(links).map((link) => h('li', {}, link)),
          ),
        ),
        h(
          'div',
          { class: 'who' },
          h(
            'div',
            {},
            h('div', {}, person.name ?? person.subject),
            h('div', { class: 'quiet' }, mono(new URL(person.issuer).host)),
          ),
          h('div', {}, out),
        ),
      ),
      main,
    ),
  );
  signedOut.addEventListener('over', () => enter('Signed out', 'The session is over.'), { once: true });
  addEventListener('hashchange', () => {
    open(nameOf());
    main.focus();
  });
  setInterval(() => look().catch(() => {}), 60_000);
  await open(nameOf());
}

/** Nobody is told to be signed out whose session goes on. */
async function signOut({ target }) {
  const left = target.parentElement;
  left.querySelector('.fault')?.remove();
  try {
    await post('/sign-out', {});
  } catch (problem) {
    if (problem.status !== 401)
      return left.append(h('p', { class: 'fault', role: 'alert' }, `Still signed in. ${problem.message}`));
  }
  enter('Signed out', 'The session is over.');
}

await begin();
