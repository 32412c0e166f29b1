import { isIP } from 'node:net';
import { Fault } from '../../base/fault.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { duration, workloadEndpoint } from '../../config/values/scalars.ts';
import { readBounded } from '../../source/bounded.ts';
import type { WorkloadEndpoint } from '../../trust/workload-api.ts';
import type { CommandLine } from '../commands.ts';
import type { Io } from '../io.ts';
import { readSession, sessionFile } from './session-file.ts';
import { type TlsSettings, tlsSettings } from './tls.ts';

/** How a control API is reached, and how the caller and the server prove themselves. */
export const CONNECTION_OPTIONS = {
  control: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
  'workload-api': { type: 'string' },
  'token-file': { type: 'string' },
  'session-file': { type: 'string' },
  ca: { type: 'string' },
  'server-id': { type: 'string' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const CONNECTION_USAGE = `  --control URL      where the control API listens: unix:///PATH, http://127.0.0.1:PORT, https://HOST:PORT
  --cert FILE --key FILE
                     prove the caller by this certificate (PEM), the leaf first
  --workload-api SOCKET
                     prove the caller by its SVID, and the server by its trust bundle, both from the SPIFFE agent
  --token-file FILE  prove the caller by the bearer token in this file
  --session-file FILE
                     the session of sign-in, which proves a person where nothing above is named;
                     ~/.config/cedar-ext-authz/session.json by default
  --ca FILE          the authorities of the server: PEM or a SPIFFE bundle; default: those of the machine
  --server-id ID     the server must have this SPIFFE ID; without it, a certificate for the host of the URL, or on a Unix
                     socket for localhost. There, TLS is spoken where one of these five is named
  --timeout DURATION how long an answer may take, 10s by default
  --json             the answer as JSON
`;

/** A control API that can be called. */
export interface ControlConnection {
  /** As the person wrote it. */
  readonly url: string;
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  /** The value of the Host header. */
  readonly host: string;
  /** Null: plaintext, on a Unix socket or the loopback address. */
  readonly tls: TlsSettings | null;
  readonly token: string | null;
  readonly timeoutMs: number;
}

/** What is wrong with the options; `misused` where another command line would mend it. */
export interface Unconnectable {
  readonly fault: string;
  readonly misused: boolean;
}

type Values = CommandLine<typeof CONNECTION_OPTIONS>['values'];

const MAX_TOKEN = 64 * 1024;

/** The connection that the options name. Reads files and asks the SPIFFE agent, but not the control API. Never rejects. */
export async function connectionBy(values: Values, env: Io['env']): Promise<ControlConnection | Unconnectable> {
  const connection = await serverBy(values);
  if ('fault' in connection) return connection;
  const { token, tls, url } = connection;
  if (token !== null || (tls !== null && tls.certificate !== null)) return connection;
  const session = await readSession(sessionFile(values['session-file'], env));
  if (session instanceof Fault) return { fault: session.detail, misused: false };
  if (session === null || session.url !== URL.parse(url)?.origin)
    return misused('prove who calls: --cert and --key, --workload-api, --token-file, or sign in there by sign-in');
  return { ...connection, token: session.token };
}

/** The same without a proof of who calls, unless one is named. */
export async function serverBy(values: Values): Promise<ControlConnection | Unconnectable> {
  const url = values.control;
  if (url === undefined) return misused('name the control API: --control unix:///PATH or https://HOST:PORT');
  const timeout = duration('100ms', '10m').safeParse(values.timeout ?? '10s');
  if (!timeout.success) return misused(`--timeout: ${timeout.error.issues[0]?.message}`);
  const agent = endpointBy(values['workload-api']);
  if (agent instanceof Fault) return misused(`--workload-api: ${agent.detail}`);
  const target = targetOf(url);
  if (target instanceof Fault) return misused(`--control: ${target.detail}`);
  const { cert, key, ca } = values;
  if ((cert === undefined) !== (key === undefined)) return misused('name --cert and --key together');
  if (cert !== undefined && agent !== null) return misused('name --cert and --key, or --workload-api');
  const byTls = [cert, ca, values['server-id'], agent ?? undefined].some((each) => each !== undefined);
  const { name, scheme } = target;
  if (byTls && scheme === 'http')
    return misused('a certificate needs https:// or unix://; over http:// a caller is proven by --token-file');
  let tls: TlsSettings | null = null;
  if (byTls || scheme === 'https') {
    const given = { cert, key, ca, agent, serverId: values['server-id'], host: name };
    const read = await tlsSettings(given, timeout.data);
    if ('fault' in read) return read;
    tls = read;
  }
  const token = values['token-file'] === undefined ? null : await readToken(values['token-file']);
  if (token instanceof Fault) return { fault: token.detail, misused: false };
  return { url, at: target.at, host: target.host, tls, token, timeoutMs: timeout.data };
}

interface Target {
  readonly at: ControlConnection['at'];
  readonly host: string;
  /** Whom the server has to prove itself as over TLS, unless its SPIFFE ID is named. */
  readonly name: string;
  /** Over a Unix socket TLS is spoken where something is named to prove either side by. */
  readonly scheme: 'unix' | 'http' | 'https';
}

function targetOf(text: string): Target | Fault {
  const [, socket] = /^unix:(?:\/\/)?(\/.+)$/.exec(text) ?? [];
  if (socket !== undefined) return { at: { path: socket }, host: 'localhost', name: 'localhost', scheme: 'unix' };
  const url = URL.parse(text);
  const plain = url?.protocol === 'http:';
  if (
    url === null ||
    !(plain || url.protocol === 'https:') ||
    url.username + url.password + url.hash + url.search !== ''
  )
    return new Fault('write unix:///PATH, http://127.0.0.1:PORT or https://HOST:PORT');
  if (url.pathname !== '/') return new Fault('ends with the port; what is asked there is named by the command');
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
  // A name may resolve elsewhere.
  if (plain && !(name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))))
    return new Fault('http:// is for 127.0.0.1 and [::1] alone; write https://');
  const port = Number(url.port || (plain ? 80 : 443));
  return { at: { host: name, port }, host: url.host, name, scheme: plain ? 'http' : 'https' };
}

function endpointBy(text: string | undefined): WorkloadEndpoint | null | Fault {
  if (text === undefined) return null;
  const read = workloadEndpoint().safeParse(text.startsWith('/') ? `unix://${text}` : text);
  return read.success ? read.data : new Fault(read.error.issues[0]?.message ?? '');
}

/** The token of a file, without the line feed that editors put at its end. */
async function readToken(file: string): Promise<string | Fault> {
  const bytes = await readBounded(file, MAX_TOKEN, AbortSignal.timeout(5000));
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  if (text instanceof Fault) return new Fault(`${file}: ${text.detail}`);
  // RFC 6750 section 2.1. What it holds instead is not shown: it may be a secret.
  if (!/^[A-Za-z0-9\-._~+/]+=*\s*$/.test(text)) return new Fault(`${file}: holds no bearer token`);
  return text.trim();
}

const misused = (fault: string): Unconnectable => ({ fault, misused: true });
