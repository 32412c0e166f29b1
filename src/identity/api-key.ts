import { timingSafeEqual } from 'node:crypto';
import { Refusal } from '../base/outcome.ts';
import type { Proven } from '../base/proven.ts';
import { apiKeyDigest, isApiKey } from '../base/secrets/api-key.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { guardedValue } from '../http/credentials.ts';
import type { Headers } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { endOfDayMs } from '../inventory/legacy/rules.ts';
import type { Host } from '../inventory/model.ts';
import type { OnVerified } from './caller.ts';
import { boundsFault } from './legacy.ts';

/** An API key as it was presented: the hex digits of its SHA-256. Nothing is verified; the key itself is kept nowhere. */
export type PresentedKey = { readonly sha256: string };

/** An API key that is one of an account, at this host, from this address, at this time. `verifyApiKey` alone makes it. */
export type VerifiedKey = Proven<
  'api-key',
  {
    readonly id: SpiffeId;
    /** base64url of the digest. */
    readonly thumbprint: string;
    /** Seconds since the epoch: when the key was made, and when it is too old. */
    readonly issuedAt: number;
    readonly expiresAt: number;
  }
>;

/** Reads the key of a request; null where it has none, `identity_key_malformed` for what is no key. */
export function readApiKey(headers: Headers, header: string): PresentedKey | Refusal | null {
  const text = guardedValue(headers, header);
  if (text === null) return null;
  if (!isApiKey(text)) return new Refusal('identity_key_malformed', `${header} holds no key as key new makes them`);
  return { sha256: apiKeyDigest(text) };
}

/**
 * Verifies a presented key: an account of the inventory has one with this digest, made before `now` (milliseconds since the
 * epoch) and not past its day of rotation, for this host and from its networks; `client` is the address of who connected, null
 * where nobody knows it. Whoever presents a key chose the text, and not its digest, so how long it takes to find tells
 * nothing about keys; the digests are compared in constant time besides. Refusals: `identity_key_unknown`, `identity_key_not_yet_valid`,
 * `identity_key_expired`, `identity_legacy_host`, `identity_legacy_network`.
 */
export function verifyApiKey(
  { sha256 }: PresentedKey,
  host: Pick<Host, 'name'>,
  client: string | null,
  known: Inventory,
  now: number,
  onVerified: OnVerified,
): VerifiedKey | Refusal {
  const account = known.legacy('key', sha256);
  const stated = account?.stated.keys?.find((one) => timingSafeEqual(Buffer.from(one.sha256), Buffer.from(sha256)));
  if (account === null || stated === undefined)
    return new Refusal('identity_key_unknown', `no account has a key with the digest sha256:${sha256}`);
  const { id } = account;
  const thumbprint = Buffer.from(sha256, 'hex').toString('base64url');
  onVerified({ id, credential: 'api-key', thumbprint, proxy: null });
  const [from, to] = [Date.parse(stated.created), endOfDayMs(stated.rotateBy)];
  // Written so that a clock without a number refuses.
  if (!(now >= from)) return new Refusal('identity_key_not_yet_valid', `the key is of ${stated.created}`);
  if (!(now < to)) return new Refusal('identity_key_expired', `the key was to be rotated by ${stated.rotateBy}`);
  const fault = boundsFault(account, host, client, known);
  if (fault !== null) return fault;
  return Object.freeze({ id, thumbprint, issuedAt: from / 1000, expiresAt: to / 1000 } as VerifiedKey);
}
