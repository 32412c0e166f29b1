import { type Context, contradiction } from './contradiction.ts';
import { peerList } from './peers.ts';
import type { Address } from './values/addresses.ts';
import * as s from './values/scalars.ts';

const files = (folder: string) =>
  s.section({
    certificate: s
      .path(folder)
      .describe('PEM file of the certificate and the intermediates above it (`tls.crt`, `cert-chain.pem`)'),
    key: s.path(folder).describe('PEM file of its private key, not encrypted (`tls.key`, `key.pem`)'),
    ca: s
      .optional(s.path(folder))
      .describe(
        'PEM file of the authorities of the peers’ certificates (`ca.crt`, `root-cert.pem`), which speak for the local trust domain; left out: the bundles of identity.trustDomains',
      ),
  });

/** How a port with TLS proves itself and its clients. */
const ownCertificate = (folder: string) =>
  s
    .section({
      svid: s
        .optional(s.workloadId())
        .describe('The SPIFFE ID to serve as; left out: the default identity that the agent gives'),
      files: s
        .optional(files(folder))
        .describe('The certificate comes from files, such as those of cert-manager, and not from the agent; watched'),
    })
    .check((ctx) => {
      const { svid, files } = ctx.value;
      if (svid !== null && files !== null)
        contradiction(ctx, ['svid'], 'asks the SPIFFE agent for what `files` has; drop one');
    });

/** The key `listen.control`: where the control API listens. */
const controlListener = (folder: string) =>
  s.section({
    address: s
      .address(folder)
      .describe(
        'A Unix socket (mode 0660), TCP on the loopback address, or TCP with tls; everywhere a caller proves itself by its SVID or a token',
      ),
    tls: s
      .orOff(ownCertificate(folder))
      .prefault('off')
      .describe(
        'TLS on this port, also on a Unix socket: the certificate to serve with. Callers may then prove themselves by their own',
      ),
    hosts: s
      .list(s.host(), 16, s.self)
      .prefault([])
      .describe(
        'The names by which this port may be asked (`Host`), without a port for any port; on a Unix socket and the loopback address `localhost` and the address are names too',
      ),
  });

/** The section `listen`: where the sidecar listens, and who may ask there. */
export const listenSection = (folder: string) =>
  s
    .section({
      check: s
        .addressOrOff(folder)
        .prefault('unix:///run/cedar-ext-authz/check.sock')
        .describe(
          'Where Envoy sends its checks. A client of this port can present anyone’s certificate, so it is a Unix socket (mode 0660), TCP on the loopback address, or TCP with tls and peers. off: this process serves the control API alone, which needs state.store: redis',
        ),
      tls: s
        .orOff(ownCertificate(folder))
        .prefault('off')
        .describe(
          'Mutual TLS on the check port, with the sidecar’s own SVID from the SPIFFE agent, or a certificate in files',
        ),
      peers: peerList()
        .prefault([])
        .describe(
          'With tls: the allowed clients, which are your Envoys, each a SPIFFE ID or a mapping. An Envoy that several match may ask about the hosts of all of them',
        ),
      peersFile: s
        .optional(s.path(folder))
        .describe('In place of peers: a YAML file with the one key `peers`, read again when it changes'),
      status: s
        .tcpAddressOrOff()
        .prefault('127.0.0.1:9192')
        .describe('Health, readiness, metrics and status over HTTP: read-only, without authentication'),
      control: s
        .orOff(controlListener(folder))
        .prefault('off')
        .describe('The control API: what is revoked, decided and known, and who may change it'),
      unsafePlaintext: s
        .flag()
        .describe(
          'Lets the check port listen on other than the loopback address without mutual TLS: every client is trusted as Envoy',
        ),
    })
    .check((ctx) => {
      const { check, status, tls, unsafePlaintext } = ctx.value;
      checkControl(ctx, ctx.value);
      if (check === null) {
        checkOff(ctx, ctx.value);
        return;
      }
      if (check.kind === 'tcp' && !check.loopback && !unsafePlaintext && tls === null) {
        const message =
          'lies off the loopback address: whoever reaches it can send anyone’s certificate; set listen.tls and listen.peers, use a Unix socket or 127.0.0.1, or set listen.unsafePlaintext';
        contradiction(ctx, ['check'], message);
      }
      if (tls !== null) checkTls(ctx, ctx.value);
      else checkPlain(ctx, ctx.value);
      if (status === null || check.kind !== 'tcp' || status.port === 0) return;
      if (status.port === check.port)
        contradiction(ctx, ['status'], 'takes the port of listen.check; choose another one');
    });

interface Listening {
  readonly tls: unknown;
  readonly peers: readonly unknown[];
  readonly peersFile: string | null;
  readonly unsafePlaintext: boolean;
  readonly control: unknown;
}

/** Without a check port, whatever says who may ask there is for nothing. */
function checkOff(ctx: Context, { control, ...listen }: Listening): void {
  if (control === null) contradiction(ctx, ['check'], 'is off beside listen.control: off, so nothing would be served');
  const { tls, peers, peersFile, unsafePlaintext } = listen;
  const set = { tls: tls !== null, peers: peers.length > 0, peersFile: peersFile !== null, unsafePlaintext };
  for (const [key, isSet] of Object.entries(set))
    if (isSet) contradiction(ctx, [key], 'is for the check port, and listen.check is off; drop it');
}

interface Peering {
  readonly check: Address | null;
  readonly peers: readonly unknown[];
  readonly peersFile: string | null;
  readonly unsafePlaintext: boolean;
}

function checkTls(ctx: Context, { check, peers, peersFile, unsafePlaintext }: Peering): void {
  if (check?.kind !== 'tcp') contradiction(ctx, ['tls'], 'is for TCP; a Unix socket has a mode');
  if (peers.length === 0 && peersFile === null)
    contradiction(ctx, ['peers'], 'is empty, so nobody could ask; list your Envoys, or set listen.peersFile');
  if (peers.length > 0 && peersFile !== null)
    contradiction(ctx, ['peersFile'], 'stands beside listen.peers; keep one of them');
  if (unsafePlaintext) contradiction(ctx, ['unsafePlaintext'], 'contradicts listen.tls; drop one');
}

function checkPlain(ctx: Context, { peers, peersFile }: Peering): void {
  const message = 'needs listen.tls: peers are identified by their certificate';
  if (peers.length > 0) contradiction(ctx, ['peers'], message);
  if (peersFile !== null) contradiction(ctx, ['peersFile'], message);
}

interface Ports {
  readonly check: Address | null;
  readonly status: { readonly port: number } | null;
  readonly control: { readonly address: Address; readonly tls: unknown; readonly hosts: readonly string[] } | null;
}

/** What `listen.control` says against itself and against the other ports. */
function checkControl(ctx: Context, { check, status, control }: Ports): void {
  if (control === null) return;
  const { address, tls, hosts } = control;
  const at = (key: string, message: string) => contradiction(ctx, ['control', key], message);
  if (address.kind === 'unix') {
    if (check?.kind === 'unix' && check.path === address.path)
      at('address', 'takes the socket of listen.check; choose another one');
    return;
  }
  if (!address.loopback && tls === null)
    at('address', 'lies off the loopback address: tokens and answers would pass in the clear; set listen.control.tls');
  if (!address.loopback && hosts.length === 0)
    at('hosts', 'is empty, so no request could name this port; list the names by which it is asked');
  if (address.port === 0) return;
  if (check?.kind === 'tcp' && check.port === address.port)
    at('address', 'takes the port of listen.check; choose another one');
  if (status?.port === address.port) at('address', 'takes the port of listen.status; choose another one');
}
