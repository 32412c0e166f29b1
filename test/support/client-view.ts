import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { type Ask, ask, askHttp2 } from './client.ts';

/** A request, as any client may send it. */
export type ViewedRequest = Required<Pick<Ask, 'port' | 'svid' | 'host' | 'method' | 'path' | 'headers'>>;

/** All that the client gets: names in lower case, each value apart, in order of their names. */
export interface View {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** The answer in the bytes of HTTP/1.1. */
export async function viewHttp1(what: ViewedRequest): Promise<View> {
  const { status, rawHeaders, body } = await ask(what);
  return { status, headers: pairs(rawHeaders), body };
}

/** The answer in the frames of HTTP/2; pseudo-headers are left out. */
export async function viewHttp2(what: ViewedRequest): Promise<View> {
  const { headers, rawHeaders, body } = await askHttp2(what);
  return { status: Number(headers[':status']), headers: pairs(rawHeaders), body };
}

/**
 * What a gRPC client makes of the answer to a call: its code, the metadata that came first or with the error, several
 * values of one name joined as the client joins them, and the message of the error as the body.
 */
export async function viewGrpc({ port, svid, host, path, headers }: ViewedRequest): Promise<View> {
  const keys = svid === null ? [null, null, null] : [null, Buffer.from(svid.pkcs8Pem), Buffer.from(svid.pem)];
  const tls = credentials.createSsl(...(keys as [null, Buffer | null, Buffer | null]), { rejectUnauthorized: false });
  const client = new Client(`127.0.0.1:${port}`, tls, {
    'grpc.default_authority': host,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.ssl_target_name_override': host,
  });
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(headers)) for (const value of [values].flat()) metadata.add(name, value);
  try {
    return await new Promise((resolve) => {
      const same = (bytes: Buffer) => bytes;
      let first = new Metadata();
      const call = client.makeUnaryRequest(path, same, same, Buffer.alloc(0), metadata, (error) => {
        const got = error?.metadata ?? first;
        const values = Object.keys(got.getMap()).flatMap((name) =>
          got.get(name).map((value) => [name, String(value)] as const),
        );
        resolve({ status: error?.code ?? 0, headers: values.toSorted(byName), body: error?.details ?? '' });
      });
      call.once('metadata', (received: Metadata) => {
        first = received;
      });
    });
  } finally {
    client.close();
  }
}

function pairs(raw: readonly string[]): View['headers'] {
  const all: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) all.push([raw[i]!.toLowerCase(), raw[i + 1]!]);
  return all.filter(([name]) => !name.startsWith(':')).toSorted(byName);
}

/** A stable sort: values of one name keep their order. */
function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
