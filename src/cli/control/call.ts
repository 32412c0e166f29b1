import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../../base/clock.ts';
import { Fault, messageOf } from '../../base/fault.ts';
import { jsonOf } from '../../base/json.ts';
import { http } from '../../base/node-http.ts';
import { collectBounded } from '../../source/bounded.ts';
import type { ControlConnection } from './connection.ts';
import { unprovenServer } from './tls.ts';

/** More than any page of a list. */
const MAX_BYTES = 8 * 1024 * 1024;

export interface Ask {
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

/** An error of the control API (RFC 9457), as far as it is shown. */
export interface ControlProblem {
  readonly status: number;
  readonly title: string;
  readonly detail: string | null;
  readonly code: string | null;
  /** The line of the audit that tells of this call. */
  readonly decision: string | null;
  /** What is wrong with the request, each with its place. */
  readonly wrong: readonly string[];
}

/** What came of a call. `sent`: whether the server may have taken it, though no answer came. */
export type ControlAnswer =
  | { readonly kind: 'good'; readonly value: Readonly<Record<string, unknown>> }
  | { readonly kind: 'problem'; readonly problem: ControlProblem; readonly document: unknown }
  | { readonly kind: 'none'; readonly fault: string; readonly sent: boolean };

/**
 * Asks the control API once. Nothing is sent before the server has proven itself; an answer has to be whole within the
 * timeout of the connection, and at most 8 MiB. Redirects are not followed. Never rejects.
 */
export async function call(connection: ControlConnection, ask: Ask): Promise<ControlAnswer> {
  const socket = open(connection);
  let sent = false;
  const timeout = `no answer within ${connection.timeoutMs / 1000} s`;
  const timer = setTimeout(() => socket.destroy(new Error(timeout)), connection.timeoutMs);
  try {
    await once(socket, connection.tls === null ? 'connect' : 'secureConnect');
    const fault = connection.tls === null ? null : unprovenServer(socket as never, connection.tls, systemClock.now());
    if (fault !== null) return { kind: 'none', fault, sent };
    sent = true;
    return await exchange(connection, socket, ask);
  } catch (error) {
    return { kind: 'none', fault: faultOf(socket.errored ?? error), sent };
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function open({ at, tls }: ControlConnection): Socket {
  if (tls === null) return connectTcp(at);
  const { certificate, server } = tls;
  return connectTls({
    ...at,
    ...certificate,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    ...(server.kind === 'spiffe'
      ? { rejectUnauthorized: false }
      : {
          ...(server.ca === null ? {} : { ca: server.ca }),
          host: server.name,
          ...(isIP(server.name) === 0 ? { servername: server.name } : {}),
        }),
  });
}

async function exchange(connection: ControlConnection, socket: Socket, ask: Ask): Promise<ControlAnswer> {
  const body = ask.body === undefined ? null : JSON.stringify(ask.body);
  const asking = http.request({
    createConnection: () => socket,
    method: ask.method,
    path: ask.path,
    headers: {
      host: connection.host,
      accept: 'application/json',
      connection: 'close',
      ...(connection.token === null ? {} : { authorization: `Bearer ${connection.token}` }),
      ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(ask.idempotencyKey === undefined ? {} : { 'idempotency-key': ask.idempotencyKey }),
    },
  });
  // What fails after the answer has begun is told by the answer, and by this too.
  asking.on('error', () => {});
  asking.end(body ?? undefined);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const { statusCode = 0 } = response;
  const bytes = await collectBounded('the control API', response, MAX_BYTES);
  if (bytes instanceof Fault) return { kind: 'none', fault: bytes.detail, sent: true };
  const value = jsonOf(Buffer.from(bytes).toString());
  if (!isObject(value))
    return { kind: 'none', fault: `it answered ${statusCode} without JSON; is a control API there?`, sent: true };
  if (statusCode >= 200 && statusCode < 300) return { kind: 'good', value };
  return { kind: 'problem', problem: problemOf(statusCode, value), document: value };
}

function problemOf(status: number, document: Readonly<Record<string, unknown>>): ControlProblem {
  const text = (name: string): string | null => {
    const value = document[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const title = text('title') ?? 'the control API refused';
  const wrong = Array.isArray(document.wrong) ? document.wrong.map(wrongText) : [];
  return { status, title, detail: text('detail'), code: text('code'), decision: text('decision'), wrong };
}

const wrongText = (wrong: unknown): string =>
  isObject(wrong) ? `${String(wrong.at)}: ${String(wrong.message)}` : String(wrong);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What went wrong with a connection; an attempt at several addresses has a message for each. */
function faultOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}
