import { setTimeout as pause } from 'node:timers/promises';

const INTERVAL_MS = 20;

/** Asks again and again until the probe answers something other than null or undefined; fails after the limit, naming `what`. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | null | undefined> | T | null | undefined,
  limitMs = 30_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  let last: unknown = null;
  while (performance.now() < end) {
    try {
      const answer = await probe();
      if (answer !== null && answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await pause(INTERVAL_MS);
  }
  throw new Error(`${what}: not within ${limitMs} ms`, { cause: last });
}
