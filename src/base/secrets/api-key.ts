import { hash, randomBytes } from 'node:crypto';

/**
 * How a key begins: people, and programs that look for secrets in files, see what it is. 43 characters of base64url follow,
 * 32 random bytes. A digest without salt is enough for so much chance: nobody guesses it, and no two are the same.
 */
const PREFIX = 'ceak_';
const FORM = /^ceak_[A-Za-z0-9_-]{43}$/;
const ANYWHERE = /ceak_[A-Za-z0-9_-]{43}/g;

/** A new API key of a legacy account. */
export const newApiKey = (): string => PREFIX + randomBytes(32).toString('base64url');

/** Whether a text has the form of a key that `newApiKey` makes. */
export const isApiKey = (text: string): boolean => FORM.test(text);

/** The hex digits of the SHA-256 of a key: what the inventory holds in place of it. */
export const apiKeyDigest = (key: string): string => hash('sha256', key, 'hex');

/** The text with every API key in it replaced by `key:sha256:` and its digest. Time is linear. */
export function withoutApiKeys(text: string): string {
  if (!text.includes(PREFIX)) return text;
  return text.replace(ANYWHERE, (key) => `key:sha256:${apiKeyDigest(key)}`);
}
