import { createHmac, timingSafeEqual } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { LEEWAY_SECONDS } from '../token/jws-claims.ts';
import type { DpopOptions } from './options.ts';

const TAG_BYTES = 16;
const NONCE = /^([0-9]{1,11})\.([A-Za-z0-9_-]{22})$/;

/** Secrets of one file: the one that makes nonces, and those of before and after a rotation. */
const MAX_SECRETS = 4;
const LEAST_SECRET_BYTES = 32;

/**
 * Reads the secrets that sidecars share, one a line in base64 of either alphabet; empty lines count for nothing. To rotate
 * without a refusal, a new one is appended, later moved to the first line, and the old one dropped when its nonces have ended.
 */
export function readNonceSecrets(text: string): readonly Uint8Array[] | Fault {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  const advice = `write base64 of at least ${LEAST_SECRET_BYTES} random bytes on each line (openssl rand -base64 32)`;
  if (lines.length === 0) return new Fault(`it holds no secret; ${advice}`);
  if (lines.length > MAX_SECRETS)
    return new Fault(`it holds more than ${MAX_SECRETS} secrets; drop those whose nonces ended`);
  const secrets = lines.map((line) =>
    /^[A-Za-z0-9+/_-]+={0,2}$/.test(line) ? Buffer.from(line, 'base64') : Buffer.alloc(0),
  );
  const short = secrets.findIndex(({ length }) => length < LEAST_SECRET_BYTES);
  return short === -1 ? secrets : new Fault(`secret ${short + 1} is no base64, or too short; ${advice}`);
}

/** For whom a nonce is made, and in which history of the state: it is of use to nobody else, nowhere else and not later. */
export interface NonceOwner {
  readonly caller: string;
  readonly origin: string;
  readonly history: string;
}

/** Whether a nonce is ours and young enough; `renew` when it is time to hand out the next one. */
export type NonceState = 'good' | 'renew' | 'bad';

/**
 * A nonce (RFC 9449 section 9) that holds its own time and an HMAC over it, the caller and the origin. So a nonce needs no
 * memory that somebody could fill, and sidecars that share secrets accept each other's. Whoever makes one knows the history:
 * so it shows that its proof was made after that began, whatever the clocks.
 */
export function makeNonce(owner: NonceOwner, { nonce }: DpopOptions, now: number): string {
  const seconds = String(Math.floor(now / 1000));
  return `${seconds}.${tag(seconds, owner, nonce.secrets()[0]!).toString('base64url')}`;
}

/** Judges the nonce of a proof. It may be used for many proofs; its life ends after the configured seconds. */
export function judgeNonce(text: string, owner: NonceOwner, { nonce }: DpopOptions, now: number): NonceState {
  const [, seconds, given] = NONCE.exec(text) ?? [];
  if (seconds === undefined || given === undefined) return 'bad';
  const bytes = Buffer.from(given, 'base64url');
  if (!nonce.secrets().some((secret) => timingSafeEqual(bytes, tag(seconds, owner, secret)))) return 'bad';
  const age = now / 1000 - Number(seconds);
  if (age < -LEEWAY_SECONDS || age > nonce.lifetimeSeconds) return 'bad';
  return age > nonce.lifetimeSeconds / 2 ? 'renew' : 'good';
}

function tag(seconds: string, { caller, origin, history }: NonceOwner, secret: Uint8Array): Buffer {
  return createHmac('sha256', secret)
    .update(JSON.stringify([seconds, caller, origin, history]))
    .digest()
    .subarray(0, TAG_BYTES);
}
