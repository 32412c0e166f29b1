import type { KeyObject } from 'node:crypto';
import { jsonOf } from '../base/json.ts';
import { isSigned, signText } from './signature.ts';

const DOMAIN = 'cedar-ext-authz lift 1';

/**
 * The end of one revocation before its time, for one namespace. `digest` names the very order: a later one with the same
 * content has another one. Times are milliseconds since the epoch.
 */
export interface Lift {
  readonly id: string;
  readonly digest: string;
  /** When the revocation ends by itself: so long the lift has to be remembered. */
  readonly untilMs: number;
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
}

/** Signs a lift (Ed25519, RFC 8032) and writes it as stores hold it: its end, for their scripts, and JSON. */
export function signLift(namespace: string, lift: Lift, key: KeyObject): string {
  const signature = signText(DOMAIN, signedText(namespace, lift), key);
  const { id, digest, untilMs, atMs, by, reason } = lift;
  return `${untilMs} ${JSON.stringify([id, digest, atMs, by, reason, signature])}`;
}

/**
 * The lift that a record holds, where one of the keys signed it for this namespace; else null. The work is done on another
 * thread. Never rejects.
 */
export async function verifiedLift(
  namespace: string,
  record: string,
  keys: readonly KeyObject[],
): Promise<Lift | null> {
  const read = readLift(record);
  if (read === null) return null;
  return (await isSigned(DOMAIN, signedText(namespace, read.lift), keys, read.signature)) ? read.lift : null;
}

function readLift(record: string): { readonly lift: Lift; readonly signature: string } | null {
  const [, until, json] = /^(\d{1,15}) (\[.*\])$/s.exec(record) ?? [];
  if (json === undefined) return null;
  const parts = jsonOf(json);
  if (!Array.isArray(parts) || parts.length !== 6) return null;
  const [id, digest, atMs, by, reason, signature] = parts as readonly string[];
  if (!Number.isSafeInteger(atMs)) return null;
  if (![id, digest, by, reason, signature].every((text) => typeof text === 'string')) return null;
  const lift = { id, digest, untilMs: Number(until), atMs: Number(atMs), by, reason } as Lift;
  return { lift, signature: signature! };
}

const signedText = (namespace: string, { id, digest, untilMs, atMs, by, reason }: Lift): string =>
  JSON.stringify([namespace, id, digest, untilMs, atMs, by, reason]);
