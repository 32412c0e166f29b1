import { Refusal } from '../base/outcome.ts';
import { TokenFault } from '../token/jws-fault.ts';
import { KeySet } from '../token/key-set.ts';
import type { BundleSnapshot, TrustBundle } from '../trust/bundle.ts';
import type { JwtAuthorities } from './jwt-svid.ts';

/**
 * The keys of the last bundle of each trust domain, imported once: a bundle that is read again with the same revision has
 * the same set, so that what was verified with it stays verified.
 */
type KeySets = Map<string, { readonly revision: string; readonly set: KeySet }>;
const jwtKeySets: KeySets = new Map();
const witKeySets: KeySets = new Map();

/**
 * The JWT authorities of the bundles in force: the keys of exactly the trust domain that is asked for, or the refusal of
 * the snapshot. The parsers of bundles have dropped what a document labels with another `use` (bundle-document.ts), so
 * that a key without one comes from the Workload API, where none is stated.
 */
export function authoritiesOf(bundles: BundleSnapshot): JwtAuthorities {
  return {
    jwtKeys(trustDomain, now) {
      const bundle = bundles.bundleOf(trustDomain, now);
      if (bundle instanceof Refusal) return bundle;
      return remembered(jwtKeySets, bundle, () => bundle.jwtAuthorities.map(({ jwk }) => jwk));
    },
  };
}

/** The keys that sign the Workload Identity Tokens of a trust domain (WIT-SVID, `use: wit-svid`), or why there are none. */
export function witKeysOf(bundles: BundleSnapshot, trustDomain: string, now: number): KeySet | TokenFault {
  const bundle = bundles.bundleOf(trustDomain, now);
  if (bundle instanceof Refusal) return new TokenFault('keys_stale', `${bundle.reason}: ${bundle.detail}`);
  return remembered(witKeySets, bundle, () => bundle.witAuthorities.map(({ jwk: { use: _, ...key } }) => key));
}

function remembered(
  sets: KeySets,
  { trustDomain, revision }: TrustBundle,
  keys: () => Parameters<typeof KeySet.of>[0],
): KeySet {
  const known = sets.get(trustDomain);
  if (known?.revision === revision) return known.set;
  const set = KeySet.of(keys(), 'workload-api');
  sets.set(trustDomain, { revision, set });
  return set;
}
