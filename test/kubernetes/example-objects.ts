import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleDocument, pemBundle, TestCa } from '../support/ca.ts';
import type { Objects } from './pod-files.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

/** The ConfigMaps and Secrets that the scenarios of k8s/examples name, made of cedar/example for the trust domain of the authority. */
export function exampleObjects(ca: TestCa, trustDomain: string): Objects {
  const read = (file: string): string =>
    readFileSync(join(example, file), 'utf8').replaceAll('prod.example', trustDomain);
  const top = ['everyone.cedar', 'payments.cedar', 'platform.cedar'].map((file) => [file, read(`policies/${file}`)]);
  const policies = Object.fromEntries(top) as Record<string, string>;
  const crm = { 'crm.cedar': read('policies/teams/support/crm.cedar'), 'crm.yaml': read('policies/tests/crm.yaml') };
  const tests = Object.fromEntries(
    ['outside.yaml', 'payments.yaml'].map((file) => [file, read(`policies/tests/${file}`)]),
  );
  const inventory = { 'inventory.yaml': read('inventory.yaml') };
  const pem = pemBundle(ca);
  const partner = TestCa.root('partner.example');
  const peer = { id: `spiffe://${trustDomain}/ns/*/sa/envoy`, hosts: ['payments.internal'] };
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { privateKey: signing } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new Map<string, Readonly<Record<string, string>>>([
    ['payments-policies', { ...policies, 'crm.cedar': crm['crm.cedar'] }],
    ['platform-policies', policies],
    ['policies', { ...policies, ...crm, ...tests }],
    ['payments', { ...policies, ...inventory, 'prod.example.pem': pem }],
    ['support-policies', crm],
    ['inventory', inventory],
    ['payments-inventory', inventory],
    ['trust-bundle', { 'prod.example.pem': pem }],
    ['prod-example-bundle', { 'ca-bundle.pem': pem }],
    ['spire-bundle', { 'bundle.crt': pem }],
    ['istio-ca-root-cert', { 'root-cert.pem': pem }],
    ['partner-bundle', { 'partner.example.json': JSON.stringify(bundleDocument([partner])) }],
    ['authz-tls', checkPortCertificate(ca, trustDomain)],
    ['authz-peers', { 'peers.yaml': JSON.stringify({ peers: [peer] }) }],
    ['web-authorities', { 'ca.pem': pem }],
    ['control-policies', { 'incidents.cedar': read('policies/control/incidents.cedar') }],
    ['control-key', { 'control.key': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }],
    ['token-keys', { 'tts.pem': signing.export({ type: 'pkcs8', format: 'pem' }).toString() }],
    ['control-keys', { 'control.pub': publicKey.export({ type: 'spki', format: 'pem' }).toString() }],
    ['console-certificate', checkPortCertificate(ca, trustDomain)],
    ['console-client', { secret: 'x'.repeat(40) }],
    ['login-authorities', { 'ca.pem': pem }],
    ['authz-notices', { 'on-call': `whsec_${Buffer.alloc(32, 7).toString('base64')}` }],
    ['authz-state', { password: 'secret', 'ca.pem': pem, nonces: Buffer.alloc(32, 7).toString('base64') }],
  ]);
}

/** What cert-manager and its CSI driver give the check port of central mode. */
export function checkPortCertificate(ca: TestCa, trustDomain: string): Readonly<Record<string, string>> {
  const svid = ca.svid(`spiffe://${trustDomain}/ns/platform/sa/authz`);
  return { 'tls.crt': svid.pem, 'tls.key': svid.pkcs8Pem, 'ca.crt': pemBundle(ca) };
}
