import { get } from './api.js';
import { tell, watch } from './watch.js';

/** How often what came is shown, and how much of it is kept until then: a list shows no more. */
const SHOW_MS = 300;
const MOST = 200;
/** How often the whole list is asked for beside the stream, which also tells the session that somebody is there. */
const BESIDE_MS = 60_000;
/** After so long a stream that was refused is tried again. */
const AGAIN_MS = 30_000;

/**
 * Shows what happens as it happens: `take` gets the newest items that came since the last time, the oldest first, at most a
 * few times a second. The list is asked for by `refresh` at the beginning, where the stream says that something is missing,
 * and now and then beside it; and by `poll` every `everyMs` as long as there is no stream. A tab behind, and one that
 * `isPaused`, has none. Gives `end`, and `look`, which looks at `isPaused` again.
 */
export function live(of, { take, refresh, poll = refresh, everyMs, isPaused = () => false }) {
  let source = null;
  let after = null;
  let isOpen = false;
  let came = [];
  let retry = 0;
  let isOver = false;
  const told = (problem) => isOver || tell(problem);
  const ask = () => refresh().then(() => told(null), told);
  const ends = [watch(poll, everyMs, () => isOpen || isPaused()), watch(refresh, BESIDE_MS, () => !isOpen)];

  // Nothing moves under a dialog.
  const showing = setInterval(() => {
    if (came.length === 0 || document.querySelector('dialog') !== null) return;
    const items = came.map((text) => JSON.parse(text));
    came = [];
    take(items);
  }, SHOW_MS);

  function open() {
    const query = new URLSearchParams(after === null ? { of } : { of, after });
    const opened = new EventSource(`/events?${query}`);
    source = opened;
    opened.addEventListener('ready', (event) => {
      isOpen = true;
      // What came before it is in the list alone.
      if (after === null) ask();
      else told(null);
      after = event.lastEventId;
    });
    opened.addEventListener('reset', (event) => {
      isOpen = true;
      after = event.lastEventId;
      came = [];
      ask();
    });
    opened.addEventListener(of, (event) => {
      after = event.lastEventId;
      came.push(event.data);
      if (came.length > MOST) came = came.slice(-MOST);
    });
    opened.addEventListener('error', () => {
      isOpen = false;
      if (opened.readyState !== EventSource.CLOSED) return;
      close();
      retry = setTimeout(look, AGAIN_MS);
      // Where the session is over, this says so to the page.
      get('/session').catch(() => {});
    });
  }

  function close() {
    clearTimeout(retry);
    source?.close();
    source = null;
    isOpen = false;
  }

  function look() {
    if (document.hidden || isPaused()) close();
    else if (source === null) open();
  }

  document.addEventListener('visibilitychange', look);
  look();
  return {
    look,
    end() {
      isOver = true;
      document.removeEventListener('visibilitychange', look);
      clearInterval(showing);
      close();
      for (const end of ends) end();
    },
  };
}
