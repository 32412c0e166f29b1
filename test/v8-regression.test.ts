import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { suite, test } from 'node:test';

const child = join(import.meta.dirname, 'v8-regression.mjs');
const { engines } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
  engines: { node: string };
};
const oldest = Number(/\d+/.exec(engines.node)?.[0]);

function run(node: string, ...flags: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(node, [...flags, child], { encoding: 'utf8', timeout: 120_000 });
}

/** A Node on the PATH that is older than what this package runs on: it has the fault. Null where there is none. */
function olderNode(): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'node');
    try {
      accessSync(path, constants.X_OK);
    } catch {
      continue;
    }
    const version = spawnSync(realpathSync(path), ['--version'], { encoding: 'utf8' }).stdout;
    const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? Number.NaN);
    if (major < oldest) return realpathSync(path);
  }
  return null;
}

const older = olderNode();
const absent = older === null ? `no Node older than ${oldest} is on the PATH, so nobody saw this test fail` : false;

suite('lazy deoptimisation of a caller of Wasm (V8)', () => {
  test('this Node survives it', () => {
    for (let round = 0; round < 3; round++) {
      const { status, signal, stdout, stderr } = run(process.execPath);
      assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
      assert.match(stdout, / right\n$/);
    }
  });

  test('an older Node does not: the program shows the fault', { skip: absent }, () => {
    const { status, signal, stdout } = run(older!);
    assert.notEqual(status, 0);
    assert.ok(signal !== null || status! > 128, `ended with ${status}`);
    assert.equal(stdout, '');
  });

  test('and it is this fault: without inlining of Wasm calls the older Node survives', { skip: absent }, () => {
    const { status, stdout } = run(older!, '--no-turbo-inline-js-wasm-calls');
    assert.equal(status, 0);
    assert.match(stdout, / right\n$/);
  });
});

test('S8: a Node from before the HTTP/2 fixes is turned away before anything is built or run', { skip: absent }, () => {
  // CVE-2023-44487 and CVE-2024-27983 are fixed in every Node 24.
  assert.ok(oldest >= 24);
  const { status, stderr } = spawnSync(older!, [join(import.meta.dirname, 'support', 'node-version.mjs')], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /needs Node 24\.21 or newer/);
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const unguarded = Object.entries(scripts).filter(
    ([, line]) => !line.startsWith('node test/support/node-version.mjs && '),
  );
  assert.deepEqual(
    unguarded.map(([name]) => name),
    // prepack runs the build, which is guarded.
    ['prepack', 'format'],
  );
});
