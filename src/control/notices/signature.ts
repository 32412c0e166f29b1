import { createHmac } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { readBounded } from '../../source/bounded.ts';

const PREFIX = 'whsec_';
const LEAST_BYTES = 24;
const MOST_BYTES = 64;
const MOST_FILE = 4096;

/** Reads the secrets of a receiver, `whsec_` and base64 in the first line of each file. Never rejects. */
export async function readSecrets(
  files: readonly string[],
  signal: AbortSignal,
): Promise<readonly Uint8Array[] | Fault> {
  const secrets = await Promise.all(files.map((file) => readSecret(file, signal)));
  return secrets.find((secret) => secret instanceof Fault) ?? (secrets as Uint8Array[]);
}

async function readSecret(file: string, signal: AbortSignal): Promise<Uint8Array | Fault> {
  const bytes = await readBounded(file, MOST_FILE, signal);
  if (bytes instanceof Fault) return new Fault(`${file}: ${bytes.detail}`);
  const [line = ''] = Buffer.from(bytes).toString('latin1').split(/\r?\n/, 1);
  const secret = Buffer.from(line.slice(PREFIX.length), 'base64');
  const isWhole = line === `${PREFIX}${secret.toString('base64')}`;
  if (isWhole && secret.length >= LEAST_BYTES && secret.length <= MOST_BYTES) return secret;
  return new Fault(
    `${file} has no secret in its first line: ${PREFIX} and base64 of ${LEAST_BYTES} to ${MOST_BYTES} bytes`,
  );
}

/**
 * The header `webhook-signature` (Standard Webhooks): for each secret `v1,` and the HMAC-SHA256 over `id.timestamp.body`, so that
 * a receiver verifies it by an old secret as well as by a new one. `seconds`: since the epoch, of this attempt.
 */
export function signatureOf(secrets: readonly Uint8Array[], id: string, seconds: number, body: string): string {
  const signed = `${id}.${seconds}.${body}`;
  return secrets.map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`).join(' ');
}
