import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { Fault, messageOf } from '../base/fault.ts';
import { http } from '../base/node-http.ts';
import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { collectBounded } from '../source/bounded.ts';
import type { BundleSnapshot } from './bundle.ts';
import { presentedBy } from './tls-peer.ts';
import { verifyX509Svid } from './x509-svid.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const LATE = `no answer within ${TIMEOUT_MS / 1000} s`;
const MAX_REDIRECTS = 3;
const REDIRECTS: ReadonlySet<number | undefined> = new Set([301, 302, 303, 307, 308]);

/** How the server of a bundle endpoint proves itself (SPIFFE Federation section 5.2). */
export type EndpointProof =
  | {
      /** By a certificate for the host of the URL. */
      readonly kind: 'https_web';
      /** PEM of the authorities to believe; null: those of the machine. */
      readonly ca: string | null;
    }
  | {
      /** By an X.509-SVID of exactly this id, verified to the bundle of the id's own trust domain. */
      readonly kind: 'https_spiffe';
      readonly endpoint: SpiffeId;
      readonly bundles: () => BundleSnapshot;
      readonly maxLifetimeSeconds: number;
    };

/**
 * The document at a bundle endpoint. The server is proven before anything is sent; a redirect leads only to another https
 * URL whose server proves itself in the same way, and is not remembered (SPIFFE Federation sections 5.2 and 5.3). Only
 * status 200 counts; time and size are bounded. Never rejects. `now` is in milliseconds.
 */
export async function fetchProven(
  url: string,
  proof: EndpointProof,
  now: number,
  signal: AbortSignal,
): Promise<Uint8Array | Fault> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const bounded = AbortSignal.any([signal, timeout]);
  let at = url;
  try {
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const target = httpsUrl(at);
      if (target === null) return new Fault(`${at} is no https URL without user`);
      const answer = await get(target, proof, now, bounded);
      if (typeof answer !== 'string') return answer;
      at = URL.parse(answer, target.href)?.href ?? answer;
    }
    return new Fault(`${url}: more than ${MAX_REDIRECTS} redirects`);
  } catch (error) {
    return new Fault(`${at}: ${timeout.aborted ? LATE : messageOf(error)}`);
  }
}

function httpsUrl(text: string): URL | null {
  const url = URL.parse(text);
  return url?.protocol === 'https:' && url.username === '' && url.password === '' ? url : null;
}

/** The document, or where a redirect leads. */
async function get(
  url: URL,
  proof: EndpointProof,
  now: number,
  signal: AbortSignal,
): Promise<Uint8Array | string | Fault> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    ...(proof.kind === 'https_web'
      ? { ...(proof.ca === null ? {} : { ca: proof.ca }) }
      : { rejectUnauthorized: false }),
  });
  const abort = () => socket.destroy(new Error(LATE));
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) abort();
    await once(socket, 'secureConnect');
    if (proof.kind === 'https_spiffe') {
      const fault = unproven(socket, proof, now);
      if (fault !== null) return new Fault(`${url.href}: ${fault}`);
    }
    return await ask(url, socket);
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/** Why the server is not the endpoint, or null. */
function unproven(
  socket: TLSSocket,
  { endpoint, bundles, maxLifetimeSeconds }: EndpointProof & { kind: 'https_spiffe' },
  now: number,
): string | null {
  const presented = presentedBy(socket);
  if (presented === null) return 'the endpoint shows no certificate';
  const svid = verifyX509Svid(presented, bundles(), now, { maxLifetimeSeconds, usage: 'server' });
  if (svid instanceof Refusal) return `the endpoint does not prove itself: ${svid.reason}: ${svid.detail}`;
  return svid.id.text === endpoint.text ? null : `the endpoint is ${svid.id.text}`;
}

async function ask(url: URL, socket: TLSSocket): Promise<Uint8Array | string | Fault> {
  const asking = http.request({
    createConnection: () => socket,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, accept: 'application/json', connection: 'close' },
  });
  // What fails after the answer has begun is told by the answer, and by this too.
  asking.on('error', () => {});
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  if (REDIRECTS.has(response.statusCode) && response.headers.location !== undefined) return response.headers.location;
  if (response.statusCode !== 200) return new Fault(`${url.href} answered ${response.statusCode}`);
  return collectBounded(url.href, response, MAX_BYTES);
}
