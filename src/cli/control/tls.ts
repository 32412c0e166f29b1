import { createSecureContext, type TLSSocket } from 'node:tls';
import { systemClock } from '../../base/clock.ts';
import { Fault, messageOf } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { within } from '../../base/within.ts';
import { readBounded } from '../../source/bounded.ts';
import { BundleSnapshot, TrustBundle } from '../../trust/bundle.ts';
import { parseBundleFile } from '../../trust/bundle-document.ts';
import { BundleStore } from '../../trust/bundle-source.ts';
import { agentSvid } from '../../trust/own-svid-source.ts';
import { presentedBy } from '../../trust/tls-peer.ts';
import { WorkloadApi, type WorkloadEndpoint } from '../../trust/workload-api.ts';
import { WorkloadApiBundles } from '../../trust/workload-api-bundles.ts';
import { verifyX509Svid } from '../../trust/x509-svid.ts';

/** Both sides of a TLS connection. */
export interface TlsSettings {
  /** What the caller shows, as PEM; null: nothing. */
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  readonly server:
    | { readonly kind: 'web'; readonly ca: string | null; readonly name: string }
    | { readonly kind: 'spiffe'; readonly id: SpiffeId; readonly bundles: BundleSnapshot };
}

export interface TlsGiven {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
  readonly agent: WorkloadEndpoint | null;
  readonly serverId: string | undefined;
  /** The host of the URL. */
  readonly host: string;
}

const MAX_BYTES = 4 * 1024 * 1024;
const FOREVER = Number.POSITIVE_INFINITY;
/** A one-shot call confirms nothing later. */
const REFRESH_MS = 3_600_000;

type Unready = { readonly fault: string; readonly misused: boolean };

/** Reads what the options name, from files and the SPIFFE agent, within `timeoutMs`. Never rejects. */
export async function tlsSettings(given: TlsGiven, timeoutMs: number): Promise<TlsSettings | Unready> {
  const { cert, key, ca, agent, serverId, host } = given;
  const id = serverId === undefined ? null : SpiffeId.parse(serverId);
  if (id instanceof Refusal) return misused(`--server-id: ${id.detail}`);
  if (id === null && agent !== null && ca === undefined)
    return misused('an SVID has no host name: name the server with --server-id, or its authorities with --ca');
  if (id !== null && ca === undefined && agent === null)
    return misused('--server-id: name the authorities of the server with --ca, or --workload-api');
  const [caText, own] = await Promise.all([
    ca === undefined ? null : readText(ca),
    cert === undefined || key === undefined ? null : readPair(cert, key),
  ]);
  if (caText instanceof Fault) return unread(caText);
  if (own instanceof Fault) return unread(own);
  const agentSays = agent === null ? null : await askAgent(agent, caText === null ? id : null, timeoutMs);
  if (agentSays instanceof Fault) return unread(agentSays);
  const certificate = own ?? agentSays?.certificate ?? null;
  if (id === null) return { certificate, server: { kind: 'web', ca: caText, name: host } };
  const bundles = caText === null ? agentSays?.bundles : bundleOf(id.trustDomain, ca ?? '', caText);
  if (bundles instanceof Fault) return unread(bundles);
  return { certificate, server: { kind: 'spiffe', id, bundles: bundles ?? new BundleSnapshot([]) } };
}

/** Why the server of this connection is not the one that was named, or null. `nowMs` in milliseconds since the epoch. */
export function unprovenServer(socket: TLSSocket, { server }: TlsSettings, nowMs: number): string | null {
  // A certificate for a host was verified by the handshake.
  if (server.kind === 'web') return null;
  const presented = presentedBy(socket);
  if (presented === null) return 'the server shows no certificate';
  const svid = verifyX509Svid(presented, server.bundles, nowMs, { maxLifetimeSeconds: FOREVER, usage: 'server' });
  if (svid instanceof Refusal) return `the server does not prove itself: ${svid.reason}: ${svid.detail}`;
  return svid.id.text === server.id.text ? null : `the server is ${svid.id.text}, not ${server.id.text}`;
}

async function readPair(certFile: string, keyFile: string): Promise<{ cert: string; key: string } | Fault> {
  const [cert, key] = await Promise.all([readText(certFile), readText(keyFile)]);
  if (cert instanceof Fault) return cert;
  if (key instanceof Fault) return key;
  try {
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (error) {
    return new Fault(`${certFile} with ${keyFile}: ${messageOf(error)}; name a certificate and its own key, as PEM`);
  }
}

/** The caller's own SVID, and the bundle of the server's trust domain where the agent has to name it. */
async function askAgent(endpoint: WorkloadEndpoint, server: SpiffeId | null, timeoutMs: number) {
  const api = new WorkloadApi({ endpoint, clock: systemClock, refreshMs: REFRESH_MS });
  const late = () => new Fault(`the SPIFFE agent gave no answer within ${timeoutMs / 1000} s`);
  let certificate: { cert: string; key: string } | Fault = new Fault('the SPIFFE agent gives no SVID');
  const faults: string[] = [];
  const store = new BundleStore({
    domains: server === null ? [] : [{ name: server.trustDomain, local: true, maxStaleMs: FOREVER }],
    clock: systemClock.now,
    onEvent: ({ result, detail }) => {
      if (result === 'rejected') faults.push(detail);
    },
  });
  const none = (detail: string): void => {
    certificate = new Fault(`the SPIFFE agent gives no SVID: ${detail}`);
  };
  const asking = Promise.all([
    agentSvid(api, null).start({
      take: ({ certificatesPem: cert, keyPem: key }) => {
        certificate = { cert, key };
      },
      drop: none,
      reject: none,
    }),
    server === null
      ? null
      : new WorkloadApiBundles({ api, trustDomains: [server.trustDomain], clock: systemClock }).start(store),
  ]);
  const lateBy = await within(asking, timeoutMs, late);
  api.stop();
  if (lateBy instanceof Fault) return lateBy;
  if (certificate instanceof Fault) return certificate;
  const bundles = store.snapshot();
  if (server !== null && bundles.bundleOf(server.trustDomain, systemClock.now()) instanceof Refusal)
    return new Fault(`the SPIFFE agent gives no bundle of ${server.trustDomain}: ${faults.join('; ')}`);
  return { certificate, bundles };
}

function bundleOf(trustDomain: string, file: string, text: string): BundleSnapshot | Fault {
  const content = parseBundleFile(trustDomain, text);
  if (content instanceof Fault) return new Fault(`${file}: ${content.detail}`);
  if (content === null) return new Fault(`${file}: holds no bundle of ${trustDomain}`);
  const bundle = new TrustBundle(trustDomain, content);
  return new BundleSnapshot([
    { name: trustDomain, local: true, maxStaleMs: FOREVER, bundle, freshAt: systemClock.now() },
  ]);
}

async function readText(file: string): Promise<string | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, AbortSignal.timeout(5000));
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  return text instanceof Fault ? new Fault(`${file}: ${text.detail}`) : text;
}

const misused = (fault: string): Unready => ({ fault, misused: true });
const unread = ({ detail }: Fault): Unready => ({ fault: detail, misused: false });
