import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { assertAuditLines } from '../support/audit-line-check.ts';
import { askOf, readGolden, rendered, updated } from '../support/golden.ts';
import { World } from '../support/world.ts';
import { type WorldName, worlds } from '../support/world-kinds.ts';

/** `UPDATE_GOLDEN=1` writes what comes out now into the files: read the diff before it is committed. */
const update = process.env.UPDATE_GOLDEN === '1';
const folder = join(import.meta.dirname, 'golden');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const running = new Map<WorldName, World>();

before(async () => {
  for (const [name, options] of Object.entries(worlds)) running.set(name as WorldName, await World.start(options));
});
after(async () => {
  for (const world of running.values()) await world.stop();
});

suite('golden cases', () => {
  test('there are some', () => assert.ok(files.length > 25));

  for (const file of files) {
    test(file, async () => {
      const text = readFileSync(join(folder, file), 'utf8');
      const golden = readGolden(text);
      const world = running.get(golden.world)!;
      const answer = await world.send(askOf(golden, world));
      const { metadata } = answer.wire;
      assert.equal(metadata?.seq, answer.audit.seq);
      assert.equal(metadata?.hash, `sha256:${hash('sha256', answer.line, 'hex')}`);
      if (update) writeFileSync(join(folder, file), updated(text, answer));
      else assert.equal(rendered(answer), text.slice(text.search(/^response:/m)));
    });
  }

  test('each line that they leave in the audit is as docs/audit-line.schema.json says', () => {
    const lines = [...running.values()].flatMap((world) => world.audit());
    assert.ok(lines.length > files.length);
    const kinds = assertAuditLines(lines);
    assert.ok(['boot', 'policy-loaded', 'decision'].every((kind) => kinds.has(kind)));
  });
});
