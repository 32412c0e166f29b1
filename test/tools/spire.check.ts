import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goTool } from '../support/go-tool.ts';
import { finish } from '../support/run.ts';

for (const name of ['spire-server', 'spire-agent'] as const) {
  test(`${name} is built from its pin and starts`, async () => {
    const { stdout, stderr } = await finish(await goTool(name), ['--version']);
    assert.match(stdout + stderr, /1\.13\.3/);
  });
}
