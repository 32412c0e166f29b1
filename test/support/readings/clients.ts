import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Shown } from '../client.ts';
import type { Spelled } from './generate.ts';

const FRAME_BYTES = 5;

/** Sends requests as they are spelled to one port, over few connections. */
export class ReadingsClient {
  readonly #port: number;
  readonly #shown: Shown;
  readonly #agent: Agent;
  #session: Promise<ClientHttp2Session> | null = null;

  constructor(port: number, shown: Shown) {
    this.#port = port;
    this.#shown = shown;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 12 });
  }

  /** The body of the answer, empty where none came. Rejects for what Node's client does not send. */
  async send(spelled: Spelled, host: string): Promise<string> {
    return spelled.version === 1 ? await this.#http1(spelled, host) : await this.#http2(spelled, host);
  }

  close(): void {
    this.#agent.destroy();
    this.#session?.then((session) => session.destroy()).catch(() => {});
  }

  #http1({ method, target, headers }: Spelled, host: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const sending = request({
        host: '127.0.0.1',
        port: this.#port,
        key: this.#shown.pkcs8Pem,
        cert: this.#shown.pem,
        rejectUnauthorized: false,
        agent: this.#agent,
        method,
        path: target,
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
  }

  async #http2({ method, target, headers, tunnel, kind }: Spelled, host: string): Promise<string> {
    const session = await this.#connected();
    const fields: Record<string, string | string[]> = {};
    for (const [written, value] of headers) {
      const name = written.toLowerCase();
      const before = fields[name];
      fields[name] = before === undefined ? value : [before, value].flat();
    }
    const pseudo = { ':method': tunnel ? 'CONNECT' : method, ':path': target, ':authority': host, ':scheme': 'https' };
    return await new Promise((resolve) => {
      const stream = session.request(
        tunnel ? { ...pseudo, ':protocol': 'websocket', ...fields } : { ...pseudo, ...fields },
        {
          endStream: false,
        },
      );
      stream.on('error', () => resolve(''));
      if (tunnel) stream.on('response', () => stream.end());
      text(stream).then(resolve, () => resolve(''));
      if (kind === 'grpc') stream.end(Buffer.alloc(FRAME_BYTES));
      else if (!tunnel) stream.end();
    });
  }

  #connected(): Promise<ClientHttp2Session> {
    this.#session ??= this.#connect();
    return this.#session;
  }

  async #connect(): Promise<ClientHttp2Session> {
    const session = connect(`https://127.0.0.1:${this.#port}`, {
      key: this.#shown.pkcs8Pem,
      cert: this.#shown.pem,
      rejectUnauthorized: false,
    });
    const forget = (): void => {
      this.#session = null;
    };
    session.on('error', forget);
    session.on('goaway', forget);
    session.on('close', forget);
    await new Promise<void>((resolve, reject) => {
      session.once('remoteSettings', () => resolve());
      session.once('close', () => reject(new Error('Envoy closed the connection')));
    });
    return session;
  }
}
