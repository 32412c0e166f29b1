import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { blocks, page } from '../../test/docs/markdown.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../base/clock.ts';
import { LiftKeySource } from './lift-keys.ts';

const pairs = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')] as const;
const spki = (at: 0 | 1) => pairs[at].publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pkcs8 = (at: 0 | 1) => pairs[at].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

function files(t: TestContext) {
  const dir = temporaryFolder();
  t.after(() => removeFolder(dir));
  return (name: string, text: string): string => {
    const file = join(dir, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
    return file;
  };
}

async function source(t: TestContext, key: string | null, trustedKeys: readonly string[]) {
  const reads: string[] = [];
  const keys = await LiftKeySource.start({ key, trustedKeys }, systemClock, (read) =>
    reads.push('detail' in read ? read.detail : 'read'),
  );
  t.after(() => keys.stop());
  return { keys, reads };
}

test('its own key is trusted beside those of the files; without files there is none, and nothing is missing', async (t) => {
  const put = files(t);
  const { keys } = await source(t, put('key', pkcs8(0)), [put('other', spki(1))]);
  assert.ok(keys.keys.signing?.equals(pairs[0].privateKey));
  assert.deepEqual(
    keys.keys.trusted.map((key) => pairs.findIndex(({ publicKey }) => publicKey.equals(key))),
    [0, 1],
  );
  const { keys: none } = await source(t, null, []);
  assert.deepEqual([none.keys, none.missing], [{ signing: null, trusted: [] }, false]);
});

test('the keys that docs/state.md makes belong together', async (t) => {
  const dir = temporaryFolder();
  t.after(() => removeFolder(dir));
  const [block] = blocks(page('docs/state.md').text).filter(({ info }) => info === 'sh lifts');
  for (const line of block!.text.trim().split('\n')) {
    const [command = '', ...args] = line.split('#')[0]!.trim().split(/\s+/);
    execFileSync(command, args, { cwd: dir, stdio: 'ignore' });
  }
  const { keys } = await source(t, join(dir, 'lifts.key'), [join(dir, 'lifts.pem')]);
  assert.equal(keys.fault, null);
  const [own, trusted] = keys.keys.trusted;
  assert.ok(own!.equals(trusted!));
});

test('a file that changes is read again; a bad one changes nothing, and is told', async (t) => {
  const put = files(t);
  const { keys, reads } = await source(t, null, [put('a', spki(0))]);
  put('a', 'nothing');
  await until('the fault', () => keys.fault);
  assert.match(reads.at(-1)!, /is not one Ed25519 key/);
  assert.ok(keys.keys.trusted[0]?.equals(pairs[0].publicKey));
  put('a', spki(1));
  await until('the other key', () => (keys.keys.trusted[0]?.equals(pairs[1].publicKey) ? true : null));
  assert.equal(keys.fault, null);
});

test('a key of another kind, a private key as a trusted one, two keys, and a missing file are refused', async (t) => {
  const put = files(t);
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rows: readonly (readonly [string | null, readonly string[]])[] = [
    [null, [put('ec', ec.publicKey.export({ type: 'spki', format: 'pem' }).toString())]],
    [null, [put('private', pkcs8(0))]],
    [null, [put('two', spki(0) + spki(1))]],
    [put('public', spki(0)), []],
    [null, ['/nowhere/key.pem']],
  ];
  for (const [key, trustedKeys] of rows) {
    const { keys } = await source(t, key, trustedKeys);
    assert.ok(keys.missing && keys.fault !== null, JSON.stringify([key, trustedKeys]));
    assert.deepEqual(keys.keys.trusted, []);
  }
});
