import { type KeyObject, sign, verify } from 'node:crypto';

/** Signs a text (Ed25519, RFC 8032), as base64url. `domain`: nothing that is signed elsewhere begins so. */
export const signText = (domain: string, text: string, key: KeyObject): string =>
  sign(null, Buffer.from(`${domain}\n${text}`), key).toString('base64url');

/** Whether one of the keys signed this very text. The work is done on another thread. Never rejects. */
export async function isSigned(
  domain: string,
  text: string,
  keys: readonly KeyObject[],
  signature: string,
): Promise<boolean> {
  const signed = Buffer.from(`${domain}\n${text}`);
  const bytes = Buffer.from(signature, 'base64url');
  for (const key of keys) if (await holds(signed, key, bytes)) return true;
  return false;
}

const holds = (text: Buffer, key: KeyObject, signature: Buffer): Promise<boolean> =>
  new Promise((resolve) => {
    verify(null, text, key, signature, (error, good) => resolve(error === null && good));
  });
