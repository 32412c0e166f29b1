import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCa } from '../../test/support/ca.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { TrustBundle } from './bundle.ts';
import { parseBundleFile } from './bundle-document.ts';
import { type BundleEvent, BundleStore } from './bundle-source.ts';

const NOW = Date.UTC(2026, 10, 25);
const HOUR = 3_600_000;

function bundleOf(name: string, ...roots: TestCa[]): TrustBundle {
  const text = roots.length === 0 ? '{"keys":[]}' : roots.map((root) => root.certificate.pem).join('');
  const content = parseBundleFile(name, text);
  assert.ok(content !== null && !(content instanceof Fault));
  return new TrustBundle(name, content);
}

function store() {
  const clock = { now: NOW };
  const events: BundleEvent[] = [];
  const domains = [
    { name: 'ours.test', local: true, maxStaleMs: HOUR },
    { name: 'partner.test', local: false, maxStaleMs: HOUR },
  ];
  return {
    clock,
    events,
    bundles: new BundleStore({ domains, clock: () => clock.now, onEvent: (event) => events.push(event) }),
  };
}

const first = bundleOf('ours.test', TestCa.root('ours.test', { now: NOW }));
const rotated = bundleOf('ours.test', TestCa.root('ours.test', { now: NOW }));

/** The bundle that a snapshot gives, or the reason that it refuses with. */
const lookup = (bundles: BundleStore, name: string, now: number) => {
  const got = bundles.snapshot().bundleOf(name, now);
  return got instanceof Refusal ? got.reason : got;
};

test('a trust domain is absent until its bundle is accepted, and by itself', () => {
  const { bundles } = store();
  assert.equal(lookup(bundles, 'ours.test', NOW), 'identity_bundle_absent');
  bundles.accept('ours.test', first);
  assert.equal(lookup(bundles, 'ours.test', NOW), first);
  assert.equal(lookup(bundles, 'partner.test', NOW), 'identity_bundle_absent');
  assert.equal(lookup(bundles, 'nobody.test', NOW), 'identity_trust_domain_unknown');
});

test('a snapshot that was taken does not change', () => {
  const { bundles } = store();
  bundles.accept('ours.test', first);
  const taken = bundles.snapshot();
  bundles.accept('ours.test', rotated);
  assert.equal(taken.bundleOf('ours.test', NOW), first);
  assert.equal(lookup(bundles, 'ours.test', NOW), rotated);
  assert.ok(Object.isFrozen(taken) && Object.isFrozen(taken.domains[0]) && Object.isFrozen(first.x509Authorities));
});

test('a bad update keeps the last good bundle, shows, and lets it grow stale', () => {
  const { bundles, clock } = store();
  bundles.accept('ours.test', first);
  clock.now += HOUR;
  bundles.reject('ours.test', 'broken');
  assert.equal(lookup(bundles, 'ours.test', clock.now), first);
  assert.equal(bundles.status(clock.now)[0]?.fault, 'broken');
  assert.equal(lookup(bundles, 'ours.test', clock.now + 1), 'identity_bundle_stale');
});

test('an unchanged bundle that was read again is fresh again, and clears the fault', () => {
  const { bundles, clock } = store();
  bundles.accept('ours.test', first);
  bundles.reject('ours.test', 'broken');
  clock.now += HOUR;
  bundles.accept('ours.test', first);
  assert.equal(lookup(bundles, 'ours.test', clock.now + HOUR), first);
  assert.equal(bundles.status(clock.now)[0]?.fault, null);
});

test('a withdrawn bundle is absent', () => {
  const { bundles } = store();
  bundles.accept('ours.test', first);
  bundles.accept('ours.test', null);
  assert.equal(lookup(bundles, 'ours.test', NOW), 'identity_bundle_absent');
});

test('what a source says of a trust domain that is not configured is not taken', () => {
  const { bundles, events } = store();
  bundles.accept('nobody.test', first);
  bundles.reject('nobody.test', 'x');
  assert.deepEqual([lookup(bundles, 'nobody.test', NOW), events], ['identity_trust_domain_unknown', []]);
});

test('each read is told with its result', () => {
  const { bundles, events } = store();
  bundles.accept('ours.test', first);
  bundles.accept('ours.test', first);
  bundles.accept('ours.test', rotated);
  bundles.reject('ours.test', 'broken');
  bundles.accept('ours.test', null);
  bundles.reject('ours.test', 'gone');
  assert.deepEqual(
    events.map(({ result, revision, detail }) => [result, revision, detail]),
    [
      ['updated', first.revision, ''],
      ['unchanged', first.revision, ''],
      ['updated', rotated.revision, ''],
      ['rejected', rotated.revision, 'broken'],
      ['withdrawn', null, ''],
      ['rejected', null, 'gone'],
    ],
  );
});

test('the status shows every trust domain with its state and age', () => {
  const { bundles } = store();
  bundles.accept('ours.test', first);
  const [ours, partner] = bundles.status(NOW + HOUR);
  assert.deepEqual(
    [ours?.state, ours?.freshAt, ours?.x509Authorities, ours?.revision],
    ['fresh', NOW, 1, first.revision],
  );
  assert.deepEqual([partner?.state, partner?.freshAt, partner?.local], ['absent', null, false]);
  assert.equal(bundles.status(NOW + HOUR + 1)[0]?.state, 'stale');
});
