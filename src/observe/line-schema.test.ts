import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertAuditLines } from '../../test/support/audit-line-check.ts';
import { auditEvents, auditLineSchema } from '../../test/support/audit-line-schema.ts';
import { auditRecord } from '../../test/support/audit-observe.ts';
import { changeEvents, controlEvents } from './change.ts';
import { placed } from './line.ts';
import { auditBody } from './record.ts';

const file = join(import.meta.dirname, '..', '..', 'docs', 'audit-line.schema.json');

test('docs/audit-line.schema.json is what lines are (UPDATE=1 writes it anew)', () => {
  const text = `${JSON.stringify(auditLineSchema(), null, 2)}\n`;
  if (process.env.UPDATE === '1') writeFileSync(file, text);
  assert.equal(readFileSync(file, 'utf8'), text);
});

test('the schema has every event that the code writes', () => {
  const written = ['boot', 'lost', 'withdrawn', 'undelivered', ...changeEvents, ...controlEvents];
  assert.deepEqual(auditEvents.toSorted(), written.toSorted());
});

const lineOf = (record: ReturnType<typeof auditRecord>): Record<string, unknown> => {
  const { time, json } = auditBody(record);
  return JSON.parse(placed(time, { boot: 'a'.repeat(32), seq: 1, prev: null }, json));
};

test('a line fits the schema, and with any one member changed it does not', () => {
  const fingerprint = `sha256:${'a'.repeat(64)}`;
  const { caller, policy } = auditRecord();
  const good = lineOf(
    auditRecord({ caller: { ...caller!, fingerprint }, policy: { ...policy!, revision: fingerprint } }),
  );
  assertAuditLines([good]);
  for (const key of Object.keys(good)) {
    const { [key]: _, ...without } = good;
    assert.throws(() => assertAuditLines([without]), key);
    assert.throws(() => assertAuditLines([{ ...good, [key]: { no: 'such thing' } }]), key);
  }
  assert.throws(() => assertAuditLines([{ ...good, more: 1 }]));
  assert.throws(() => assertAuditLines([{ ...good, event: 'of no kind' }]));
});

test('a line that was clipped says so, and is one of the schema too', () => {
  const record = auditRecord();
  const long = lineOf({ ...record, hops: Array.from({ length: 500 }, () => record.hops[0]!) });
  assert.deepEqual([...assertAuditLines([long])], ['clipped']);
});
