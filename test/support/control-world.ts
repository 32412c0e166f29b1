import { mkdirSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { assertAuditLines } from './audit-line-check.ts';
import type { Shown } from './client.ts';
import { linesOf } from './sidecar.ts';
import { AUTHZ, writePair } from './tls-world.ts';
import { jwtSvid, type Mutation } from './tokens.ts';
import { until } from './until.ts';
import { World, type WorldOptions, workload } from './world.ts';

/** The audience of the control API in these worlds. */
export const CONTROL = 'spiffe://prod.example/control';
/** A workload that the policies of a test may give rights to. */
export const OPERATOR = '/ns/platform/sa/tool-server';

/** A workload that may view, explain, revoke and lift everything, in `ALL_TO_OPERATOR`. */
export const ALL_TO_OPERATOR = `
@id("operator")
permit (principal == Control::Workload::"${workload(OPERATOR)}", action, resource);
`;

/** One request to the control API. */
export interface ControlAsk {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** JSON, or a text as it is. */
  readonly body?: unknown;
  /** The client's certificate, over TLS. */
  readonly svid?: Shown | null;
  readonly token?: string;
}

export interface ControlAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly json: Record<string, unknown>;
  /** The line of the audit about this call; null where there is none. */
  readonly line: Record<string, unknown> | null;
}

export interface ControlWorldOptions extends WorldOptions {
  readonly over?: 'loopback' | 'tls' | 'unix' | 'unix-tls';
  /** Control policies, as text. */
  readonly policies?: string;
  /** More of `listen.control`. */
  readonly listen?: Readonly<Record<string, unknown>>;
}

/** The mesh with its control port. */
export async function startControlWorld(options: ControlWorldOptions = {}) {
  const { over = 'loopback', policies, edit, prepare, listen } = options;
  const [overTls, onSocket] = [over.endsWith('tls'), over.startsWith('unix')];
  const world = await World.start({
    ...options,
    edit: (config) => {
      const tls = overTls ? { tls: { files: { certificate: './tls.crt', key: './tls.key' } } } : {};
      const address = onSocket ? 'unix:./control.sock' : '127.0.0.1:0';
      config.listen = { ...config.listen, status: '127.0.0.1:0', control: { address, ...tls, ...listen } };
      config.control = { audience: CONTROL };
      edit?.(config);
    },
    prepare: (folder, keys) => {
      writePair(folder, keys.ca.svid(AUTHZ));
      if (policies !== undefined) {
        mkdirSync(join(folder, 'policies', 'control'));
        writeFileSync(join(folder, 'policies', 'control', 'operators.cedar'), policies);
      }
      prepare?.(folder, keys);
    },
  });
  const url = onSocket ? null : new URL(world.control ?? '');
  const auditFile = join(world.folder, 'audit.jsonl');
  const ask = async ({ method = 'GET', path, headers = {}, body, svid, token }: ControlAsk): Promise<ControlAnswer> => {
    const content = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
    const where =
      url === null ? { socketPath: join(world.folder, 'control.sock') } : { host: url.hostname, port: url.port };
    const shown = svid == null ? {} : { cert: svid.pem, key: svid.pkcs8Pem };
    const sending = (overTls ? httpsRequest : httpRequest)({
      ...where,
      ...shown,
      ...(overTls ? { rejectUnauthorized: false } : {}),
      agent: false,
      method,
      path,
      headers: {
        ...(content === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(content)) }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      } as Record<string, string | string[]>,
    });
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      sending.once('error', reject);
      sending.once('response', resolve);
    });
    if (content === null) sending.end();
    else sending.end(content);
    const message = await response;
    const answer = await text(message);
    const decision = String(message.headers['x-authz-decision']);
    const line = linesOf(auditFile).find((each) => each.includes(decision)) ?? null;
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      json: answer === '' ? {} : (JSON.parse(answer) as Record<string, unknown>),
      line: line === null ? null : (JSON.parse(line) as Record<string, unknown>),
    };
  };
  return {
    ...world,
    ask,
    /** The same, asked until the call got a line of its own: of refused calls, so many a second get one. */
    recorded: (what: ControlAsk) =>
      until('a call with a line of its own', async () => {
        const answer = await ask(what);
        return answer.line === null ? null : { ...answer, line: answer.line };
      }),
    /** A JWT-SVID of a workload for the control API. */
    token: (path: string, mutation: Mutation = {}) =>
      jwtSvid({ key: world.keys.domain, sub: workload(path), aud: CONTROL }, mutation),
    auditLines: () => {
      const lines = linesOf(auditFile).map((line) => JSON.parse(line) as Record<string, unknown>);
      assertAuditLines(lines);
      return lines;
    },
  };
}
