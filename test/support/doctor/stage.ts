import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createSecureServer } from 'node:http2';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { blocks, page } from '../../docs/markdown.ts';
import { pemBundle } from '../ca.ts';
import { ask, websocketHeaders } from '../client.ts';
import { type Envoy, type EnvoyTree, endpointOf, place, runEnvoy, writeEnvoyCerts } from '../envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../estate.ts';
import { closeServer, listenOnLoopback } from '../ports.ts';
import { ending } from '../started.ts';
import { startUpstream, type Upstream } from '../upstream.ts';
import { goods, type Json, set } from './goods.ts';
import type { Mutation, Probe } from './mutations.ts';

const path = '/api/invoices/42';
/** As many bytes as Envoy reads of a body. */
const BODY_LIMIT = 8192;

/** A sidecar, and services behind the Envoys that are started here. */
export class DoctorStage {
  readonly estate: SidecarEstate;
  readonly #upstream: Upstream;
  /** Ports of services that answer for the sidecar, and of one that lets its answers be kept. */
  readonly #ports: { readonly impostor: number; readonly tlsImpostor: number; readonly cached: number };
  readonly #running: AsyncDisposableStack;

  private constructor(
    parts: readonly [SidecarEstate, Upstream],
    ports: { readonly impostor: number; readonly tlsImpostor: number; readonly cached: number },
    running: AsyncDisposableStack,
  ) {
    [this.estate, this.#upstream] = parts;
    this.#ports = ports;
    this.#running = running;
  }

  static async start(): Promise<DoctorStage> {
    await using started = new AsyncDisposableStack();
    const estate = ending(
      started,
      await SidecarEstate.start({
        listen: { control: { address: 'unix:./control.sock' } },
        config: { request: { mergeSlashes: true }, control: { audience: workload('/control') } },
      }),
    );
    const upstream = await startUpstream();
    const impostor = await startUpstream({ grpc: true });
    started.defer(() => upstream.close());
    started.defer(() => impostor.close());
    const { pem: cert, pkcs8Pem: key } = estate.svid('/ns/other/sa/impostor');
    const secure = createSecureServer({ cert, key });
    secure.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.on('error', () => {});
      // An empty message allows.
      stream.end(Buffer.alloc(5));
    });
    secure.on('sessionError', () => {});
    const cached = createHttp((_, response) => response.setHeader('cache-control', 'max-age=60').end('kept'));
    const [tlsImpostor, cachedPort] = [await listenOnLoopback(secure), await listenOnLoopback(cached)];
    started.defer(() => secure.close() && undefined);
    started.defer(() => closeServer(cached));
    const ports = { impostor: impostor.port, tlsImpostor, cached: cachedPort };
    return new DoctorStage([estate, upstream], ports, started.move());
  }

  /** `listen.check` of the sidecar. */
  get check(): string {
    return `unix://${join(this.estate.dir, 'check.sock')}`;
  }

  stop(): Promise<void> {
    return this.#running.disposeAsync();
  }

  /** A real Envoy with the good configuration of a mutation, or with the change. */
  async envoy({ of, envoy: change, code, probe, without }: Mutation, isMutant: boolean): Promise<Envoy> {
    const dir = mkdtempSync(join(this.estate.dir, 'envoy-'));
    const svid = this.estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] });
    writeEnvoyCerts(dir, svid, pemBundle(this.estate.ca));
    writeFileSync(join(dir, 'certs', 'authz-authorities.yaml'), documented('yaml authorities'));
    writeFileSync(join(dir, 'certs', 'authz-ca.pem'), pemBundle(this.estate.ca));
    const away = { socket: join(dir, 'nobody.sock') };
    const tree = place({
      config: of === 'chart' ? 'files' : 'uds',
      check: probe === 'away' ? away : this.estate.sidecar.check,
      upstream: probe === 'cached' ? this.#ports.cached : this.#upstream.port,
      edit: (placed) => {
        if (of === 'chart') this.#askImpostor(placed, code === 'sidecar-plaintext');
        addOther(placed, this.#ports.impostor);
        if (without !== undefined) set(placed, without, undefined);
        if (isMutant && change !== undefined) set(placed, ...change);
        bePatient(placed);
      },
    });
    return await runEnvoy(dir, tree);
  }

  /** The cluster as the chart's page has it, and somebody else answers there. */
  #askImpostor(tree: EnvoyTree, isPlain: boolean): void {
    const clusters = goods.chart().envoy.static_resources as { clusters: Json[] };
    const cluster = tree.static_resources.clusters[1]!;
    Object.assign(cluster, { transport_socket: clusters.clusters[1]!.transport_socket });
    delete cluster.health_checks;
    const port = isPlain ? this.#ports.impostor : this.#ports.tlsImpostor;
    endpointOf(tree, 'cedar-ext-authz').address = { socket_address: { address: '127.0.0.1', port_value: port } };
  }

  /** Whether what the probe tries comes through. */
  async isOpen(envoy: Envoy, probe: Probe): Promise<boolean> {
    const stranger = this.estate.svid('/ns/nowhere/sa/stranger');
    const ledger = this.estate.svid('/ns/payments/sa/ledger');
    const { port } = envoy;
    const asStranger = { port, svid: stranger, host: PAYMENTS, path };
    const asLedger = { ...asStranger, svid: ledger };
    const isServed = async (what: Parameters<typeof ask>[0]) => (await ask(what)).status === 200;
    const seen = () => this.#upstream.seen.at(-1)!;
    switch (probe) {
      case 'stranger':
      case 'away':
      case 'impostor':
        return isServed(asStranger).catch(() => rawServed(asStranger));
      case 'websocket':
        return (await ask({ ...asStranger, headers: websocketHeaders })).status === 101;
      case 'second listener': {
        const second = await portOf(envoy, 'debug');
        return second !== null && isServed({ ...asStranger, port: second });
      }
      case 'cached':
        await ask(asLedger);
        return isServed(asStranger);
      case 'broken token':
        return isServed({ ...asLedger, headers: { authorization: 'Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA' } });
      case 'forged header': {
        const forged = `Hash=${'0'.repeat(64)};URI=${workload('/ns/support/sa/reader')}`;
        if (!(await isServed({ ...asLedger, headers: { 'x-forwarded-client-cert': forged } }))) return false;
        return seen().headers.some(([name, value]) => name === 'x-forwarded-client-cert' && value.includes('support'));
      }
      case 'other path':
        return (
          (await isServed({ ...asLedger, headers: { 'x-path': '/admin/other' } })) && seen().url === '/admin/other'
        );
      case 'two slashes':
        return (await isServed({ ...asLedger, path: '/api//invoices/42' })) && seen().url.includes('//');
      case 'cut body':
        return (await this.#cutBody(port)) === 'approval_required';
    }
  }

  /** The reason for a body of which Envoy has read all that it reads, when more is to come. */
  async #cutBody(port: number): Promise<string> {
    const { pem: cert, pkcs8Pem: key } = this.estate.svid('/ns/payments/sa/ledger');
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false, agent: false, cert, key } as const;
    const headers = { host: PAYMENTS, 'transfer-encoding': 'chunked' };
    const sending = request({ ...options, method: 'POST', path: '/api/refunds', headers });
    const answered = once(sending, 'response');
    sending.write(Buffer.alloc(BODY_LIMIT, 'a'));
    const [response] = (await answered) as [Parameters<typeof text>[0]];
    sending.end('more');
    sending.on('error', () => {});
    return (JSON.parse(await text(response)) as { reason: string }).reason;
  }
}

/** A request through a chain that speaks no HTTP itself fails here for nothing else than the service. */
const rawServed = async (what: Parameters<typeof ask>[0]): Promise<boolean> =>
  (await ask(what).catch(() => null))?.status === 200;

const documented = (info: string): string =>
  blocks(page('docs/kubernetes.md').text).find((block) => block.info === info)!.text;

/** A cluster beside the sidecar's, where whatever is asked is allowed. */
function addOther(tree: EnvoyTree, port: number): void {
  const other = structuredClone(goods.tcp().envoy.static_resources as { clusters: Json[] }).clusters[1]!;
  tree.static_resources.clusters.push({ ...other, name: 'other', health_checks: [] } as never);
  endpointOf(tree, 'other').address = { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** A machine that does much else keeps no deadline of a quarter second. */
function bePatient(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'grpc_service') (inner as Json).timeout = '20s';
    bePatient(inner);
  }
}

/** The port of a listener; null where Envoy has none of this name. */
async function portOf(envoy: Envoy, listener: string): Promise<number | null> {
  const answer = await fetch(`http://127.0.0.1:${envoy.adminPort}/listeners?format=json`);
  const { listener_statuses: all } = (await answer.json()) as {
    listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
  };
  return all.find(({ name }) => name === listener)?.local_address.socket_address.port_value ?? null;
}
