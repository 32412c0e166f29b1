import { LEEWAY_SECONDS } from '../../src/token/jws-claims.ts';
import { until } from './until.ts';

/**
 * When a proof is made, in milliseconds since the epoch: as young as the leeway of clocks admits. A sidecar that has just
 * started asks for a nonce with any older one, or refuses it, since it might have been used before.
 */
export const proofTime = (): number => Date.now() + LEEWAY_SECONDS * 1000;

/** Resolves when such a proof is surely made after a start that lies behind: proofs state whole seconds. */
export async function secondAfterStart(): Promise<void> {
  const startedBefore = Date.now();
  await until('a second after the start', () => (Math.floor(Date.now() / 1000) * 1000 > startedBefore ? true : null));
}
