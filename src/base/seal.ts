import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { attempt } from './attempt.ts';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Keeps texts secret and whole where others hold them: browsers, a store. AES-256-GCM with a random IV, under a key of a
 * purpose that HKDF-SHA256 (RFC 5869) derives from a secret. What is sealed for one purpose, or about one thing, opens for
 * no other.
 */
export class Seal {
  readonly #key: Buffer;

  /** `secret`: of at least 256 bits of chance, which a text of 32 random characters of more than 64 kinds nearly has. */
  constructor(secret: string, purpose: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', `cedar-ext-authz ${purpose}`, KEY_BYTES));
  }

  /** The text in base64url; `about` is not in it, and has to be the same when it is opened. */
  seal(text: string, about: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv).setAAD(Buffer.from(about));
    return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** Null: it was not sealed with this key about this, or it was changed. */
  open(sealed: string, about: string): string | null {
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < IV_BYTES + TAG_BYTES) return null;
    return attempt(() => {
      const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    });
  }
}
