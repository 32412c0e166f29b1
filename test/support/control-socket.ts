import { request } from 'node:https';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { connect } from 'node:tls';
import type { Shown } from './client.ts';

/** One call to the control port of a sidecar that listens over TLS on `control.sock` in a folder. */
export interface SocketCall {
  readonly method?: string;
  readonly path: string;
  /** Of the body; left out: JSON. */
  readonly type?: string;
  readonly body?: string;
}

/** What it answers to whoever shows this certificate. */
export async function askSocket(dir: string, { pem: cert, pkcs8Pem: key }: Shown, call: SocketCall) {
  const { method = 'GET', path, type = 'application/json', body } = call;
  // Its SPIFFE ID, and no name, is what the certificate of the socket says.
  const asking = request(`https://localhost${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) },
    createConnection: () => connect({ path: join(dir, 'control.sock'), cert, key, rejectUnauthorized: false }),
  });
  return await new Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>> }>(
    (done, failed) => {
      asking.once('error', failed);
      asking.once('response', (response) =>
        json(response).then(
          (answer) => done({ status: response.statusCode ?? 0, json: answer as Record<string, unknown> }),
          failed,
        ),
      );
      asking.end(body);
    },
  );
}
