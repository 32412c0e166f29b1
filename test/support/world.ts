import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { parse } from 'yaml';
import { start } from '../../src/app/app.ts';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/source/problem.ts';
import { assertAuditLines } from './audit-line-check.ts';
import { type CertificateParts, type Issued, urlEncodedPem } from './ca.ts';
import { CheckClient } from './check-client.ts';
import { checkBytes, type RequestShape } from './check-request.ts';
import type { Shown } from './client.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { decodeResponse, type WireResponse } from './golden-wire.ts';
import { type AuditLine, linesOf } from './sidecar.ts';
import { ending } from './started.ts';
import { makeWorldKeys, type WorldKeys, writeMesh } from './world-keys.ts';

const HOUR_MS = 3_600_000;

export const HOST = 'payments.internal';

/** The SPIFFE ID of a workload of our trust domain. */
export const workload = (path: string): string => `spiffe://prod.example${path}`;

/** One request: how it looks, who sends it, and by which route it comes. */
export interface Ask extends RequestShape {
  /** What the connection's client showed; null: nothing. */
  readonly svid: Issued | null;
  /** `source.principal`, where Envoy says another one than the certificate; absent: empty. */
  readonly principal?: string;
  /** `source.certificate` as text, in place of the SVID's. */
  readonly certificate?: string;
  /** `source.address`; default 10.2.0.9. */
  readonly address?: string;
  /** `destination.principal`. */
  readonly destination?: string;
  /** `context_extensions` of the route. */
  readonly route?: Readonly<Record<string, string>>;
  /** `request.http.id`; default: a new one for each request, as Envoy has it. */
  readonly id?: string;
  /** Changes the finished message. */
  readonly wire?: (message: Uint8Array) => Uint8Array;
}

/** What came back for one request, and what the audit says about it. */
export interface Answer {
  readonly bytes: Uint8Array;
  readonly wire: WireResponse;
  /** `permitted`, or the reason in the problem document. */
  readonly reason: string;
  /** The decision id, by dynamic metadata. */
  readonly decision: string;
  /** The last line of the audit that names the decision, and its text. */
  readonly audit: AuditLine;
  readonly line: string;
}

/** The configuration file as it was parsed, section by section. */
export type MeshConfig = Record<
  | 'listen'
  | 'identity'
  | 'task'
  | 'tokenService'
  | 'policy'
  | 'control'
  | 'state'
  | 'audit'
  | 'limits'
  | 'log'
  | 'behaviour',
  Record<string, unknown>
>;

export interface WorldOptions {
  /** Changes the configuration of the mesh. */
  readonly edit?: (config: MeshConfig) => void;
  readonly stdout?: Writable;
  /** When the process is to have started, in milliseconds since the epoch; default: an hour ago. */
  readonly startedAtMs?: number;
  /** Changes the files before the sidecar starts. */
  readonly prepare?: (folder: string, keys: WorldKeys) => void;
}

/** A check port as Envoy sees it, whoever serves it, and the audit file behind it. `shown`: over mutual TLS. */
export type CheckPort = ReturnType<typeof checkPort>;
export function checkPort(target: string, auditFile: string, shown: Shown | null = null) {
  const client = new CheckClient(target, {}, shown);
  return {
    call: (message: Uint8Array) => client.call(message),
    close: () => client.close(),
    /** The answer to one request. A gRPC error rejects: none must ever come. */
    send: async (ask: Ask): Promise<Answer> => {
      const bytes = await client.call(encode(ask));
      const wire = decodeResponse(bytes);
      const decision = String(wire.metadata?.decision);
      const line = linesOf(auditFile).findLast((text) => text.includes(decision));
      if (line === undefined) throw new Error(`no audit line of decision ${decision}`);
      const audit = JSON.parse(line) as AuditLine;
      assertAuditLines([audit]);
      return { bytes, wire, reason: reasonOf(wire), decision, audit, line };
    },
    /** The audit file, line by line, boot lines included. */
    audit: (): readonly AuditLine[] => linesOf(auditFile).map((line) => JSON.parse(line) as AuditLine),
  };
}

let made: WorldKeys | undefined;
let counter = 0;

/**
 * The whole sidecar in this process, on a Unix socket in a temporary folder, with the mesh of test/cases/mesh: its
 * inventory, its policies, and real keys and certificates made for this run.
 */
export const World = { start: startWorld };
export type World = Awaited<ReturnType<typeof startWorld>>;

async function startWorld(options: WorldOptions = {}) {
  const { edit, stdout = new PassThrough(), startedAtMs = Date.now() - HOUR_MS, prepare } = options;
  await using started = new AsyncDisposableStack();
  made ??= makeWorldKeys();
  const keys = made;
  const folder = started.adopt(temporaryFolder(), removeFolder);
  writeMesh(folder, keys);
  prepare?.(folder, keys);
  const log: string[] = [];
  const surroundings = { stdout, log: (line: string) => log.push(line), version: 'test', node: 'v24', startedAtMs };
  const app = ending(started, await start(configOf(folder, edit), surroundings));
  const auditFile = join(folder, 'audit.jsonl');
  // Where it is off, whoever asks it meets nobody.
  const port = checkPort(app.check ?? 'unix:/nowhere', auditFile);
  started.defer(port.close);
  const running = started.move();
  return {
    ...port,
    /** The address of the check port, as a gRPC client writes it. */
    target: app.check ?? '',
    /** Where the control API is asked; null where it is off. */
    control: app.control,
    /** The registry of the sidecar. */
    tasks: app.tasks,
    /** The approvals that were asked for. */
    approvals: app.approvals,
    /** Another client of the same port, over mutual TLS with this certificate. */
    as: (shown: Shown): CheckPort => checkPort(app.check ?? '', auditFile, shown),
    folder,
    keys,
    /** The log of the sidecar, line by line. */
    log: log as readonly string[],
    /** An SVID of a workload of our trust domain, by the path of its id. */
    svid: (path: string, parts: CertificateParts = {}): Issued => keys.ca.svid(workload(path), parts),
    /** A page of the status port. */
    status: async (page: '/metrics' | '/readyz' | '/status'): Promise<string> =>
      (await fetch(`http://127.0.0.1:${app.statusPort}${page}`)).text(),
    stop: () => running.disposeAsync(),
  };
}

function configOf(folder: string, edit: WorldOptions['edit']) {
  const file = join(folder, 'config.yaml');
  const whole = parse(readFileSync(file, 'utf8')) as MeshConfig;
  edit?.(whole);
  const config = loadConfig(JSON.stringify(whole), file, {});
  if (!isConfig(config)) throw new Error(config.map(formatProblem).join('\n'));
  return config;
}

/** The CheckRequest as bytes. */
export function encode(ask: Ask): Uint8Array {
  const { svid, principal = '', address = '10.2.0.9', destination = '', route = {}, ...shape } = ask;
  const certificate = ask.certificate ?? (svid === null ? '' : urlEncodedPem(svid));
  const message = checkBytes({
    host: HOST,
    ...shape,
    http: { id: ask.id ?? `check-${++counter}`, ...shape.http },
    attributes: {
      source: { address: { socket_address: { address, port_value: 40_000 } }, principal, certificate },
      destination: { principal: destination },
      context_extensions: route,
      ...shape.attributes,
    },
  });
  return ask.wire?.(message) ?? message;
}

function reasonOf({ denied }: WireResponse): string {
  return denied === null ? 'permitted' : (JSON.parse(denied.body) as { reason: string }).reason;
}
