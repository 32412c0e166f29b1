import { cpSync } from 'node:fs';
import { constants } from 'node:http2';
import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { checkBytes } from '../support/check-request.ts';
import { PAYMENTS, SidecarEstate, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { FakeWorkloadApi, jwtBundles, x509Bundles, x509Svid } from '../support/fake-workload-api.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { H2Client, H2Connection } from '../support/h2-client.ts';
import { liveMb } from '../support/live-memory.ts';
import { connectionOf, residentMb } from '../support/load.ts';
import { Sidecar } from '../support/sidecar.ts';
import type { SoakResult } from './run.ts';

export interface Sizes {
  /** Short connections, first on a Unix socket, then as many over mutual TLS: one check each. */
  readonly connections: number;
  /** Pings on one idle connection: as often as every ten seconds for a day is 8640. */
  readonly pings: number;
  /** Connections over mutual TLS that the sidecar ends under load, because three quarters of their certificate are over. */
  readonly ends: number;
}

const LEDGER = workload('/ns/payments/sa/ledger');
const ENVOY = workload('/ns/payments/sa/envoy');
const AUTHZ = workload('/ns/platform/sa/authz');
const AT_ONCE = 8;
const IN_FLIGHT = 16;
/** How long a certificate lives under load, so that the sidecar ends its connection after 1.5 s. */
const SHORT_LIFE_MS = 2000;
/** Memory may settle over the first fifth. */
const SETTLED = 0.2;
/** Less than what 10,000 connections leave behind if each leaves 4 KB. */
const GROWTH_MB = 32;
const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

/** Connections that come and go, idle ones that ping, and ones that the sidecar ends under load. */
export function run(): Promise<SoakResult> {
  const connections = Number(process.env.SOAK_CONNECTIONS ?? 10_000);
  return exercise({ connections, pings: 8640, ends: 40 });
}

/** The same in another size. */
export async function exercise({ connections, pings, ends }: Sizes): Promise<SoakResult> {
  const plain = await SidecarEstate.start();
  const faults: string[] = [];
  let line = `node ${process.versions.node}`;
  try {
    const message = readBy(plain.ca);
    const short = await comeAndGo(plain.sidecar, connections, message, () => H2Connection.to(plain.sidecar.check));
    const idle = await ping(plain.sidecar, pings, message);
    line = `${connections} connections on a Unix socket: ${short.line}; ${idle.line}`;
    faults.push(...short.faults, ...idle.faults);
  } finally {
    await plain.stop();
  }
  const tls = await TlsEstate.start();
  try {
    const message = readBy(tls.ca);
    const svid = tls.ca.svid(ENVOY);
    const short = await comeAndGo(tls.sidecar, connections, message, () => H2Client.open(tls.port, svid));
    const ended = await endUnderLoad(tls, ends, message);
    line += `; as many over mutual TLS: ${short.line}; ${ended.line}, node ${process.versions.node}`;
    faults.push(...short.faults, ...ended.faults);
  } finally {
    await tls.stop();
  }
  return { line, faults: faults.slice(0, 20) };
}

const readBy = (ca: TestCa): Uint8Array =>
  checkBytes({ path: '/api/invoices/42', attributes: connectionOf(LEDGER, ca.svid(LEDGER)) });

/** One check on each of many connections. */
async function comeAndGo(
  sidecar: Sidecar,
  count: number,
  message: Uint8Array,
  open: () => Promise<H2Connection>,
): Promise<SoakResult> {
  const faults: string[] = [];
  let opened = 0;
  const worker = async (upTo: number): Promise<void> => {
    while (opened < upTo) {
      opened++;
      try {
        const connection = await open();
        const { status } = await connection.check(message);
        if (status.code !== 0) faults.push(`a check on a short connection: ${status.message}`);
        connection.close();
      } catch (error) {
        faults.push(`a short connection: ${error}`);
      }
    }
  };
  const workers = (upTo: number) => Promise.all(Array.from({ length: AT_ONCE }, () => worker(upTo)));
  await workers(count * SETTLED);
  const settled = await liveMb(sidecar);
  await workers(count);
  const resident = residentMb(sidecar.pid);
  const end = await liveMb(sidecar);
  const failed = faults.length;
  if (end - settled > GROWTH_MB) faults.push(`the live memory grew from ${settled} MB to ${end} MB`);
  const memory = `live memory ${settled} MB after a fifth, ${end} MB at the end (${resident} MB with its garbage)`;
  return { line: `${memory}, ${failed} failed checks`, faults };
}

/** A client that is idle but for pings, with neither data nor calls: harsher than one every ten seconds. */
async function ping(sidecar: Sidecar, count: number, message: Uint8Array): Promise<SoakResult> {
  const connection = await H2Connection.to(sidecar.check);
  const faults: string[] = [];
  let calm = 0;
  connection.session.on('goaway', (code) => {
    if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) calm++;
  });
  let answered = 0;
  while (answered < count && !connection.session.destroyed) {
    await new Promise<void>((resolve) => {
      connection.session.ping((error) => {
        if (error === null) answered++;
        resolve();
      });
    });
  }
  if (answered < count || connection.goaway) faults.push(`the connection ended after ${answered} pings`);
  else if ((await connection.check(message)).status.code !== 0) faults.push('the check after the pings was refused');
  connection.close();
  return { line: `${answered} pings while idle, ${calm} too_many_pings`, faults };
}

/** Keeps checks in flight on a connection until it is told to end, and then goes on with the next, as Envoy does. */
async function endUnderLoad(tls: TlsEstate, ends: number, message: Uint8Array): Promise<SoakResult> {
  const faults: string[] = [];
  let [checks, refused, ended] = [0, 0, 0];
  let current = await tls.open();
  let opening: Promise<H2Client> | null = null;
  const usable = async (): Promise<H2Client> => {
    if (!current.goaway && !current.session.closed) return current;
    opening ??= tls.open().finally(() => {
      ended++;
      opening = null;
    });
    current = await opening;
    return current;
  };
  /** Refused streams were not looked at, and are sent again (RFC 9113 section 8.7): so does Envoy by the shipped retry_policy. */
  const check = async (): Promise<void> => {
    for (;;) {
      const { stream, finish } = (await usable()).begin();
      try {
        const { status } = await finish(message);
        if (status.code !== 0) faults.push(`a check under load: ${status.message}`);
        checks++;
        return;
      } catch (error) {
        if (!unsent(error) && stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM) {
          faults.push(`a check under load: ${error}`);
          return;
        }
        refused++;
      }
    }
  };
  const worker = async (): Promise<void> => {
    while (ended < ends && faults.length === 0) await check();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  current.close();
  const line = `${ended} ended by GOAWAY under load: ${checks} checks, ${refused} sent again, ${faults.length} failed`;
  return { line, faults };
}

/** Whether the client itself saw that the connection takes no more. */
const unsent = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'ERR_HTTP2_GOAWAY_SESSION' ||
  (error as NodeJS.ErrnoException).code === 'ERR_HTTP2_INVALID_SESSION';

/** A sidecar that serves over mutual TLS by an SVID of an agent. */
class TlsEstate {
  readonly ca: TestCa;
  readonly sidecar: Sidecar;
  readonly #agent: FakeWorkloadApi;
  readonly #dir: string;

  private constructor(ca: TestCa, sidecar: Sidecar, agent: FakeWorkloadApi, dir: string) {
    this.ca = ca;
    this.sidecar = sidecar;
    this.#agent = agent;
    this.#dir = dir;
  }

  static async start(): Promise<TlsEstate> {
    const dir = temporaryFolder();
    cpSync(example, dir, { recursive: true });
    const ca = TestCa.root(TRUST_DOMAIN);
    const agent = new FakeWorkloadApi(join(dir, 'agent.sock'));
    agent.say('FetchX509Bundles', x509Bundles({ [TRUST_DOMAIN]: [ca] }));
    agent.say('FetchJWTBundles', jwtBundles({ [TRUST_DOMAIN]: [] }));
    agent.say('FetchX509SVID', { svids: [x509Svid(AUTHZ, ca.svid(AUTHZ))] });
    await agent.start();
    const sidecar = await Sidecar.start({
      dir,
      tcp: true,
      listen: { tls: {}, peers: [ENVOY] },
      config: {
        hosts: [PAYMENTS],
        identity: {
          workloadApi: { socket: `unix://${agent.socket}` },
          trustDomains: { [TRUST_DOMAIN]: { local: true, workloadApi: {} } },
          forwarded: { mode: 'sanitize-set' },
        },
        policy: { folder: './policies', inventory: './inventory.yaml' },
        limits: { deadline: '30s' },
      },
    });
    return new TlsEstate(ca, sidecar, agent, dir);
  }

  get port(): number {
    return (this.sidecar.check as { port: number }).port;
  }

  /** A connection by a certificate that ends soon. */
  open(): Promise<H2Client> {
    return H2Client.open(this.port, this.ca.svid(ENVOY, { notAfter: Date.now() + SHORT_LIFE_MS }));
  }

  async stop(): Promise<void> {
    await this.sidecar.stop();
    await this.#agent.stop();
    removeFolder(this.#dir);
  }
}
