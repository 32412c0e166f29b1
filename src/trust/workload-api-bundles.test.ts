import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { type JwtKey, TestCa, urlEncodedPem } from '../../test/support/ca.ts';
import { FakeWorkloadApi, jwtBundles, x509Bundles } from '../../test/support/fake-workload-api.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { until } from '../../test/support/until.ts';
import { Refusal } from '../base/outcome.ts';
import { authoritiesOf } from '../identity/jwt-authorities.ts';
import { type BundleEvent, BundleStore } from './bundle-source.ts';
import { SvidVerifier } from './svid-cache.ts';
import { WorkloadApi } from './workload-api.ts';
import { WorkloadApiBundles } from './workload-api-bundles.ts';

const HOUR = 3_600_000;
const MAX_STALE = 90_000;
const dir = temporaryFolder();
const clock = new TestClock();
const now = clock.now();
const ca = TestCa.root('prod.example', { now });
const nextCa = TestCa.root('prod.example', { now, subject: 'next' });
const partnerCa = TestCa.root('partner.example', { now });
const [keyOne, keyTwo] = ['one', 'two'].map(
  (kid): JwtKey => ({ kid, publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey }),
) as [JwtKey, JwtKey];

/** One sidecar's view of one scripted agent. */
class World {
  readonly agent = new FakeWorkloadApi(join(dir, `${Math.random().toString(36).slice(2, 8)}.sock`));
  readonly clock = new TestClock(now);
  readonly events: BundleEvent[] = [];
  readonly store = new BundleStore({
    domains: ['prod.example', 'partner.example'].map((name, i) => ({ name, local: i === 0, maxStaleMs: MAX_STALE })),
    clock: () => this.clock.now(),
    onEvent: (event) => this.events.push(event),
  });
  readonly verifier = new SvidVerifier({ maxLifetimeSeconds: 86_400 });
  readonly source: WorkloadApiBundles;

  constructor() {
    const api = new WorkloadApi({
      endpoint: { kind: 'unix', path: this.agent.socket },
      clock: this.clock,
      refreshMs: MAX_STALE / 3,
    });
    this.source = new WorkloadApiBundles({
      api,
      trustDomains: ['prod.example', 'partner.example'],
      clock: this.clock,
    });
    this.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca], 'partner.example': [partnerCa] }));
    this.agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [keyOne], 'partner.example': [] }));
  }

  state(name = 'prod.example') {
    return this.store.status(this.clock.now()).find((domain) => domain.name === name)!;
  }

  /** The reason that a certificate of this authority is refused with; null when it is a caller. */
  reason(authority: TestCa, id = 'spiffe://prod.example/ns/a/sa/b'): string | null {
    const svid = authority.svid(id, { notAfter: now + 23 * HOUR });
    const text = { certificate: urlEncodedPem(svid), chain: null };
    const verified = this.verifier.verify(text, this.store.snapshot(), this.clock.now());
    return verified instanceof Refusal ? verified.reason : null;
  }

  /** The kids of the JWT keys in force. */
  kids(name = 'prod.example'): readonly (string | null)[] | string {
    const keys = authoritiesOf(this.store.snapshot()).jwtKeys(name, this.clock.now());
    return keys instanceof Refusal ? keys.reason : keys.keys.map(({ kid }) => kid);
  }

  until(what: string, holds: () => boolean): Promise<boolean> {
    return until(what, () => (holds() ? true : null));
  }

  /** Moves the clock in steps of a second, so that timers and the network take turns, until something holds. */
  async advanceUntil(what: string, holds: () => boolean): Promise<number> {
    const from = this.clock.now();
    await until(what, () => {
      if (holds()) return true;
      this.clock.advance(1000);
      return null;
    });
    return this.clock.now() - from;
  }
}

describe('trust bundles from the Workload API', () => {
  let world: World;
  beforeEach(async () => {
    world = new World();
    await world.agent.start();
  });
  afterEach(async () => {
    world.source.stop();
    await world.agent.stop();
  });
  after(() => removeFolder(dir));

  test('each trust domain has its own roots and keys, and none is pooled', async () => {
    await world.source.start(world.store);
    assert.equal(world.reason(ca), null);
    assert.equal(world.reason(partnerCa, 'spiffe://partner.example/a'), null);
    assert.equal(world.reason(partnerCa), 'identity_svid_issuer_unknown');
    assert.deepEqual(world.kids(), ['one']);
    assert.deepEqual(world.kids('partner.example'), []);
    assert.equal(world.state().state, 'fresh');
  });

  test('B26: a root and a key that an update adds verify at once, and those that it leaves out no longer', async () => {
    await world.source.start(world.store);
    assert.equal(world.reason(nextCa), 'identity_svid_issuer_unknown');

    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca, nextCa], 'partner.example': [partnerCa] }));
    world.agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [keyOne, keyTwo] }));
    await world.until('both', () => world.state().x509Authorities === 2 && world.state().jwtAuthorities === 2);
    assert.equal(world.reason(ca), null);
    assert.equal(world.reason(nextCa), null);
    assert.deepEqual(world.kids(), ['one', 'two']);

    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [nextCa], 'partner.example': [partnerCa] }));
    world.agent.say('FetchJWTBundles', jwtBundles({ 'prod.example': [keyTwo] }));
    await world.until(
      'the second alone',
      () => world.state().x509Authorities === 1 && world.state().jwtAuthorities === 1,
    );
    assert.equal(world.reason(ca), 'identity_svid_issuer_unknown');
    assert.equal(world.reason(nextCa), null);
    assert.deepEqual(world.kids(), ['two']);
  });

  test('a trust domain that a message leaves out was withdrawn, its JWT keys with it', async () => {
    await world.source.start(world.store);
    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca] }));
    await world.until('its end', () => world.state('partner.example').state === 'absent');
    assert.equal(world.reason(partnerCa, 'spiffe://partner.example/a'), 'identity_bundle_absent');
    assert.equal(world.kids('partner.example'), 'identity_bundle_absent');
    assert.equal(world.reason(ca), null);
  });

  for (const [name, bytes] of [
    ['empty', Buffer.alloc(0)],
    ['no certificate', Buffer.from([0x30, 0x01, 0x00])],
    ['cut short', Buffer.from(ca.certificate.der).subarray(0, 100)],
    ['followed by something', Buffer.concat([ca.certificate.der, Buffer.from([0x04, 0x00])])],
  ] as const) {
    test(`a bundle that is ${name} is not taken, and the other trust domain's is`, async () => {
      await world.source.start(world.store);
      const good = x509Bundles({ 'partner.example': [partnerCa, TestCa.root('partner.example', { now })] });
      const { bundles } = good as { bundles: object };
      world.agent.say('FetchX509Bundles', { bundles: { ...bundles, 'spiffe://prod.example': bytes } });
      await world.until('the message', () => world.state('partner.example').x509Authorities === 2);
      assert.equal(world.reason(ca), null);
      assert.match(world.state().fault ?? '', /the agent's bundle/);
    });
  }

  test('a message without any bundle changes nothing, since the field is mandatory', async () => {
    await world.source.start(world.store);
    world.agent.say('FetchX509Bundles', { bundles: {} });
    await world.until('the fault', () => world.state().fault !== null);
    assert.equal(world.reason(ca), null);
  });

  test('B26: after a sleep beyond the age limit everything is refused, until the agent has confirmed it', async () => {
    await world.source.start(world.store);
    world.agent.silence('FetchX509Bundles');
    world.clock.jump(12 * HOUR);
    assert.equal(world.state().state, 'stale');
    assert.equal(world.reason(ca), 'identity_bundle_stale');

    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca], 'partner.example': [partnerCa] }));
    await world.advanceUntil('freshness', () => world.state().state === 'fresh');
    assert.equal(world.reason(ca), null);
  });

  test('an open stream that says nothing is confirmed before its state is too old, without a gap', async () => {
    await world.source.start(world.store);
    const from = world.clock.now();
    await world.advanceUntil('two confirmations', () => {
      assert.equal(world.state().state, 'fresh');
      return world.agent.opened('FetchX509Bundles') >= 3 && world.agent.open('FetchX509Bundles') === 1;
    });
    assert.ok(world.clock.now() - from >= (2 * MAX_STALE) / 3);
    assert.ok(world.agent.opened('FetchX509Bundles') <= 4);
  });

  test('B26: an agent that is away is asked again with growing delays and serves stale, and comes back without a restart', async () => {
    await world.source.start(world.store);
    await world.agent.stop();
    const attempts: number[] = [];
    await world.until('the loss', () => world.events.some(({ result }) => result === 'rejected'));
    const limit = world.clock.now() + MAX_STALE;
    let seen = world.events.length;
    await world.advanceUntil('staleness', () => {
      if (world.events.length > seen) attempts.push(world.clock.now() - now);
      seen = world.events.length;
      if (world.clock.now() < limit - 1000 && world.state().state === 'fresh') assert.equal(world.reason(ca), null);
      return world.state().state === 'stale';
    });
    assert.equal(world.reason(ca), 'identity_bundle_stale');
    // One attempt a second would make 90; delays of 1, 2, 4, 8, 16 and 30 s make six, of each of two streams.
    assert.ok(attempts.length <= 14, `${attempts.length} attempts`);

    await world.agent.start();
    await world.advanceUntil('the return', () => world.state().state === 'fresh');
    assert.equal(world.reason(ca), null);
  });

  test('B26: PermissionDenied drops what was known, five times over, and a good answer brings it back', async () => {
    await world.source.start(world.store);
    world.agent.refuse('FetchX509Bundles', status.PERMISSION_DENIED, 'no identity issued');
    const stood = await world.advanceUntil('the drop', () => world.state().state === 'absent');
    assert.ok(stood <= 7000, `${stood} ms`);
    assert.equal(world.reason(ca), 'identity_bundle_absent');
    assert.equal(world.kids(), 'identity_bundle_absent');
    const before = world.agent.opened('FetchX509Bundles');
    const took = await world.advanceUntil('five refusals', () => world.agent.opened('FetchX509Bundles') === before + 5);
    assert.ok(took >= (1 + 2 + 4 + 8) * 1000, `${took} ms`);
    assert.match(world.state().fault ?? '', /PERMISSION_DENIED: no identity issued/);

    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca], 'partner.example': [partnerCa] }));
    await world.advanceUntil('the return', () => world.state().state === 'fresh');
    assert.equal(world.reason(ca), null);
  });

  test('a denial that does not stand changes nothing: an agent has no identity for a moment while it replaces SVIDs', async () => {
    await world.source.start(world.store);
    const before = world.agent.opened('FetchX509Bundles');
    world.agent.refuse('FetchX509Bundles', status.PERMISSION_DENIED);
    await world.until('the retry', () => {
      world.clock.advance(100);
      return world.agent.opened('FetchX509Bundles') > before;
    });
    assert.equal(world.reason(ca), null);
    world.agent.say('FetchX509Bundles', x509Bundles({ 'prod.example': [ca, nextCa], 'partner.example': [partnerCa] }));
    await world.advanceUntil('the news', () => world.state().x509Authorities === 2);
    assert.deepEqual(
      world.events.filter(({ result }) => result === 'withdrawn'),
      [],
    );
  });

  test('InvalidArgument is not asked again, and what was known serves until it is too old', async () => {
    await world.source.start(world.store);
    const before = world.agent.opened('FetchX509Bundles');
    world.agent.refuse('FetchX509Bundles', status.INVALID_ARGUMENT);
    await world.until('the refusal', () => world.state().fault !== null);
    assert.equal(world.reason(ca), null);
    await world.advanceUntil('staleness', () => world.state().state === 'stale');
    assert.equal(world.agent.opened('FetchX509Bundles'), before);
  });

  test('an agent without JWT bundles serves X.509 alone', async () => {
    world.agent.refuse('FetchJWTBundles', status.UNIMPLEMENTED);
    await world.source.start(world.store);
    assert.equal(world.reason(ca), null);
    assert.deepEqual(world.kids(), []);
    await world.advanceUntil('a confirmation', () => world.agent.opened('FetchX509Bundles') > 1);
    assert.equal(world.state().state, 'fresh');
    assert.equal(world.agent.opened('FetchJWTBundles'), 1);
  });

  test('the JWT stream alone being away makes the bundle stale: its keys may have been withdrawn', async () => {
    await world.source.start(world.store);
    world.agent.refuse('FetchJWTBundles', status.UNAVAILABLE);
    await world.advanceUntil('staleness', () => world.state().state === 'stale');
    assert.equal(world.kids(), 'identity_bundle_stale');
  });

  test('a stream that ends in good order is opened again, at most once a second', async () => {
    await world.source.start(world.store);
    const before = world.agent.opened('FetchX509Bundles');
    for (let i = 1; i <= 3; i++) {
      world.agent.end('FetchX509Bundles');
      await world.advanceUntil('a new stream', () => world.agent.open('FetchX509Bundles') === 1);
    }
    assert.equal(world.agent.opened('FetchX509Bundles'), before + 3);
    assert.ok(world.clock.now() - now >= 2000);
  });

  test('an agent that answers nothing is given up after 10 s', async () => {
    world.agent.silence('FetchX509Bundles');
    world.agent.silence('FetchJWTBundles');
    const started = world.source.start(world.store);
    await world.until('the stream', () => world.agent.opened('FetchX509Bundles') === 1);
    world.clock.advance(9000);
    assert.equal(world.state().fault, null);
    world.clock.advance(1001);
    await started;
    assert.match(world.state().fault ?? '', /no message within 10 s/);
    assert.equal(world.state().state, 'absent');
  });
});
