import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, TestCa } from './ca.ts';
import { jwk, makeKey } from './tokens.ts';

const mesh = join(import.meta.dirname, '..', 'cases', 'mesh');

/** Every authority of the mesh, and the keys of some workloads. */
export type WorldKeys = ReturnType<typeof makeWorldKeys>;

export function makeWorldKeys() {
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
    /** A key that the billing agent holds, for proofs of possession. */
    agent: makeKey('ES256', 'agent'),
    /** Nobody's key. */
    stranger: makeKey('ES256', 'stranger'),
  };
}

/** Copies the mesh into a folder, with the trust bundles and key sets that its configuration names. */
export function writeMesh(folder: string, keys: WorldKeys): void {
  cpSync(mesh, folder, { recursive: true });
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
