import { Refusal } from '../outcome.ts';
import type { BundleSnapshot, TrustBundle } from './bundle.ts';
import type { JwtAuthorities } from './jwt-svid.ts';
import { KeySet } from './key-set.ts';

/** Each bundle's keys are imported once: a bundle is frozen, and the next one is another object. */
const keySets = new WeakMap<TrustBundle, KeySet>();

/**
 * The JWT authorities of the bundles in force: the keys of exactly the trust domain that is asked for, or the refusal of
 * the snapshot. The parsers of bundles have dropped what a document labels with another `use` (bundle-document.ts), so
 * that a key without one comes from the Workload API, where none is stated.
 */
export function authoritiesOf(bundles: BundleSnapshot): JwtAuthorities {
  return {
    jwtKeys(trustDomain, now) {
      const bundle = bundles.bundleOf(trustDomain, now);
      return bundle instanceof Refusal ? bundle : keySetOf(bundle);
    },
  };
}

function keySetOf(bundle: TrustBundle): KeySet {
  let keys = keySets.get(bundle);
  if (keys === undefined) {
    keys = KeySet.of(
      bundle.jwtAuthorities.map(({ jwk }) => jwk),
      'workload-api',
    );
    keySets.set(bundle, keys);
  }
  return keys;
}
