import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Shown } from '../client.ts';
import type { Spelled } from './generate.ts';

const FRAME_BYTES = 5;

/** Sends requests as they are spelled to one port, over few connections. */
export function readingsClient(port: number, { pkcs8Pem: key, pem: cert }: Shown) {
  const agent = new Agent({ keepAlive: true, maxSockets: 12 });
  let session: Promise<ClientHttp2Session> | null = null;
  const connected = async (): Promise<ClientHttp2Session> => {
    const opened = connect(`https://127.0.0.1:${port}`, { key, cert, rejectUnauthorized: false });
    for (const event of ['error', 'goaway', 'close']) {
      opened.on(event, () => {
        session = null;
      });
    }
    await new Promise<void>((resolve, reject) => {
      opened.once('remoteSettings', () => resolve());
      opened.once('close', () => reject(new Error('Envoy closed the connection')));
    });
    return opened;
  };

  const http1 = ({ method, target, headers }: Spelled, host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const sending = request({
        ...{ host: '127.0.0.1', port, key, cert, rejectUnauthorized: false, agent, method, path: target },
        headers: [['host', host], ...headers, ['content-length', '0']].flat(),
      });
      sending.on('error', () => resolve(''));
      sending.on('response', (message) => {
        text(message).then(resolve, reject);
      });
      sending.on('upgrade', (_, socket) => {
        socket.on('error', () => {});
        socket.destroy();
        resolve('');
      });
      sending.end();
    });

  const http2 = async ({ method, target, headers, tunnel, kind }: Spelled, host: string): Promise<string> => {
    session ??= connected();
    const open = await session;
    const fields: Record<string, string | string[]> = { ':path': target, ':authority': host, ':scheme': 'https' };
    Object.assign(fields, tunnel ? { ':method': 'CONNECT', ':protocol': 'websocket' } : { ':method': method });
    for (const [written, value] of headers) {
      const name = written.toLowerCase();
      const before = fields[name];
      fields[name] = before === undefined ? value : [before, value].flat();
    }
    return await new Promise((resolve) => {
      const stream = open.request(fields, { endStream: false });
      stream.on('error', () => resolve(''));
      if (tunnel) stream.on('response', () => stream.end());
      text(stream).then(resolve, () => resolve(''));
      if (kind === 'grpc') stream.end(Buffer.alloc(FRAME_BYTES));
      else if (!tunnel) stream.end();
    });
  };
  return {
    /** The body of the answer, empty where none came. Rejects for what Node's client does not send. */
    send: (spelled: Spelled, host: string): Promise<string> => (spelled.version === 1 ? http1 : http2)(spelled, host),
    close: (): void => {
      agent.destroy();
      session?.then((open) => open.destroy()).catch(() => {});
    },
  };
}
