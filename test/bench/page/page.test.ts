import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../servers/servers.ts';
import { page } from './page.ts';
import { plot } from './plot.ts';
import { readLastRun } from './record.ts';

const committed = (file: string): string => readFileSync(join(root, 'docs', file), 'utf8');

test('docs/performance.md and its plot are those of the run that is committed', () => {
  const run = readLastRun();
  assert.equal(committed('performance.md'), page(run));
  assert.equal(committed('performance.svg'), plot(run.checks));
});

test('each command on the page is one that the bench and the soaks know', () => {
  const { stderr: usage } = spawnSync(process.execPath, [join(root, 'test', 'bench', 'run.ts'), 'nothing']);
  const commands = [...committed('performance.md').matchAll(/`npm run (bench|soak)(?: -- ([^`]+))?`/g)];
  assert.ok(commands.length > 5);
  for (const [command, script, words = ''] of commands) {
    const known = script === 'bench' ? String(usage) : readFileSync(join(root, 'test', 'soak', 'steady.ts'), 'utf8');
    for (const word of words.split(' ').filter((one) => one !== 'steady')) assert.ok(known.includes(word), command);
  }
});

test('the committed run is whole: every shape, at the floor and here', () => {
  const { checks } = readLastRun();
  for (const shape of ['certificate', 'task', 'new-task', 'dpop', 'denied', 'miss']) {
    const { servers } = checks.shapes[shape]!;
    for (const server of ['floor', shape === 'miss' ? 'miss' : 'product'] as const)
      assert.equal(servers[server]?.full.micros.length, 3, `${shape} ${server}`);
  }
});
