import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { noRedis } from '../support/redis.ts';
import { finish } from '../support/run.ts';

const demo = join(import.meta.dirname, '..', 'demo', 'main.ts');

test('npm run demo -- --fleet: every answer of two sidecars with one Redis is right, and every reuse at the other one', {
  skip: noRedis,
}, async () => {
  const { code, stdout, stderr } = await finish(process.execPath, [demo, '--fleet']);
  assert.equal(code, 0, stdout + stderr);
  const [, right, all] = /^demo of a fleet: (\d+) of (\d+) right$/m.exec(stdout) ?? [];
  assert.equal(right, all);
  const [, cells, allCells] = /^reuse: (\d+) of (\d+) cells right$/m.exec(stdout) ?? [];
  assert.ok(Number(cells) > 0 && cells === allCells, stdout);
  assert.doesNotMatch(stdout, /✗/);
});
