import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again while it goes on. `ask` gives whether it was permitted. */
export async function keepAsking(goesOn: () => boolean, ask: () => Promise<boolean>, pauseMs: number): Promise<void> {
  while (goesOn()) {
    const permitted = await ask();
    // What is refused without the store costs no time: nobody else would have any.
    if (pauseMs > 0 || !permitted) await pause(Math.max(pauseMs, 1));
    else await new Promise(setImmediate);
  }
}
