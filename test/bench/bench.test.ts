import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { finish } from '../support/run.ts';
import { root } from './servers/servers.ts';

const linux = { skip: existsSync('/proc/self/schedstat') ? false : 'CPU time is read from /proc' };
const bench = (...args: readonly string[]) =>
  finish(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], { cwd: root });

test('every shape is measured, in flight together and alone, and each decision is right', linux, async () => {
  const short = ['--quick', '--no-heimdall', '--rounds', '1', '--seconds', '0.1', '--warm-up', '0.7'];
  const { code, stdout, stderr } = await bench(...short);
  assert.equal(code, 0, stdout + stderr);
  const lines = stdout.split('\n');
  for (const shape of ['certificate', 'task', 'new-task', 'dpop', 'denied', 'new-certificate', 'miss']) {
    const line = lines.find((one) => one.startsWith(`bench: ${shape}: `)) ?? '';
    assert.match(line, /: [\d.]+ us, [\d.]+ of floor, - of Heimdall; alone [\d.]+ us, [\d.]+ of floor$/, stdout);
  }
  const recorded = JSON.parse(readFileSync(join(root, 'build', 'bench', 'run.json'), 'utf8')) as {
    hits: { percentInSecondHalf: number };
  };
  assert.ok(recorded.hits.percentInSecondHalf >= 90, 'of the verdicts, at least 90 % are remembered');
  assert.match(
    readFileSync(join(root, 'build', 'bench', 'plot.svg'), 'utf8'),
    /^<svg .*>new-certificate<.*<\/svg>\n$/s,
  );
});

test('a command line that is not understood is answered with the usage', async () => {
  const { code, stderr } = await bench('nothing');
  assert.equal(code, 64);
  assert.match(stderr, /npm run bench -- against COMMIT/);
});
