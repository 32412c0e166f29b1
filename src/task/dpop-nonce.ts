import { createHmac, timingSafeEqual } from 'node:crypto';
import type { DpopOptions } from './options.ts';
import { LEEWAY_SECONDS } from './proof.ts';

const TAG_BYTES = 16;
const NONCE = /^([0-9]{1,11})\.([A-Za-z0-9_-]{22})$/;

/** For whom a nonce is made: it is of use to nobody else, and nowhere else. */
export interface NonceOwner {
  readonly caller: string;
  readonly origin: string;
}

/** Whether a nonce is ours and young enough; `renew` when it is time to hand out the next one. */
export type NonceState = 'good' | 'renew' | 'bad';

/**
 * A nonce (RFC 9449 section 9) that holds its own time and an HMAC over it, the caller and the origin. So a nonce needs no
 * memory that somebody could fill, and sidecars that share the secret accept each other's.
 */
export function makeNonce(owner: NonceOwner, { nonce }: DpopOptions, now: number): string {
  const seconds = String(Math.floor(now / 1000));
  return `${seconds}.${tag(seconds, owner, nonce.secret).toString('base64url')}`;
}

/** Judges the nonce of a proof. It may be used for many proofs; its life ends after the configured seconds. */
export function judgeNonce(text: string, owner: NonceOwner, { nonce }: DpopOptions, now: number): NonceState {
  const [, seconds, given] = NONCE.exec(text) ?? [];
  if (seconds === undefined || given === undefined) return 'bad';
  const expected = tag(seconds, owner, nonce.secret);
  const bytes = Buffer.from(given, 'base64url');
  if (bytes.length !== expected.length || !timingSafeEqual(bytes, expected)) return 'bad';
  const age = now / 1000 - Number(seconds);
  if (age < -LEEWAY_SECONDS || age > nonce.lifetimeSeconds) return 'bad';
  return age > nonce.lifetimeSeconds / 2 ? 'renew' : 'good';
}

function tag(seconds: string, { caller, origin }: NonceOwner, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret)
    .update(JSON.stringify([seconds, caller, origin]))
    .digest()
    .subarray(0, TAG_BYTES);
}
