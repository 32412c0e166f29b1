import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import { JwksServer } from '../support/jwks-server.ts';
import { jwk, type Mutation, makeKey, makeRsaKey, type SigningKey } from '../support/tokens.ts';
import { World } from '../support/world.ts';
import {
  type AskOf,
  AUDIENCE,
  agentByAccess,
  agentByDpop,
  agentByTxn,
  deployByToken,
  ledgerReads,
  readerByToken,
} from '../support/world-asks.ts';
import type { WorldKeys } from '../support/world-keys.ts';

/** Faults in the handling of tokens, for every kind of token that the sidecar reads. */

interface Kind {
  readonly ask: (mutation?: Mutation) => AskOf;
  readonly key: (keys: WorldKeys) => SigningKey;
  readonly audience: string;
  /** What its reasons begin with. */
  readonly prefix: string;
}

const kinds: Readonly<Record<string, Kind>> = {
  'JWT-SVID': { ask: readerByToken, key: (keys) => keys.domain, audience: AUDIENCE, prefix: 'identity_token' },
  'OIDC token': { ask: deployByToken, key: (keys) => keys.ci, audience: 'prod.example', prefix: 'identity_token' },
  'Transaction Token': { ask: agentByTxn, key: (keys) => keys.tts, audience: 'prod.example', prefix: 'task_txn' },
  'access token': { ask: agentByAccess, key: (keys) => keys.as, audience: AUDIENCE, prefix: 'task_token' },
};

let world: World;
let listener: JwksServer;

before(async () => {
  world = await World.start();
  listener = await JwksServer.start();
});
after(async () => {
  await world?.stop();
  await listener?.stop();
});
afterEach(async () => {
  assert.equal(await reason(ledgerReads()), 'permitted', 'the next request on the same connection');
});

const reason = async (ask: AskOf, of: World = world): Promise<string> => (await of.send(ask(of))).reason;

for (const [name, { ask, key, audience, prefix }] of Object.entries(kinds)) {
  suite(name, () => {
    test('B29: what says when it ends and for whom it is has to be there', async () => {
      assert.equal(await reason(ask({ claims: { aud: ['other', audience] } })), 'permitted');
      assert.equal(await reason(ask({ claims: { exp: undefined } })), `${prefix}_expired`);
      for (const aud of [undefined, ['other'], '', [], ['']]) {
        assert.equal(await reason(ask({ claims: { aud } })), `${prefix}_audience`, JSON.stringify(aud));
      }
    });

    test('B31: neither algorithm nor key are taken from the token, and no address in it is asked', async () => {
      const publicKey = key(world.keys).publicJwk;
      const own = makeKey();
      const malformed: readonly Mutation[] = [
        { header: { crit: ['x-bind'], 'x-bind': 1 } },
        { header: { crit: ['b64'], b64: false } },
        { header: { jwk: own.publicJwk }, signWith: own },
        { header: { jku: `${listener.url}/jku` }, signWith: own },
        { header: { x5u: `${listener.url}/x5u` }, signWith: own },
      ];
      for (const mutation of malformed) assert.match(await reason(ask(mutation)), /_malformed$/);
      const hmac = (signed: string) => createHmac('sha256', JSON.stringify(publicKey)).update(signed).digest();
      assert.equal(await reason(ask({ header: { alg: 'HS256' }, signature: hmac })), `${prefix}_algorithm`);
      const none = { header: { alg: 'none' }, signature: () => Buffer.alloc(0) };
      assert.equal(await reason(ask(none)), `${prefix}_algorithm`);
      assert.equal(await reason(ask({ header: { kid: '../../dev/null' } })), `${prefix}_key_unknown`);
      assert.deepEqual(listener.requests, []);
    });
  });
}

test('B32: several keys and no usable kid are a matter of rules, never an error', async () => {
  const own = await World.start({
    prepare: (folder, keys) => {
      const put = (name: string, ...all: readonly object[]) =>
        writeFileSync(join(folder, `${name}.jwks.json`), JSON.stringify({ keys: all }));
      put('ci', jwk(keys.stranger), jwk(keys.ci));
      put('as', jwk(makeRsaKey(2048), { kid: keys.as.kid }), jwk(keys.as));
      put('tts', jwk(keys.tts, { kid: undefined }));
    },
  });
  try {
    assert.equal(await reason(deployByToken({ header: { kid: undefined } }), own), 'permitted');
    assert.equal(await reason(agentByAccess(), own), 'permitted', 'one kid for two kinds of key');
    assert.equal(await reason(agentByTxn({ header: { kid: undefined } }), own), 'permitted');
    assert.equal(await reason(agentByTxn(), own), 'task_txn_key_unknown', 'a kid that no key carries');
  } finally {
    await own.stop();
  }
});

test('B33: a flood of unknown keys fetches the keys once more, and stops nobody', async () => {
  listener.serve('/jwks', { keys: [jwk(world.keys.ci)] });
  const own = await World.start({
    edit: ({ identity }) => {
      identity.oidc = [
        { issuer: 'https://ci.example', audience: 'prod.example', jwks: { url: `${listener.url}/jwks` } },
      ];
    },
  });
  try {
    const flood = Array.from({ length: 200 }, (_, index) => deployByToken({ header: { kid: `random-${index}` } }));
    const answers = await Promise.all(flood.map((ask) => reason(ask, own)));
    assert.deepEqual([...new Set(answers)], ['identity_token_key_unknown']);
    assert.equal(await reason(deployByToken(), own), 'permitted');
    assert.ok(listener.count('/jwks') <= 2, `${listener.count('/jwks')} fetches`);
  } finally {
    await own.stop();
  }
});

test('B35: a token that is bound to a key or a certificate is no bearer token', async () => {
  assert.equal(await reason(agentByDpop()), 'permitted');
  const { headers = {} } = agentByDpop()(world);
  const token = String(headers.authorization).slice('DPoP '.length);
  const plain: AskOf = (of) => ({ ...agentByAccess()(of), headers: { authorization: `Bearer ${token}` } });
  assert.equal(await reason(plain), 'task_token_binding', 'as a bearer token, without a proof');
  const { stranger } = world.keys;
  const forged = { header: { jwk: stranger.publicJwk }, signWith: stranger };
  assert.equal(await reason(agentByDpop(forged)), 'task_proof_key', 'with a proof by another key');

  for (const { ask, prefix } of Object.values(kinds)) {
    const wanted = prefix === 'identity_token' ? `${prefix}_bound` : `${prefix}_binding`;
    for (const cnf of [{ 'x5t#S256': 'A'.repeat(43) }, { jkt: 'A'.repeat(43) }, { 'x-new': 'a' }, {}, 'a']) {
      assert.equal(await reason(ask({ claims: { cnf } })), wanted, JSON.stringify(cnf));
    }
  }
});

test('B35: bound to the certificate that the connection shows, a token is good', async () => {
  for (const ask of [agentByTxn, agentByAccess]) {
    const bound: AskOf = (of) => {
      const svid = of.svid('/ns/agents/sa/billing-agent');
      return { ...ask({ claims: { cnf: { 'x5t#S256': svid.thumbprint } } })(of), svid };
    };
    assert.equal(await reason(bound), 'permitted');
  }
});
