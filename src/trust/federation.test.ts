import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { bundleDocument, type Issued, TestCa } from '../../test/support/ca.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { until } from '../../test/support/until.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { Certificate } from '../x509/certificate.ts';
import { TrustBundle } from './bundle.ts';
import { type BundleEvent, BundleStore } from './bundle-source.ts';
import { type FederationProfile, federationEndpoint } from './federation.ts';
import type { RefreshedBundle } from './refreshed-bundle.ts';

const PARTNER = 'partner.example';
const SERVER = `spiffe://${PARTNER}/spire/server`;
const HOUR = 3_600_000;
const ca = TestCa.root(PARTNER);
const nextCa = TestCa.root(PARTNER, { subject: 'next' });
const webCa = TestCa.root('web');
const ipv4Name = Buffer.from([0x87, 4, 127, 0, 0, 1]);

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** A bundle endpoint, and a sidecar that reads it. */
class World {
  readonly clock = new TestClock(ca.now);
  readonly events: BundleEvent[] = [];
  readonly asked: string[] = [];
  readonly store = new BundleStore({
    domains: [{ name: PARTNER, local: false, maxStaleMs: 3 * HOUR }],
    clock: () => this.clock.now(),
    onEvent: (event) => this.events.push(event),
  });
  respond: Respond = () => {};
  #server: Server | null = null;
  #source: RefreshedBundle | null = null;

  async serve(certificate: Issued): Promise<void> {
    this.#server = createServer({ cert: certificate.pem, key: certificate.pkcs8Pem }, (request, response) => {
      this.asked.push(request.url ?? '');
      this.respond(request, response);
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** From now on the endpoint shows another certificate. */
  show({ pem, pkcs8Pem }: Issued): void {
    this.#server!.setSecureContext({ cert: pem, key: pkcs8Pem });
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server!.address() as AddressInfo).port}`;
  }

  async read(profile: FederationProfile, url = `${this.url}/bundle`): Promise<void> {
    const { clock, store } = this;
    const options = { trustDomain: PARTNER, url, profile, maxStaleMs: 3 * HOUR, clock };
    this.#source = federationEndpoint({ ...options, bundles: () => store.snapshot() });
    await this.#source.start(store);
  }

  document(document: object): void {
    this.respond = (_request, response) => response.end(JSON.stringify(document));
  }

  /** Lets the source read once more, by moving the clock to its next time; how long that was, in seconds. */
  async again(): Promise<number> {
    const [before, from] = [this.events.length, this.clock.now()];
    // While a read is under way there is no timer.
    for (let next = this.clock.nextIn; next !== null; next = this.clock.nextIn) this.clock.advance(next);
    await until('the next read', () => (this.events.length > before ? true : null));
    return (this.clock.now() - from) / 1000;
  }

  get state() {
    return this.store.status(this.clock.now())[0]!;
  }

  async stop(): Promise<void> {
    this.#source?.stop();
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

const trusted = (...roots: TestCa[]) =>
  new TrustBundle(PARTNER, {
    x509Authorities: roots.map(({ certificate }) => Certificate.parse(certificate.der) as Certificate),
    ...{ jwtAuthorities: [], witAuthorities: [], unreadable: [], sequence: null, refreshSeconds: 300 },
  });
const spiffe = (bootstrap: TrustBundle | null): FederationProfile => ({
  kind: 'https_spiffe',
  endpoint: SpiffeId.parse(SERVER) as SpiffeId,
  bootstrap,
  maxLifetimeSeconds: 86_400,
});
const web: FederationProfile = { kind: 'https_web', ca: webCa.certificate.pem };
const webCertificate = (authority = webCa) => authority.issue({ otherNames: [ipv4Name], uris: [] });

describe('bundle endpoints', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
    world.document(bundleDocument([ca], [], { spiffe_sequence: 5 }));
  });
  afterEach(() => world.stop());

  test('https_web: a certificate of the web for the host of the URL', async () => {
    await world.serve(webCertificate());
    await world.read(web);
    assert.deepEqual([world.state.state, world.state.sequence, world.state.x509Authorities], ['fresh', '5', 1]);
  });

  for (const [name, certificate] of [
    ['for another host', () => webCa.issue({ dns: ['partner.example'] })],
    ['of a stranger', () => webCertificate(TestCa.root('web', { subject: 'stranger' }))],
    [
      'that has expired',
      () => webCa.issue({ otherNames: [ipv4Name], notBefore: ca.now - 9e6, notAfter: ca.now - 5e6 }),
    ],
  ] as const) {
    test(`https_web: nothing is asked of a server with a certificate ${name}`, async () => {
      await world.serve(certificate());
      await world.read(web);
      assert.equal(world.state.state, 'absent');
      assert.deepEqual(world.asked, []);
    });
  }

  test('https_spiffe: the SVID of the endpoint, by the bootstrap bundle first, then by the bundle that was fetched', async () => {
    await world.serve(ca.svid(SERVER));
    world.document(bundleDocument([ca, nextCa], [], { spiffe_sequence: 5 }));
    await world.read(spiffe(trusted(ca)));
    assert.equal(world.state.x509Authorities, 2);

    world.show(nextCa.svid(SERVER));
    world.document(bundleDocument([nextCa], [], { spiffe_sequence: 6 }));
    await world.again();
    assert.deepEqual([world.state.sequence, world.state.x509Authorities], ['6', 1]);

    world.show(ca.svid(SERVER));
    world.document(bundleDocument([ca], [], { spiffe_sequence: 7 }));
    await world.again();
    assert.match(world.state.fault ?? '', /does not prove itself: identity_svid_issuer_unknown/);
    assert.equal(world.state.sequence, '6');
  });

  for (const [name, certificate, bootstrap, why] of [
    ['another id', () => ca.svid(`${SERVER}2`), trusted(ca), /the endpoint is spiffe:.*server2/],
    ['another root', () => nextCa.svid(SERVER), trusted(ca), /identity_svid_issuer_unknown/],
    ['no bundle to prove it by', () => ca.svid(SERVER), null, /identity_bundle_absent/],
    [
      'a certificate for clients',
      () => ca.svid(SERVER, { extendedKeyUsage: ['clientAuth'] }),
      trusted(ca),
      /extended_key/,
    ],
    ['a certificate of the web', () => webCertificate(), trusted(ca), /identity_svid_uri_count/],
  ] as const) {
    test(`https_spiffe: nothing is asked of an endpoint with ${name}`, async () => {
      await world.serve(certificate());
      await world.read(spiffe(bootstrap));
      assert.equal(world.state.state, 'absent');
      assert.match(world.state.fault ?? '', why);
      assert.deepEqual(world.asked, []);
    });
  }

  test('a redirect is followed to https under the same proof, anew each time, and nowhere else', async () => {
    await world.serve(webCertificate());
    const document = JSON.stringify(bundleDocument([ca], [], { spiffe_sequence: 5 }));
    let location = '/moved';
    world.respond = ({ url }, response) => {
      if (url === '/bundle') response.writeHead(307, { location }).end();
      else response.end(document);
    };
    await world.read(web);
    assert.deepEqual(world.asked, ['/bundle', '/moved']);
    assert.equal(world.state.state, 'fresh');
    for (const elsewhere of [world.url.replace('https', 'http'), world.url.replace('//', '//user@'), '/bundle']) {
      location = elsewhere;
      await world.again();
      assert.equal(world.events.at(-1)?.result, 'rejected', elsewhere);
    }
  });

  for (const [name, document, why] of [
    ['a lower sequence number', bundleDocument([nextCa], [], { spiffe_sequence: 4 }), /4 is lower than 5/],
    [
      'the same sequence number over other content',
      bundleDocument([nextCa], [], { spiffe_sequence: 5 }),
      /two documents/,
    ],
    ['no sequence number any more', bundleDocument([nextCa]), /has lost its sequence/],
    ['no keys member', { spiffe_sequence: 6 }, /keys is no array/],
  ] as const) {
    test(`a document with ${name} is not taken`, async () => {
      await world.serve(webCertificate());
      await world.read(web);
      const { revision } = world.state;
      world.document(document);
      await world.again();
      assert.match(world.state.fault ?? '', why);
      assert.equal(world.state.revision, revision);
      world.document(bundleDocument([nextCa], [], { spiffe_sequence: 6 }));
      await world.again();
      assert.notEqual(world.state.revision, revision);
    });
  }

  test('a document without keys revokes them all', async () => {
    await world.serve(webCertificate());
    await world.read(web);
    world.document({ keys: [], spiffe_sequence: 6 });
    await world.again();
    assert.deepEqual([world.state.state, world.state.x509Authorities], ['fresh', 0]);
  });

  for (const [hint, seconds] of [
    [31_536_000, 3600],
    [600, 600],
    [0, 30],
    [-1, 30],
  ] as const) {
    test(`B27: the refresh hint ${hint} asks again after ${seconds} s`, async () => {
      await world.serve(webCertificate());
      world.document(bundleDocument([ca], [], { spiffe_sequence: 5, spiffe_refresh_hint: hint }));
      await world.read(web);
      assert.equal(await world.again(), seconds);
      assert.equal(await world.again(), seconds);
    });
  }

  test('an endpoint that fails is asked again soon, and less and less often', async () => {
    await world.serve(webCertificate());
    world.respond = (_request, response) => response.writeHead(500).end();
    await world.read(web);
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) waits.push(await world.again());
    assert.deepEqual(waits, [2, 4, 8, 16, 32, 64]);
    assert.match(world.state.fault ?? '', /answered 500/);
  });

  test('an endpoint that stalls in the middle of its answer is given up, and ends nothing else', async () => {
    await world.serve(webCertificate());
    world.respond = (_request, response) => response.write('{"keys":');
    await world.read(web);
    assert.match(world.state.fault ?? '', /no answer within 10 s/);
  });

  test('an answer beyond the limit is cut off', async () => {
    await world.serve(webCertificate());
    world.respond = (_request, response) => response.end(Buffer.alloc(5 * 1024 * 1024, 0x20));
    await world.read(web);
    assert.match(world.state.fault ?? '', /more than 4194304 bytes/);
  });
});
