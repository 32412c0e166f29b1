import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Answer, ask } from '../support/client.ts';
import { Estate, exampleIdentity, PAYMENTS } from '../support/estate.ts';
import { HttpsKeys } from '../support/https-keys.ts';
import { jwk, makeKey, oidcToken } from '../support/tokens.ts';

/** An issuer whose metadata and keys are behind a private CA: found by URL, and by discovery. */

const AUDIENCE = 'spiffe://prod.example/ns/payments/sa/api';
const SUBJECT = 'repo:shop/deploy:ref:main';

describe('keys behind a private CA', () => {
  const key = makeKey();
  let keys: HttpsKeys;
  const estates: Estate[] = [];

  before(async () => {
    keys = await HttpsKeys.start((request, response) => {
      if (request.url === '/.well-known/openid-configuration')
        response.end(JSON.stringify({ issuer: keys.url, jwks_uri: `${keys.url}/jwks` }));
      else response.end(JSON.stringify({ keys: [jwk(key, { use: 'sig' })] }));
    });
  });
  after(async () => {
    for (const estate of estates) await estate.stop();
    await keys.stop();
  });

  for (const [way, origin] of [
    ['jwks.url', () => ({ jwks: { url: `${keys.url}/jwks` } })],
    ['discovery', () => ({ discovery: true })],
  ] as const) {
    test(`a token whose keys come by ${way} is allowed, and one of another key is refused`, async () => {
      const estate = await Estate.start({
        envoy: 'test-permissive',
        prepare: (dir) => {
          writeFileSync(join(dir, 'keys-ca.pem'), keys.ca.certificate.pem);
          const oidc = [{ issuer: keys.url, ca: './keys-ca.pem', ...origin() }];
          nameCredential(dir, keys.url);
          return { identity: { ...exampleIdentity({ mode: 'sanitize-set' }), oidc } };
        },
      });
      estates.push(estate);
      const send = (token: string): Promise<Answer> =>
        ask({
          port: estate.envoy.port,
          svid: null,
          host: PAYMENTS,
          method: 'POST',
          path: '/api/releases',
          headers: { authorization: `Bearer ${token}` },
        });
      const frame = { key, now: Date.now(), iss: keys.url, sub: SUBJECT, aud: AUDIENCE };
      const answer = await send(oidcToken(frame));
      assert.equal(answer.status, 200, answer.body);
      assert.equal((await send(oidcToken(frame, { signWith: makeKey() }))).reason, 'identity_token_signature');
    });
  }
});

/** The deployment job of the example proves itself by this issuer. */
function nameCredential(dir: string, issuer: string): void {
  const file = join(dir, 'inventory.yaml');
  const text = readFileSync(file, 'utf8');
  assert.ok(text.includes('issuer: https://ci.example'));
  writeFileSync(file, text.replace('issuer: https://ci.example', `issuer: '${issuer}'`));
}
