import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { auditedQuery, holdsDigest, withoutTokens } from './redact.ts';

const b64 = (text: string): string => Buffer.from(text).toString('base64url');
const sha256 = (text: string): string => `sha256:${hash('sha256', text, 'hex')}`;
const PAYLOAD = b64('{"sub":"somebody"}');
const NONE: ReadonlySet<string> = new Set();

describe('a JWT is replaced by its digest, whatever its header looks like', () => {
  for (const [name, header] of [
    ['as most write it', '{"alg":"ES256","typ":"JWT"}'],
    ['with a blank behind the brace', '{ "alg": "ES256" }'],
    ['with a tab behind the brace', '{\t"alg":"ES256"}'],
    ['over several lines', '{\n  "alg": "ES256"\n}'],
    ['with line ends of Windows', '{\r\n"alg":"ES256"}'],
    ['behind blanks', '  {"alg":"ES256"}'],
    ['behind a line end', '\n{"alg":"ES256"}'],
    ['with a name outside ASCII', '{"älg":"ES256"}'],
    ['unsigned', '{"alg":"none"}'],
  ] as const) {
    const jws = `${b64(header)}.${PAYLOAD}.c2ln`;
    const digest = `jwt:${sha256(jws)}`;
    test(name, () => assert.equal(withoutTokens(`before ${jws}"after`), `before ${digest}"after`));
  }
  const header = b64('{"alg":"ES256"}');
  test('without its signature', () =>
    assert.match(withoutTokens(`${header}.${PAYLOAD}.`), /^jwt:sha256:[0-9a-f]{64}$/));
  test('cut off within its claims', () =>
    assert.match(withoutTokens(`${header}.${PAYLOAD.slice(0, 9)}… (900 characters)`), /^jwt:sha256:[0-9a-f]{64}… /));
  test('encrypted, in five parts', () =>
    assert.match(
      withoutTokens(`${b64('{"alg":"dir","enc":"A128GCM"}')}..aXY.Y2lwaGVy.dGFn`),
      /^jwt:sha256:[0-9a-f]{64}$/,
    ));
  test('behind an escape that runs into it', () => {
    const jws = `${header}.${PAYLOAD}.c2ln`;
    assert.equal(withoutTokens(`a=Bearer%20${jws}`), `a=Bearer%20jwt:${sha256(jws)}`);
  });
  test('behind many texts that begin like one', () =>
    assert.ok(!withoutTokens(`${'eyJ'.repeat(50)}${header}.${PAYLOAD}.c2ln`).includes(PAYLOAD)));
});

test('what has dots and is no JWT stays', () => {
  for (const text of ['api.a-long-name-of-a-service.prod.example', '/api/monkeyIslandThings.listAll', 'v1.2.3', 'a…b'])
    assert.equal(withoutTokens(text), text);
});

describe('values of a query', () => {
  for (const [name, query, audited] of [
    ['are digests', 'api_key=k-123', `api_key=${sha256('k-123')}`],
    ['that is listed stay', 'page=2&api_key=k', `page=2&api_key=${sha256('k')}`],
    ['are matched by the name as it is written', 'p%61ge=2', `p%61ge=${sha256('2')}`],
    ['hold what follows the first equals sign', 'a=b=c', `a=${sha256('b=c')}`],
    ['stand without a name', 'k-123', sha256('k-123')],
    ['stand without a name, padded', 'azEyMw==', sha256('azEyMw==')],
    ['are whatever stands between ampersands', 'a=1;api_key=k', `a=${sha256('1;api_key=k')}`],
    ['may be absent', '', ''],
    ['may be nothing but separators', '&&', '&&'],
  ] as const) {
    test(name, () => assert.equal(auditedQuery(query, new Set(['page'])), audited));
  }
  test('without a query there is none', () => assert.equal(auditedQuery(null, NONE), null));
  test('behind the 32nd have one digest together', () => {
    const parameters = Array.from({ length: 40 }, (_, at) => `p${at}=${at}`);
    const parts = auditedQuery(parameters.join('&'), NONE)!.split('&');
    assert.equal(parts.length, 33);
    assert.equal(parts.at(-1), sha256(parameters.slice(32).join('&')));
  });
});

test('no value that is not listed is left, however the query is written', () => {
  const secret = 's3cr3t-valu3';
  const noise = fc.string({ unit: fc.constantFrom('&', '=', ';', '%', 'a', '+'), maxLength: 40 });
  fc.assert(
    fc.property(noise, noise, (before, after) => {
      const audited = auditedQuery(`${before}&name=${secret}${after}`, NONE)!;
      assert.ok(!audited.includes(secret) && holdsDigest(audited));
    }),
  );
});
