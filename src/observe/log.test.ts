import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLog, type LogFields } from './log.ts';
import type { LogLevel } from './messages/message-row.ts';

function logged(level: LogLevel, use: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  use(createLog({ level, write: (line) => lines.push(line), now: () => Date.UTC(2026, 10, 25) }));
  return lines;
}

const one = (fields: LogFields) => JSON.parse(logged('info', (log) => log.info('said', fields))[0]!);

test('a line is JSON with time, level and message first, then the fields', () => {
  assert.deepEqual(
    logged('info', (log) => log.warn('bundle refused', { trustDomain: 'a.example', line: 3 })),
    [
      '{"time":"2026-11-25T00:00:00.000Z","level":"warn","message":"bundle refused","trustDomain":"a.example","line":3}\n',
    ],
  );
});

test('what lies below the level is not written', () => {
  const all = (log: ReturnType<typeof createLog>) => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
  };
  assert.deepEqual(
    logged('warn', all).map((line) => JSON.parse(line).level),
    ['warn', 'error'],
  );
  assert.equal(logged('debug', all).length, 4);
});

test('no field takes the place of time, level or message', () => {
  const line = one({ time: 'never', level: 'debug', message: 'other' });
  assert.deepEqual(line, { time: '2026-11-25T00:00:00.000Z', level: 'info', message: 'said' });
});

test('an error shows its name, message, stack and cause', () => {
  const { error } = one({ error: new TypeError('outer', { cause: new Error('inner') }) });
  assert.deepEqual([error.name, error.message, error.cause.message], ['TypeError', 'outer', 'inner']);
  assert.match(error.stack, /log\.test\.ts/);
});

test('nothing that is logged throws or makes a second line', () => {
  const circle = { self: null as unknown };
  circle.self = circle;
  assert.deepEqual(one({ circle }).unwritable, ['circle']);
  assert.equal(one({ big: 2n ** 70n }).big, String(2n ** 70n));
  assert.equal(one({ long: 'x'.repeat(10_000) }).long.length, 4097);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.anything({ withBigInt: true, withDate: true }), (message, value) => {
      const lines = logged('info', (log) => log.info(message, { value }));
      assert.equal(lines.length, 1);
      assert.equal(lines[0]!.indexOf('\n'), lines[0]!.length - 1);
      assert.equal(JSON.parse(lines[0]!).level, 'info');
    }),
    { numRuns: 300 },
  );
});
