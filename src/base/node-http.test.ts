import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

/** What a process has loaded of Node once it has imported a file of src. */
function loadedBy(file: string): readonly string[] {
  const url = JSON.stringify(join(import.meta.dirname, '..', file));
  const script = `await import(${url}); console.log(JSON.stringify(process.moduleLoadList))`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

test('nothing of the program loads undici when it starts', () => {
  const loaded = loadedBy('app/app.ts');
  assert.ok(loaded.includes('NativeModule http'));
  assert.ok(!loaded.some((name) => name.includes('undici')), 'import node:http as src/base/node-http.ts does');
});
