import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type CertificateParts, TestCa } from './ca.ts';
import { closeServer, listenOnLoopback } from './ports.ts';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** A key server on 127.0.0.1 whose certificate is signed by a private authority. */
export const HttpsKeys = { start };
export type HttpsKeys = Awaited<ReturnType<typeof start>>;

async function start(answer: Answering, parts: CertificateParts = {}) {
  const ca = TestCa.root('keys.example', { uris: [] });
  const { pem, pkcs8Pem } = ca.issue({ otherNames: [loopbackName], extendedKeyUsage: ['serverAuth'], ...parts });
  const server = createServer({ cert: pem, key: pkcs8Pem }, answer);
  const url = `https://127.0.0.1:${await listenOnLoopback(server)}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await closeServer(server);
  };
  return { url, ca, stop };
}

/** 127.0.0.1 as a GeneralName (RFC 5280 section 4.2.1.6). */
export const loopbackName = Buffer.from([0x87, 4, 127, 0, 0, 1]);
