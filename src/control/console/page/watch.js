/** Without a key or a pointer for so long nobody watches, and what the page asks by itself must not keep the session going. */
const WATCHED_MS = 900_000;

let lastInput = Date.now();
for (const kind of ['keydown', 'pointerdown', 'pointermove', 'wheel'])
  addEventListener(kind, () => (lastInput = Date.now()), { passive: true });

/**
 * Asks again and again while somebody watches: not in a tab behind, not under a dialog, not while `isPaused`. What fails is
 * asked again with the next turn. Gives the function that ends it.
 */
export function watch(refresh, everyMs, isPaused = () => false) {
  const timer = setInterval(() => {
    const isWatched = !document.hidden && Date.now() - lastInput < WATCHED_MS;
    if (isWatched && !isPaused() && document.querySelector('dialog') === null) refresh().catch(() => {});
  }, everyMs);
  return () => clearInterval(timer);
}
