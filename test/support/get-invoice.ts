import { type Agent, request } from 'node:https';
import type { Issued } from './ca.ts';
import { PAYMENTS } from './estate.ts';

/** A request for an invoice by mutual TLS: `answered` by the service, or what came instead. */
export function getInvoice(agent: Agent, port: number, svid: Issued): Promise<string> {
  return new Promise((resolve, reject) => {
    const sending = request({
      agent,
      host: '127.0.0.1',
      port,
      key: svid.pkcs8Pem,
      cert: svid.pem,
      rejectUnauthorized: false,
      path: '/api/invoices/42',
      headers: { host: PAYMENTS },
    });
    sending.once('error', reject);
    sending.once('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () =>
        resolve(response.statusCode === 200 ? 'answered' : `${response.statusCode} ${Buffer.concat(parts)}`),
      );
    });
    sending.end();
  });
}
