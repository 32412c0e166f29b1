import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as dial } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { type CertificateParts, type Issued, TestCa } from '../../test/support/ca.ts';
import { H2Client } from '../../test/support/h2-client.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { until } from '../../test/support/until.ts';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { SpiffePattern } from '../base/spiffe-pattern.ts';
import { type CheckCall, refused } from '../check/answer.ts';
import { TrustBundle } from '../trust/bundle.ts';
import { BundleStore } from '../trust/bundle-source.ts';
import type { OwnSvid } from '../trust/own-svid.ts';
import { Certificate } from '../x509/certificate.ts';
import { type PeerRule, Peers } from './peers.ts';
import { type CheckServer, serveChecks } from './server.ts';

const MINUTE = 60_000;
const ENVOY = 'spiffe://prod.example/ns/payments/sa/envoy';
const AUTHZ = 'spiffe://prod.example/ns/platform/sa/authz';
const ca = TestCa.root('prod.example');
const partnerCa = TestCa.root('partner.example');
const stranger = TestCa.root('prod.example', { subject: 'stranger' });

function bundle(name: string, ...roots: TestCa[]): TrustBundle {
  const x509Authorities = roots.map(({ certificate }) => Certificate.parse(certificate.der) as Certificate);
  const rest = { jwtAuthorities: [], witAuthorities: [], unreadable: [], sequence: null, refreshSeconds: 300 };
  return new TrustBundle(name, { x509Authorities, ...rest });
}

function own(svid: Issued): OwnSvid {
  const id = SpiffeId.parse(AUTHZ) as SpiffeId;
  const { pem: certificatesPem, pkcs8Pem: keyPem, thumbprint } = svid;
  return { id, certificatesPem, keyPem, thumbprint, notBefore: 0, notAfter: 0 };
}

const peersOf = (rules: Readonly<Record<string, PeerRule['hosts']>>): Peers =>
  new Peers(
    Object.entries(rules).map(([text, hosts]) => ({ pattern: SpiffePattern.parse(text) as SpiffePattern, hosts })),
  );

/** A check port over TLS whose answers name the peer. */
class Port {
  readonly clock = new TestClock(Date.now());
  readonly refused: string[] = [];
  readonly causes: string[] = [];
  peers = peersOf({ [ENVOY]: null });
  readonly bundles = new BundleStore({
    domains: ['prod.example', 'partner.example'].map((name) => ({ name, local: true, maxStaleMs: 86_400_000 })),
    clock: () => this.clock.now(),
    onEvent: () => {},
  });
  rotate: (svid: OwnSvid | null) => void = () => {};
  readonly clients: H2Client[] = [];
  #server: CheckServer | null = null;

  async start(): Promise<void> {
    this.bundles.accept('prod.example', bundle('prod.example', ca));
    this.bundles.accept('partner.example', bundle('partner.example', partnerCa));
    const tls = {
      ownSvid: (listener: (svid: OwnSvid | null) => void) => {
        this.rotate = listener;
        listener(own(ca.svid(AUTHZ)));
      },
      peers: () => this.peers,
      bundles: () => this.bundles.snapshot(),
      maxLifetimeSeconds: 86_400,
      clock: this.clock,
      onRefused: (_address: string, taskContext: string, cause: string) => {
        this.refused.push(taskContext);
        this.causes.push(cause);
      },
    };
    // The private detail of the refusal, which names the peer, stands where the caller sees it.
    const answer = async ({ read }: CheckCall) => {
      const outcome = read() as Refusal;
      return { decided: refused(outcome), reference: { decision: outcome.detail, seq: null, hash: null } };
    };
    this.#server = await serveChecks(
      { host: '127.0.0.1', port: 0, tls },
      { requestBytes: 65_536, concurrentStreams: 16, sessionMemoryMb: 1 },
      {
        answer,
        read: (_message, checkPeer) => new Refusal('policy_no_permit', `asked by ${checkPeer?.id}`),
        onBug: assert.fail,
      },
    );
  }

  get number(): number {
    return Number(this.#server!.target.split(':').at(-1));
  }

  async open(svid: Issued | null, protocols?: string[]): Promise<H2Client> {
    const client = await H2Client.open(this.number, svid, protocols);
    this.clients.push(client);
    return client;
  }

  async drain(): Promise<void> {
    await this.#server!.drain(0, 1000);
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.drain();
  }
}

const envoy = (parts: CertificateParts = {}): Issued => ca.svid(ENVOY, parts);
const said = async (client: H2Client): Promise<string> => {
  const { status, denied_response } = await client.check();
  return `${status.message}: ${JSON.parse(denied_response?.body ?? '{}').decision}`;
};

describe('the check port over mutual TLS', () => {
  let port: Port;
  beforeEach(async () => {
    port = new Port();
    await port.start();
  });
  afterEach(() => port.stop());

  test('a listed peer is answered, and known by the id that it proved', async () => {
    const client = await port.open(envoy());
    assert.equal(await said(client), `policy_no_permit: asked by ${ENVOY}`);
    assert.match(client.shown.subjectaltname ?? '', /URI:spiffe:\/\/prod.example\/ns\/platform\/sa\/authz/);
    assert.deepEqual(port.refused, []);
  });

  for (const [name, svid, taskContext] of [
    ['shows no certificate', () => null, /^identity_missing/],
    ['has another id of the trust domain', () => ca.svid('spiffe://prod.example/ns/a/sa/b'), /not under listen.peers/],
    ['is signed by a stranger', () => stranger.svid(ENVOY), /^identity_svid_issuer_unknown/],
    ['is signed by a partner', () => partnerCa.svid(ENVOY), /^identity_svid_issuer_unknown/],
    ['is of the partner', () => partnerCa.svid('spiffe://partner.example/e'), /not under listen.peers/],
    [
      'has expired',
      () => envoy({ notBefore: ca.now - 9 * MINUTE, notAfter: ca.now - MINUTE }),
      /^identity_svid_expired/,
    ],
    ['has two ids', () => ca.issue({ uris: [ENVOY, 'spiffe://prod.example/x'] }), /^identity_svid_uri_count/],
    ['is an authority', () => envoy({ ca: true }), /^identity_svid_ca/],
    ['is no client', () => envoy({ extendedKeyUsage: ['serverAuth'] }), /^identity_svid_extended_key_usage/],
  ] as const) {
    test(`a peer whose certificate ${name} is turned away before it can ask`, async () => {
      await assert.rejects(port.open(svid()));
      assert.equal(port.refused.length, 1);
      assert.match(port.refused[0]!, taskContext);
      assert.deepEqual(port.causes, ['peer']);
      assert.match(await said(await port.open(envoy())), /policy_no_permit/);
    });
  }

  test('an intermediate that comes with the leaf leads to the root', async () => {
    const intermediate = ca.intermediate();
    const leaf = intermediate.svid(ENVOY);
    const pem = leaf.pem + intermediate.certificate.pem;
    const client = await H2Client.open(port.number, { pem, pkcs8Pem: leaf.pkcs8Pem });
    port.clients.push(client);
    assert.match(await said(client), /policy_no_permit/);
    await assert.rejects(port.open(leaf));
  });

  test('a peer that speaks HTTP/1.1 alone is turned away', async () => {
    await assert.rejects(port.open(envoy(), ['http/1.1']));
  });

  test('a new SVID is shown to new connections, and an open one goes on with what is in flight', async () => {
    const before = await port.open(envoy());
    const inFlight = before.begin();
    port.rotate(own(ca.svid(AUTHZ)));
    const after = await port.open(envoy());
    assert.notEqual(after.shown.serialNumber, before.shown.serialNumber);
    assert.match((await inFlight.finish()).status.message ?? '', /policy_no_permit/);
    assert.match(await said(before), /policy_no_permit/);
    assert.deepEqual([before.goaway, before.session.closed], [false, false]);
  });

  test('without an SVID of its own it accepts nobody, and with one it does, on the same port', async () => {
    port.rotate(null);
    await assert.rejects(port.open(envoy()));
    port.rotate(own(ca.svid(AUTHZ)));
    assert.match(await said(await port.open(envoy())), /policy_no_permit/);
  });

  test('a peer whose root was withdrawn gets a denial on its open connection, which then ends', async () => {
    const client = await port.open(envoy());
    assert.match(await said(client), /policy_no_permit/);
    port.bundles.accept('prod.example', bundle('prod.example', stranger));
    assert.match(await said(client), /^internal: .*envoy no longer proves itself: identity_svid_issuer_unknown/);
    await until('the end', () => (client.goaway ? true : null));
  });

  test('the next check on an open connection is judged by the peers of its time; one that is none any more is refused, and its connection ends', async () => {
    const client = await port.open(envoy());
    const other = await port.open(envoy());
    assert.match(await said(client), /policy_no_permit/);
    const inFlight = client.begin();
    port.peers = peersOf({ 'spiffe://prod.example/ns/support/sa/envoy': null });
    assert.match(
      await said(client),
      /^identity_proxy_untrusted: spiffe:\/\/prod\.example\/ns\/payments\/sa\/envoy is not/,
    );
    await until('the end', () => (client.goaway ? true : null));
    assert.match((await inFlight.finish()).status.message ?? '', /^identity_proxy_untrusted/);
    await assert.rejects(port.open(envoy()));
    assert.deepEqual(port.causes, ['peer']);
    // A connection that asked nothing meanwhile never noticed.
    port.peers = peersOf({ 'spiffe://prod.example/ns/*/sa/envoy': null });
    assert.match(await said(other), /policy_no_permit/);
    assert.equal(other.goaway, false);
  });

  test('a root beside the old one changes nothing for an open connection', async () => {
    const client = await port.open(envoy());
    port.bundles.accept('prod.example', bundle('prod.example', ca, TestCa.root('prod.example')));
    assert.match(await said(client), /policy_no_permit/);
    assert.equal(client.goaway, false);
  });

  test('a connection is asked to end when three quarters of what its certificate had left are over, and what is in flight is answered', async () => {
    const client = await port.open(envoy({ notAfter: port.clock.now() + 10 * MINUTE }));
    port.clock.advance(7.4 * MINUTE);
    assert.match(await said(client), /policy_no_permit/);
    assert.equal(client.goaway, false);
    const inFlight = client.begin();
    await said(client);
    port.clock.advance(0.2 * MINUTE);
    await until('the end', () => (client.goaway ? true : null));
    assert.match((await inFlight.finish()).status.message ?? '', /policy_no_permit/);
    assert.match(await said(await port.open(envoy())), /policy_no_permit/);
  });

  test('draining answers what is in flight and takes no more connections', async () => {
    const client = await port.open(envoy());
    const inFlight = client.begin();
    await said(client);
    const drained = port.drain();
    await until('the end', () => (client.goaway ? true : null));
    await assert.rejects(port.open(envoy()));
    assert.match((await inFlight.finish()).status.message ?? '', /policy_no_permit/);
    await drained;
  });

  test('B46: whoever is still in the handshake when the draining begins is turned away', async () => {
    const socket = dial(port.number, '127.0.0.1');
    await once(socket, 'connect');
    // Accepted in turn, so that the one before it has been accepted too.
    await port.open(envoy());
    const drained = port.drain();
    const { pem: cert, pkcs8Pem: key } = envoy();
    const late = connect({ socket, key, cert, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await assert.rejects(once(late, 'secureConnect'));
    await drained;
  });

  test('S6: a connection without a handshake is gone after five seconds', async () => {
    const socket = dial(port.number, '127.0.0.1');
    await once(socket.resume(), 'connect');
    const quick = await port.open(envoy());
    port.clock.advance(4_900);
    assert.match(await said(quick), /policy_no_permit/);
    assert.equal(socket.closed, false);
    port.clock.advance(200);
    await once(socket, 'close');
    assert.equal(port.refused[0], 'no handshake within 5 s');
    assert.equal(port.causes[0], 'timeout');
    assert.match(await said(quick), /policy_no_permit/);
  });
});
