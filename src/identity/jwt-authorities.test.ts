import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwk, makeKey, thumbprint } from '../../test/support/tokens.ts';
import { Fault } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { KeySet } from '../token/key-set.ts';
import { BundleSnapshot, TrustBundle, type TrustDomainState } from '../trust/bundle.ts';
import { parseBundleFile } from '../trust/bundle-document.ts';
import { authoritiesOf, witKeysOf } from './jwt-authorities.ts';

const now = Date.UTC(2026, 0, 1);

function domain(name: string, keys: readonly unknown[]): TrustDomainState {
  const content = parseBundleFile(name, JSON.stringify({ keys, spiffe_sequence: 7 }));
  assert.ok(content !== null && !(content instanceof Fault));
  return { name, local: true, maxStaleMs: 60_000, bundle: new TrustBundle(name, content), freshAt: now };
}

const j = makeKey('ES256', 'j');
const x = makeKey('ES256', 'x');
const p = makeKey('ES256', 'j');
const bundles = new BundleSnapshot([
  domain('example.org', [jwk(j, { use: 'jwt-svid' }), jwk(x, { use: 'sig' }), jwk(makeKey(), { use: undefined })]),
  domain('partner.test', [jwk(p, { use: 'jwt-svid' })]),
]);

test('B24, B28: the keys of a bundle document are those of its own domain, with use jwt-svid and no other', () => {
  const authorities = authoritiesOf(bundles);
  const found = ['example.org', 'partner.test'].map((name) => {
    const keys = authorities.jwtKeys(name, now);
    assert.ok(!(keys instanceof Refusal));
    return keys.keys.map((key) => key.thumbprint);
  });
  assert.deepEqual(found, [[thumbprint(j)], [thumbprint(p)]]);
});

test('the keys of one bundle are imported once', () => {
  assert.equal(authoritiesOf(bundles).jwtKeys('example.org', now), authoritiesOf(bundles).jwtKeys('example.org', now));
});

test('a bundle that is read again and trusts the same has the same keys; one that does not has others', () => {
  const key = jwk(j, { use: 'jwt-svid' });
  const wit = jwk(x, { use: 'wit-svid' });
  const keysOf = (...keys: readonly unknown[]) => {
    const read = new BundleSnapshot([domain('again.test', keys)]);
    return [authoritiesOf(read).jwtKeys('again.test', now), witKeysOf(read, 'again.test', now)];
  };
  const [jwts, wits] = keysOf(key, wit);
  assert.deepEqual(
    keysOf(key, wit).map((set, at) => set === [jwts, wits][at]),
    [true, true],
  );
  const [next] = keysOf(jwk(p, { use: 'jwt-svid' }), wit);
  assert.ok(next instanceof KeySet);
  assert.deepEqual(
    next.keys.map((one) => one.thumbprint),
    [thumbprint(p)],
  );
});

test('a stale bundle and an unknown domain are the refusals of the snapshot', () => {
  const authorities = authoritiesOf(bundles);
  const reason = (name: string, at: number) => {
    const keys = authorities.jwtKeys(name, at);
    return keys instanceof Refusal ? keys.reason : 'keys';
  };
  assert.equal(reason('example.org', now + 60_000), 'keys');
  assert.equal(reason('example.org', now + 60_001), 'identity_bundle_stale');
  assert.equal(reason('unknown.test', now), 'identity_trust_domain_unknown');
  const wits = witKeysOf(bundles, 'unknown.test', now);
  assert.ok(wits instanceof TokenFault && wits.kind === 'keys_stale');
});
