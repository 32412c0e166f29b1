import { isIdentifier } from '../../base/identifier.ts';
import { jsonOf } from '../../base/json.ts';
import type { TaskKey } from './registry.ts';

/** Names a task in a path of the control API: both parts of its name as JSON, in base64url. */
export const shownKey = ({ issuer, id }: TaskKey): string =>
  Buffer.from(JSON.stringify([issuer, id])).toString('base64url');

/** The task that a key names; null: `shownKey` did not write it, or no task can have such an id. */
export function readKey(key: string): TaskKey | null {
  const read = jsonOf(Buffer.from(key, 'base64url').toString());
  if (!Array.isArray(read) || read.length !== 2) return null;
  const [issuer, id] = read as readonly unknown[];
  if (typeof issuer !== 'string' || typeof id !== 'string' || !isIdentifier(id)) return null;
  return shownKey({ issuer, id }) === key ? { issuer, id } : null;
}
