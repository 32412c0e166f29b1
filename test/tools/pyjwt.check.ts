import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { claimsOf } from '../../src/control/token-service/claims.ts';
import { readSigningKeys } from '../../src/token/signing-keys.ts';
import { cached } from '../support/cache.ts';
import { playExchanges } from '../support/exchanges.ts';
import { run } from '../support/run.ts';
import { makeKey, makeRsaKey } from '../support/tokens.ts';

const PYJWT = '2.15.1';
const CRYPTOGRAPHY = '50.0.2';

/** PyJWT, a reader of JWTs that has nothing in common with ours. */
const installed = (): Promise<string> =>
  cached('pyjwt', `${PYJWT}-${CRYPTOGRAPHY}`, async (into) => {
    const packages = [`PyJWT==${PYJWT}`, `cryptography==${CRYPTOGRAPHY}`];
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', into, ...packages]);
  });

/** Reads `{jwks, tokens}`, and prints the claims of each token or why it was refused. */
const READ = `
import json, sys, jwt
given = json.load(sys.stdin)
keys = {k["kid"]: jwt.PyJWK(k) for k in given["jwks"]["keys"]}
out = []
for token in given["tokens"]:
    try:
        header = jwt.get_unverified_header(token)
        key = keys[header["kid"]]
        out.append({"typ": header["typ"], "claims": jwt.decode(token, key, algorithms=[key.algorithm_name], audience="prod.example",
            issuer="urn:example:token-service", options={"require": ["exp", "iat", "aud", "sub", "iss"], "strict_aud": True})})
    except jwt.InvalidTokenError as error:
        out.append({"error": type(error).__name__})
json.dump(out, sys.stdout)
`;

test('PyJWT takes every token that a sequence of exchanges grants, by each kind of key, and none that was changed', async () => {
  const folder = await installed();
  const now = Math.floor(Date.now() / 1000);
  for (const key of [makeKey('ES256'), makeKey('ES384'), makeKey('ES512'), makeRsaKey(2048)]) {
    const keys = readSigningKeys(key.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
    if (keys instanceof Fault) assert.fail(keys.detail);
    const claims: object[] = [];
    for (let seed = 0; seed < 10; seed++)
      playExchanges(seed, (grant, at) => {
        const shift = now - at;
        const here = { ...grant, endsAt: grant.endsAt + shift, expiresAt: grant.expiresAt + shift };
        const issue = { issuer: 'urn:example:token-service', audience: 'prod.example', jti: `${claims.length}`, now };
        // Some live a second: they are given a minute.
        claims.push(claimsOf({ ...here, expiresAt: Math.max(here.expiresAt, now + 60) }, issue));
      });
    const tokens = await Promise.all(claims.map((each) => keys.sign('txntoken+jwt', each)));
    const [header, , signature] = tokens[0]!.split('.');
    const changed = `${header}.${tokens[1]!.split('.')[1]}.${signature}`;
    const input = JSON.stringify({ jwks: keys.jwks, tokens: [...tokens, changed] });
    const read = JSON.parse(
      await run('python3', ['-c', READ], { input, env: { ...process.env, PYTHONPATH: folder } }),
    ) as unknown[];
    assert.ok(tokens.length > 20);
    const good = claims.map((each) => ({ typ: 'txntoken+jwt', claims: each }));
    assert.deepEqual(read, [...good, { error: 'InvalidSignatureError' }]);
  }
});
