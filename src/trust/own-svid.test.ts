import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { newKeys, TestCa } from '../../test/support/ca.ts';
import { FakeWorkloadApi, x509Svid } from '../../test/support/fake-workload-api.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { until } from '../../test/support/until.ts';
import { Fault } from '../base/fault.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { type OwnSvid, readOwnSvid } from './own-svid.ts';
import { agentSvid, OwnIdentity, type OwnIdentityEvent } from './own-svid-source.ts';
import { WorkloadApi } from './workload-api.ts';
import type { X509SvidMessage } from './workload-api-messages.ts';

const ID = 'spiffe://prod.example/ns/platform/sa/authz';
const OTHER = 'spiffe://prod.example/ns/platform/sa/other';
const TEN_YEARS = 10 * 365 * 86_400_000;
const ca = TestCa.root('prod.example');
const wanted = SpiffeId.parse(ID) as SpiffeId;

const read = (...svids: ReturnType<typeof x509Svid>[]) => readOwnSvid({ svids } as X509SvidMessage, wanted);

describe('an SVID of our own', () => {
  test('the wanted one is taken of several, and the first where none is wanted', () => {
    const [mine, other] = [ca.svid(ID), ca.svid(OTHER)];
    const svids = [x509Svid(OTHER, other), x509Svid(ID, mine)];
    assert.equal((read(...svids) as OwnSvid).thumbprint, mine.thumbprint);
    assert.equal((readOwnSvid({ svids }, null) as OwnSvid).id?.text, OTHER);
    assert.equal(read(x509Svid(OTHER, other)), null);
  });

  test('intermediates are shown with it', () => {
    const intermediate = ca.intermediate();
    const own = read(x509Svid(ID, intermediate.svid(ID), [intermediate.certificate])) as OwnSvid;
    assert.equal(own.certificatesPem.match(/BEGIN CERTIFICATE/g)?.length, 2);
  });

  const good = x509Svid(ID, ca.svid(ID));
  for (const [name, svid] of [
    ['its key is that of another certificate', { ...good, x509_svid_key: x509Svid(ID, ca.svid(ID)).x509_svid_key }],
    ['its key is none', { ...good, x509_svid_key: Buffer.from('key') }],
    ['its certificate is about another id', x509Svid(ID, ca.svid(OTHER))],
    ['its certificate has two ids', x509Svid(ID, ca.issue({ uris: [ID, OTHER] }))],
    ['its certificate is an authority', x509Svid(ID, ca.svid(ID, { ca: true }))],
    ['there is no certificate', { ...good, x509_svid: Buffer.alloc(0) }],
    ['its certificate is cut short', { ...good, x509_svid: good.x509_svid.subarray(0, -1) }],
  ] as const) {
    test(`not taken when ${name}`, () => {
      assert.ok((read(good) as OwnSvid).id);
      assert.ok(read(svid) instanceof Fault);
    });
  }

  test('not taken when the message holds none', () => {
    assert.ok(read() instanceof Fault);
  });
});

describe('our own SVID from the agent', () => {
  const dir = temporaryFolder();
  let agent: FakeWorkloadApi;
  let clock: TestClock;
  let own: OwnIdentity;
  let events: OwnIdentityEvent[];
  let current: OwnSvid | null;

  const eventually = (what: string, holds: () => boolean) => until(what, () => (holds() ? true : null));

  beforeEach(async () => {
    clock = new TestClock(ca.now);
    agent = new FakeWorkloadApi(join(dir, 'agent.sock'));
    agent.say('FetchX509SVID', { svids: [x509Svid(ID, ca.svid(ID))] });
    await agent.start();
    events = [];
    const api = new WorkloadApi({ endpoint: { kind: 'unix', path: agent.socket }, clock, refreshMs: 60_000 });
    own = new OwnIdentity({ source: agentSvid(api, wanted), onEvent: (event) => events.push(event) });
    await own.start();
    own.onChange((svid) => {
      current = svid;
    });
  });
  afterEach(async () => {
    await own.stop();
    await agent.stop();
  });
  after(() => removeFolder(dir));

  test('each new one replaces the last, and the same one again is no news', async () => {
    const next = ca.svid(ID, { keys: newKeys('p256') });
    agent.say('FetchX509SVID', { svids: [x509Svid(ID, next)] });
    await eventually('the rotation', () => current?.thumbprint === next.thumbprint);
    agent.say('FetchX509SVID', { svids: [x509Svid(ID, next)] });
    agent.say('FetchX509SVID', { svids: [] });
    await eventually('the fault', () => own.status(ca.now).fault !== null);
    assert.deepEqual(
      events.map(({ result }) => result),
      ['rotated', 'rotated', 'rejected'],
    );
    assert.equal(own.status(ca.now).state, 'valid');
  });

  test('B26: while the agent is away it serves to its end, and no longer', async () => {
    await agent.stop();
    await eventually('the loss', () => own.status(clock.now()).fault !== null);
    assert.equal(own.status(ca.now + 3_599_000).state, 'valid');
    assert.equal(own.status(ca.now + 3_601_000).state, 'expired');
  });

  test('B26: it is dropped when the agent denies it, and when it issues another one alone', async () => {
    agent.refuse('FetchX509SVID', status.PERMISSION_DENIED);
    await eventually('the drop', () => {
      clock.advance(1000);
      return current === null;
    });
    assert.equal(own.status(ca.now).state, 'absent');
    agent.say('FetchX509SVID', { svids: [x509Svid(ID, ca.svid(ID))] });
    await eventually('the return', () => {
      clock.advance(1000);
      return current !== null;
    });
    agent.say('FetchX509SVID', { svids: [x509Svid(OTHER, ca.svid(OTHER))] });
    await eventually('the withdrawal', () => current === null);
    assert.match(own.status(ca.now).fault ?? '', /issues no SVID for spiffe:\/\/prod.example\/ns\/platform\/sa\/authz/);
  });

  test('B27: an SVID that lives ten years makes nobody ask more often', async () => {
    agent.say('FetchX509SVID', { svids: [x509Svid(ID, ca.svid(ID, { notAfter: ca.now + TEN_YEARS }))] });
    await eventually(
      'the SVID',
      () => own.status(ca.now).validity?.notAfter === Math.floor((ca.now + TEN_YEARS) / 1000),
    );
    const before = agent.opened('FetchX509SVID');
    for (let second = 0; second < 50; second++) {
      clock.advance(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(agent.opened('FetchX509SVID'), before);
  });
});
