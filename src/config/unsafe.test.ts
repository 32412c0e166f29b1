import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configReference } from '../../test/support/config-reference.ts';
import { isConfig, loadConfig } from './load.ts';
import { unsafeInForce, unsafeSettings } from './unsafe.ts';

const SAFE = 'identity: { trustDomains: { a.example: { local: true, bundle: { file: b.pem } } } }\n';

/** Each unsafe choice, made in an otherwise safe configuration. */
const CHOICES: Readonly<Record<(typeof unsafeSettings)[number], string>> = {
  'listen.unsafePlaintext': `${SAFE}listen: { check: "0.0.0.0:9191", unsafePlaintext: true }`,
  'identity.unsafeTrustEnvoyValidation': SAFE.replace(
    '{ trustDomains',
    '{ unsafeTrustEnvoyValidation: true, trustDomains',
  ),
  'task.issuers[].unsafeBearer': `${SAFE}task: { issuers: [{ kind: jwt-svid, trustDomains: [a.example], purposes: [p], idClaim: /i, purposeClaim: /p, unsafeBearer: true }] }`,
  'state.unsafePlaintext': `${SAFE}state: { store: redis, url: "redis://10.0.0.1", unsafePlaintext: true }`,
  'state.unsafeMaxStale': `${SAFE}state: { store: redis, url: "redis://127.0.0.1", unsafeMaxStale: 5m }`,
  'policy.unsafeIgnoreWarnings': `${SAFE}policy: { unsafeIgnoreWarnings: true }`,
  'policy.unsafeObserveOnly': `${SAFE}policy: { unsafeObserveOnly: true }`,
  'tracing.otlp.unsafePlaintext': `${SAFE}tracing: { otlp: { url: "http://collector:4318/v1/traces", unsafePlaintext: true } }`,
  'audit.onFailure': `${SAFE}audit: { onFailure: unsafeAllow }`,
};

const inForce = (text: string): readonly string[] => {
  const config = loadConfig(text, '/c/config.yaml', {});
  assert.ok(isConfig(config), JSON.stringify(config));
  return unsafeInForce(config).map(({ setting }) => setting);
};

test('each unsafe choice is found where it is made, and no other; a safe configuration has none', () => {
  assert.deepEqual(inForce(SAFE), []);
  for (const setting of unsafeSettings) assert.deepEqual(inForce(CHOICES[setting]), [setting]);
});

test('every key and every value of the configuration that is called unsafe is on the list', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => /^\| `/.test(line));
  const keys = rows.flatMap((row) => {
    const key = /^\| `([^`]+)`/.exec(row)?.[1] ?? '';
    const type = row.split(/(?<!\\)\|/)[2] ?? '';
    return /unsafe[A-Z]/.test(key) || /unsafe[A-Z]/.test(type) ? [key] : [];
  });
  assert.deepEqual(keys.toSorted(), [...unsafeSettings].toSorted());
});
