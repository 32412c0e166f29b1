import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type CertificateParts, TestCa } from './ca.ts';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** A key server on 127.0.0.1 whose certificate is signed by a private authority. */
export class HttpsKeys {
  readonly url: string;
  readonly ca: TestCa;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, ca: TestCa, stop: () => Promise<void>) {
    this.url = url;
    this.ca = ca;
    this.#stop = stop;
  }

  static async start(answer: Answering, parts: CertificateParts = {}): Promise<HttpsKeys> {
    const ca = TestCa.root('keys.example', { uris: [] });
    const { pem, pkcs8Pem } = ca.issue({ otherNames: [loopbackName], extendedKeyUsage: ['serverAuth'], ...parts });
    const server = createServer({ cert: pem, key: pkcs8Pem }, answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return new HttpsKeys(`https://127.0.0.1:${port}`, ca, async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}

/** The address as a GeneralName (RFC 5280 section 4.2.1.6). */
const loopbackName = Buffer.from([0x87, 4, 127, 0, 0, 1]);
