import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwk, life, makeKey, mint, type SigningKey } from '../../../test/support/tokens.ts';
import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { JwksSource } from '../../token/jwks-source.ts';
import { TokenVerifier } from '../../token/verifier.ts';
import { readLogoutToken } from './logout-token.ts';

const issuer = 'https://idp.example';
const claims = () => ({
  ...{ iss: issuer, aud: 'console', sub: 'anna', jti: 'j', ...life() },
  events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
});

test('a logout that is signed with the key of tomorrow ends sessions, and one of a stranger none', async (t) => {
  const [old, next, stranger] = [makeKey('ES256', 'old'), makeKey('ES256', 'next'), makeKey('ES256', 'stranger')];
  let served: readonly SigningKey[] | null = null;
  let reads = 0;
  const keys = await JwksSource.open({
    ...{ issuer, origin: { from: 'discovery', ca: null }, maxStaleMs: 86_400_000, clock: systemClock },
    cooldownMs: 0,
    onEvent: () => {},
    readDocument: async () => {
      reads++;
      if (served === null) return new Fault('the provider is down');
      return Buffer.from(JSON.stringify({ keys: served.map((key) => jwk(key)) }));
    },
  });
  t.after(() => keys.close());
  const tokens = new TokenVerifier({ byteLimit: 65_536 });
  const read = (key: SigningKey) =>
    readLogoutToken(
      mint(key, { typ: 'logout+jwt' }, claims()),
      { issuer, clientId: 'console', keys, tokens },
      Date.now(),
    );
  assert.ok((await read(old)) instanceof Fault, 'no key was ever read');
  served = [old];
  assert.deepEqual((await read(old)) instanceof Fault, false, 'the first one after the provider is back');
  served = [old, next];
  assert.deepEqual((await read(next)) instanceof Fault, false, 'the first one with a new key');
  const before = reads;
  assert.ok((await read(stranger)) instanceof Fault);
  assert.equal(reads, before + 1);
});
