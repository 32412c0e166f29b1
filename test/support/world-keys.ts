import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, TestCa } from './ca.ts';
import { jwk, makeKey, type SigningKey } from './tokens.ts';

/** Every authority of the mesh, and the keys of some workloads. */
export interface WorldKeys {
  readonly ca: TestCa;
  readonly partnerCa: TestCa;
  readonly emptiedCa: TestCa;
  readonly silentCa: TestCa;
  readonly fadingCa: TestCa;
  /** Signs JWT-SVIDs of prod.example. */
  readonly domain: SigningKey;
  /** Signs Workload Identity Tokens of prod.example. */
  readonly wit: SigningKey;
  /** The Transaction Token Service. */
  readonly tts: SigningKey;
  /** The authorization server. */
  readonly as: SigningKey;
  readonly ci: SigningKey;
  /** A key that the billing agent holds, for proofs of possession. */
  readonly agent: SigningKey;
  /** Nobody's key. */
  readonly stranger: SigningKey;
}

export function makeWorldKeys(): WorldKeys {
  return {
    ca: TestCa.root('prod.example'),
    partnerCa: TestCa.root('partner.example'),
    emptiedCa: TestCa.root('emptied.example'),
    silentCa: TestCa.root('silent.example'),
    fadingCa: TestCa.root('fading.example'),
    domain: makeKey('ES256', 'domain-1'),
    wit: makeKey('ES256', 'wit-1'),
    tts: makeKey('ES256', 'tts-1'),
    as: makeKey('ES256', 'as-1'),
    ci: makeKey('ES256', 'ci-1'),
    agent: makeKey('ES256', 'agent'),
    stranger: makeKey('ES256', 'stranger'),
  };
}

/** Writes the trust bundles and key sets that the configuration of the mesh names. */
export function writeTrust(folder: string, keys: WorldKeys): void {
  const put = (name: string, document: object) => writeFileSync(join(folder, name), JSON.stringify(document));

  const bundle = bundleDocument([keys.ca]);
  const jwtKey = jwk(keys.domain, { use: 'jwt-svid' });
  put('prod.example.json', { keys: [...bundle.keys, jwtKey, jwk(keys.wit, { use: 'wit-svid' })] });
  put('partner.example.json', bundleDocument([keys.partnerCa]));
  put('emptied.example.json', { keys: [] });
  put('fading.example.json', bundleDocument([keys.fadingCa]));
  put('tts.jwks.json', { keys: [jwk(keys.tts)] });
  put('as.jwks.json', { keys: [jwk(keys.as)] });
  put('ci.jwks.json', { keys: [jwk(keys.ci)] });
}
