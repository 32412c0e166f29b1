import { h, say, time } from './dom.js';

/** Without a key or a pointer for so long nobody watches, and what the page asks by itself must not keep the session going. */
const WATCHED_MS = 900_000;

let lastInput = Date.now();
for (const kind of ['keydown', 'pointerdown', 'pointermove', 'wheel'])
  addEventListener(kind, () => (lastInput = Date.now()), { passive: true });

let note = null;

/** Says since when what is shown is not up to date, and why; null: it is. */
export function tell(problem) {
  if (problem === null) {
    note?.remove();
    note = null;
    return;
  }
  if (note === null) {
    const since = time(new Date().toISOString());
    note = h('p', { class: 'note bad' }, 'Not up to date since ', since, `: ${problem.message}`);
    say('This page is not up to date');
  }
  if (!note.isConnected) document.querySelector('main .head')?.after(note);
}

/**
 * Asks again and again while somebody watches: not in a tab behind, not under a dialog, not while `isPaused`. What fails is
 * asked again with the next turn, and the page says so until then. Gives the function that ends it.
 */
export function watch(refresh, everyMs, isPaused = () => false) {
  let isOver = false;
  const told = (problem) => isOver || tell(problem);
  const timer = setInterval(() => {
    const isWatched = !document.hidden && Date.now() - lastInput < WATCHED_MS;
    if (isWatched && !isPaused() && document.querySelector('dialog') === null) refresh().then(() => told(null), told);
  }, everyMs);
  return () => {
    clearInterval(timer);
    isOver = true;
    tell(null);
  };
}
