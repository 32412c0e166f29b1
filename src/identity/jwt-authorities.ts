import { Refusal } from '../outcome.ts';
import type { JsonValue } from '../strict-json.ts';
import type { BundleSnapshot, TrustBundle } from './bundle.ts';
import type { JwtAuthorities } from './jwt-svid.ts';
import { KeySet } from './key-set.ts';

const keySets = new WeakMap<TrustBundle, KeySet>();

/** The JWT authorities of the bundles, each trust domain's by itself; imported once for each bundle. */
export function jwtAuthorities(bundles: BundleSnapshot): JwtAuthorities {
  return {
    jwtKeys: (trustDomain, now) => {
      const bundle = bundles.bundleOf(trustDomain, now);
      if (bundle instanceof Refusal) return bundle;
      let keys = keySets.get(bundle);
      if (keys === undefined) {
        keys = KeySet.of(
          bundle.jwtAuthorities.map(({ jwk }) => jwk as JsonValue),
          'spiffe-bundle',
        );
        keySets.set(bundle, keys);
      }
      return keys;
    },
  };
}
