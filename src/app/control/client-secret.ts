import { Fault } from '../../base/fault.ts';
import { readBounded } from '../../source/bounded.ts';

const MAX_BYTES = 4096;
/** What is sealed with it has to withstand guesses. */
const LEAST = 32;

/** The secret of the client in the first line of its file (`control.signIn.clientSecretFile`). Never rejects. */
export async function readClientSecret(file: string): Promise<string | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, AbortSignal.timeout(5000));
  if (bytes instanceof Fault) return new Fault(`control.signIn.clientSecretFile: ${file}: ${bytes.detail}`);
  const [secret = ''] = Buffer.from(bytes).toString().split(/\r?\n/, 1);
  if (secret.length >= LEAST) return secret;
  return new Fault(`control.signIn.clientSecretFile: ${file} has no secret of ${LEAST} characters in its first line`);
}
