import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Shown } from '../client.ts';

interface TunnelledAsk {
  readonly port: number;
  /** Whose tunnel it is: that of the node of an ambient mesh shows the certificate of the workload that calls. */
  readonly svid: Shown;
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back through a tunnel. */
interface TunnelledAnswer {
  readonly status: number;
  /** The reason of a problem document of ours; null when the body is none. */
  readonly reason: string | null;
  readonly body: string;
}

/** One request of HTTP/1.1 in a tunnel of HTTP CONNECT over HTTP/2 and mutual TLS, as ztunnel brings it to a waypoint. */
export async function askThroughTunnel(what: TunnelledAsk): Promise<TunnelledAnswer> {
  const { svid, host, path, method = 'GET', headers = {} } = what;
  const session = connect(`https://127.0.0.1:${what.port}`, {
    key: svid.pkcs8Pem,
    cert: svid.pem,
    rejectUnauthorized: false,
  });
  try {
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': `${host}:80` });
    const [opened] = (await Promise.race([once(tunnel, 'response'), once(session, 'error')])) as [
      { ':status': number },
    ];
    if (opened[':status'] !== 200) throw new Error(`the tunnel was answered ${opened[':status']}`);
    const sending = request({
      createConnection: () => tunnel as Duplex as never,
      method,
      path,
      headers: { host, ...headers },
    });
    sending.end();
    const [response] = await once(sending, 'response');
    const body = await text(response);
    const reason = body.startsWith('{') ? ((JSON.parse(body) as { reason?: string }).reason ?? null) : null;
    return { status: response.statusCode, reason, body };
  } finally {
    session.destroy();
  }
}
