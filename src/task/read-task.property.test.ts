import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AGENT,
  agentAccess,
  agentTxn,
  keys,
  NOW,
  ORCHESTRATOR,
  readWhy,
  TARGET_URI,
} from '../../test/support/task-world.ts';
import { dpopProof, mint, thumbprint, wit, wpt } from '../../test/support/tokens.ts';
import { Refusal } from '../base/outcome.ts';
import { normalTargetUri } from '../http/target-uri.ts';

/** JSON that a token may hold anywhere, with a bias to what means something. */
const json = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      AGENT,
      ORCHESTRATOR,
      'reconcile-invoices',
      'prod.example',
      '',
      NOW / 1000,
      -1,
      null,
      true,
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);
const actor = fc.letrec<{ act: unknown }>((tie) => ({
  act: fc.record({ sub: json, iss: json, act: tie('act') }, { requiredKeys: [] }),
})).act;
const claims = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), fc.oneof(json, actor), { maxKeys: 3 });

test('whatever a Transaction Token says, it is judged and nothing is thrown', () =>
  fc.assert(
    fc.asyncProperty(
      claims(['iss', 'aud', 'exp', 'iat', 'txn', 'sub', 'scope', 'req_wl', 'client_id', 'act', 'cnf', 'tctx']),
      async (mutation) => {
        const outcome = await readWhy({ headers: { 'txn-token': agentTxn({ claims: mutation }) } });
        if (outcome instanceof Refusal) return;
        assert.equal(outcome.chain.at(-1)?.id.text, AGENT);
        assert.ok(outcome.task !== null && outcome.task.assurance <= 2);
      },
    ),
    { numRuns: 300 },
  ));

test('whatever a proof says, it is judged and nothing is thrown', () =>
  fc.assert(
    fc.asyncProperty(
      claims(['jti', 'htm', 'htu', 'iat', 'ath', 'nonce', 'exp', 'nbf', 'aud', 'wth', 'tth', 'oth']),
      async (mutation) => {
        const token = agentAccess({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
        const frame = { key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI, accessToken: token };
        const identity = wit({ key: keys.wit, now: NOW, sub: AGENT, holder: keys.agent });
        const headers = {
          authorization: `DPoP ${token}`,
          dpop: dpopProof(frame, { claims: mutation }),
          'workload-identity-token': identity,
          'workload-proof-token': wpt({ ...frame, wit: identity }, { claims: mutation }),
        };
        const outcome = await readWhy({ headers });
        assert.ok(outcome instanceof Refusal || outcome.redemptions.length === 2);
      },
    ),
    { numRuns: 200 },
  ));

test('whatever text stands in the headers, it is judged and nothing is thrown', () => {
  const some = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .jsonValue({ maxDepth: 2 })
      .map((header) => mint(keys.agent, { typ: 'dpop+jwt' }, {}, { headerText: JSON.stringify(header) })),
  );
  const names = ['txn-token', 'authorization', 'dpop', 'workload-identity-token', 'workload-proof-token', 'x-task-id'];
  return fc.assert(
    fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), some, { minKeys: 1, maxKeys: 3 }), async (headers) => {
      const outcome = await readWhy({ headers });
      assert.ok(outcome instanceof Refusal || outcome.task === null);
    }),
    { numRuns: 300 },
  );
});

test('the normal form of a URI is its own normal form', () => {
  const part = fc.string({
    unit: fc.constantFrom('a', 'Z', '%41', '%2f', '.', '/', ':', '@', '?', '#', '~', '%', ' '),
  });
  fc.assert(
    fc.property(fc.constantFrom('https://h', 'HTTP://H:80', 'https://h:8443', 'https://'), part, (start, rest) => {
      const normal = normalTargetUri(start + rest);
      assert.ok(normal === null || normalTargetUri(normal) === normal);
    }),
    { numRuns: 500 },
  );
});
