import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { apiKeyDigest, isApiKey } from '../../src/base/secrets/api-key.ts';
import { newFolder, removeFolders } from '../support/policy-cli.ts';
import { finish } from '../support/run.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const key = (...args: readonly string[]) => finish(process.execPath, [main, 'key', 'new', ...args]);

after(removeFolders);

interface Entry {
  readonly sha256: string;
  readonly created: string;
  readonly rotateBy: string;
}

const entryOf = (text: string): Entry => (parse(text) as [Entry])[0];

test('key new prints a key and its line for the inventory, which holds the digest', async () => {
  const { code, stdout, stderr } = await key();
  assert.deepEqual([code, stderr], [0, '']);
  const [made = '', line = ''] = stdout.split('\n');
  assert.ok(isApiKey(made));
  const { sha256, created, rotateBy } = entryOf(line);
  assert.equal(sha256, apiKeyDigest(made));
  assert.ok(Math.abs(Date.parse(created) - Date.now()) < 600_000);
  const days = (Date.parse(`${rotateBy}T24:00:00Z`) - Date.parse(created)) / 86_400_000;
  assert.ok(days > 89 && days <= 90, `${days} days: its last day is over before the guardrail stops it`);
});

test('key new --file writes the key where its owner alone can read it, and prints the line alone', async () => {
  const file = join(newFolder(), 'key');
  const { code, stdout } = await key('--file', file, '--days', '1');
  assert.equal(code, 0);
  const made = readFileSync(file, 'utf8').trimEnd();
  assert.ok(isApiKey(made));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const { sha256, created, rotateBy } = entryOf(stdout);
  assert.equal(sha256, apiKeyDigest(made));
  assert.equal(rotateBy, created.slice(0, 10));
  assert.ok(!stdout.includes(made));
  const again = await key('--file', file);
  assert.deepEqual([again.code, again.stdout], [2, '']);
  assert.equal(readFileSync(file, 'utf8').trimEnd(), made, 'a key that is there is never overwritten');
});

test('what key new cannot do is said', async () => {
  for (const args of [['--days', '0'], ['--days', '367'], ['--days', 'x'], ['--days', ''], ['more']])
    assert.equal((await key(...args)).code, 64, args.join(' '));
});
