import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { denial } from '../../../test/support/activity.ts';
import { decodeSummary, ENTRY_BYTES, encodeSummary, WORKLOAD_BYTES, workloadText } from './entry.ts';
import type { DecisionSummary } from './model.ts';

const b64 = (text: string): string => Buffer.from(text).toString('base64url');
const jws = `${b64('{"alg":"ES256"}')}.${b64('{"sub":"somebody"}')}.c2lnbmF0dXJl`;
const digest = `jwt:sha256:${hash('sha256', jws, 'hex')}`;

test('what is kept is read as it was written', () => {
  for (const summary of [
    denial(),
    denial({
      omitted: 7,
      caller: null,
      owner: null,
      task: null,
      resource: null,
      host: null,
      credential: null,
      action: null,
    }),
    denial({ result: 'allow', reason: 'observed', resource: { id: 'r', api: null } }),
  ])
    assert.deepEqual(decodeSummary(encodeSummary(summary)), summary);
});

test('a token in any text is kept as its digest, also where it is long', () => {
  const resource = { id: `payments.internal/api/${jws}`, api: jws };
  const task = { issuer: jws, id: jws, purpose: jws };
  const kept = decodeSummary(encodeSummary(denial({ resource, task, host: jws, action: jws, owner: jws })));
  assert.deepEqual(kept?.resource, { id: `payments.internal/api/${digest}`, api: digest });
  assert.deepEqual(kept?.task, { issuer: digest, id: digest, purpose: digest });
  assert.deepEqual([kept?.host, kept?.action, kept?.owner], [digest, digest, digest]);
  const many = '"'.repeat(5000);
  const quoted = { owner: many, action: many, credential: many, sidecar: many };
  const long = `${b64('{"alg":"ES256"}')}.${b64('s'.repeat(9000))}.c2ln`;
  for (const before of ['', 'x'.repeat(200), 'x'.repeat(3000), 'x'.repeat(4090)]) {
    const text = encodeSummary(denial({ host: `${before} ${long}`, ...quoted }));
    assert.ok(!text.includes(b64('ssssss').slice(0, 6)), text);
  }
});

test('texts are cut where they are too long, by bytes, and a SPIFFE ID later than the others', () => {
  const host = (text: string) => decodeSummary(encodeSummary(denial({ host: text })))?.host;
  assert.equal(host('h'.repeat(256)), 'h'.repeat(256));
  assert.equal(host('h'.repeat(257)), `${'h'.repeat(253)}…`);
  assert.equal(host('é'.repeat(128)), 'é'.repeat(128));
  assert.equal(host('é'.repeat(129)), `${'é'.repeat(84)}…`);
  assert.equal(host('😀'.repeat(100)), `${'😀'.repeat(42)}…`);
  assert.equal(host(`a${'😀'.repeat(100)}`), `a${'😀'.repeat(41)}\ufffd…`);
  const id = (length: number) => `spiffe://prod.example/${'w'.repeat(length - 22)}`;
  assert.equal(workloadText(id(WORKLOAD_BYTES)), id(WORKLOAD_BYTES));
  assert.equal(workloadText(id(2000)), `${id(WORKLOAD_BYTES - 3)}…`);
  assert.equal(workloadText(workloadText(id(2000))), workloadText(id(2000)));
  assert.equal(decodeSummary(encodeSummary(denial({ caller: id(2000) })))?.caller, workloadText(id(2000)));
});

test('texts that are too long together are cut to 64 plain characters, but for the caller', () => {
  const [text, short] = ['\u0000'.repeat(300), `${'?'.repeat(61)}…`];
  const caller = `spiffe://prod.example/${'w'.repeat(480)}`;
  const task = { issuer: text, id: text, purpose: text };
  const more = { caller, owner: text, action: text, host: text, credential: text, sidecar: text, task };
  const kept = decodeSummary(encodeSummary(denial({ ...more, resource: { id: text, api: text } })));
  const cut = { caller, owner: short, action: short, host: short, credential: short, sidecar: short };
  const rest = { task: { issuer: short, id: short, purpose: short }, resource: { id: short, api: short } };
  assert.deepEqual(kept, denial({ ...cut, ...rest }));
});

test('whatever stands in a summary, what is kept of it is bounded and can be read', () => {
  const character = fc.constantFrom('a', '"', '\\', '\n', '\u0000', 'é', '€', '😀', '\ud800', '.', 'eyJ', '%', ' ');
  const text = fc.oneof(
    fc.string({ unit: character, maxLength: 3000 }),
    character.map((one) => one.repeat(9000)),
  );
  const maybe = fc.option(text);
  const summaries: fc.Arbitrary<DecisionSummary> = fc
    .record({
      caller: fc.option(fc.string({ unit: fc.constantFrom(...'/-._aZ09'), maxLength: 3000 })),
      owner: maybe,
      action: maybe,
      host: maybe,
      credential: maybe,
      sidecar: text,
      task: fc.option(fc.record({ issuer: text, id: text, purpose: text })),
      resource: fc.option(fc.record({ id: text, api: maybe })),
    })
    .map((more) => denial(more));
  fc.assert(
    fc.property(summaries, (summary) => {
      const kept = encodeSummary(summary);
      assert.ok(Buffer.byteLength(kept) <= ENTRY_BYTES, String(Buffer.byteLength(kept)));
      const read = decodeSummary(kept);
      assert.ok(read !== null);
      assert.equal(read.caller, summary.caller && workloadText(summary.caller));
    }),
    { numRuns: 300 },
  );
});

test('what is something else is not read', () => {
  const good = denial();
  for (const text of ['', 'x', 'null', '1', '[]', '"x"', '{}']) assert.equal(decodeSummary(text), null, text);
  for (const wrong of [
    { decision: 1 },
    { reason: null },
    { sidecar: {} },
    { timeMs: '1' },
    { timeMs: -1 },
    { timeMs: 8.65e15 },
    { timeMs: 1.5 },
    { omitted: null },
    { result: 'maybe' },
  ])
    assert.equal(decodeSummary(JSON.stringify({ ...good, ...wrong })), null, JSON.stringify(wrong));
  assert.equal(decodeSummary(`${JSON.stringify(good)}${' '.repeat(ENTRY_BYTES)}`), null);
  const odd = { ...good, caller: 1, task: { issuer: 'i' }, resource: [], host: {}, more: 'x' };
  const { caller, task, resource, host, ...same } = good;
  assert.deepEqual(decodeSummary(JSON.stringify(odd)), {
    ...same,
    caller: null,
    task: null,
    resource: null,
    host: null,
  });
});
