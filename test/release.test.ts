import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { readChangelog, stepFault } from '../k8s/release/changelog.ts';
import { envelope, provenance, rawSignature, signingKey } from '../k8s/release/provenance.ts';
import { type ReleaseState, releaseState, unready, versionFaults } from '../k8s/release/readiness.ts';
import { page, repository } from './docs/markdown.ts';
import { removeFolder, temporaryFolder } from './support/folder.ts';
import { finish, run } from './support/run.ts';

const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

test('package, lock file and chart have one version', () => {
  assert.deepEqual(versionFaults(releaseState(repository)), []);
});

test('the changelog is in the form of Keep a Changelog', () => {
  const sections = readChangelog(page('CHANGELOG.md').text);
  assert.ok(!('fault' in sections), JSON.stringify(sections));
  assert.ok(sections.length > 0);
});

suite('a release', () => {
  const released = '## 0.1.0 - 2026-12-01\n### Added\n- All.\n';
  const ready: ReleaseState = {
    version: '0.2.0',
    locked: ['0.2.0', '0.2.0'],
    chart: { version: '0.2.0', appVersion: '0.2.0' },
    changelog: `# Changelog\nHead.\n\n## Unreleased\n\n## 0.2.0 - 2027-01-31\n### Added\n- More.\n\n### Fixed\n- Less.\n\n${released}`,
    changed: [],
    taggedElsewhere: false,
  };
  const edited = (from: string, to: string): Partial<ReleaseState> => {
    assert.ok(ready.changelog.includes(from));
    return { changelog: ready.changelog.replace(from, to) };
  };
  test('is ready', () => assert.deepEqual(unready(ready), []));
  test('is ready without a section for what is not released yet', () =>
    assert.deepEqual(unready({ ...ready, ...edited('## Unreleased\n\n', '') }), []));
  test('is ready as the first one', () => assert.deepEqual(unready({ ...ready, ...edited(released, '') }), []));

  const faults: Readonly<Record<string, readonly [Partial<ReleaseState>, RegExp]>> = {
    'of another version than its lock file': [
      { locked: ['0.2.0', '0.1.0'] },
      /^package-lock\.json has 0\.2\.0 and 0\.1/,
    ],
    'with an older chart': [
      { chart: { version: '0.1.0', appVersion: '0.2.0' } },
      /^k8s\/chart\/Chart\.yaml has 0\.1\.0/,
    ],
    'with a chart of another image': [{ chart: { version: '0.2.0', appVersion: '0.1.0' } }, /^k8s\/chart\/Chart\.yaml/],
    'of an uncommitted tree': [{ changed: [' M a'] }, /^1 files differ from the commit/],
    'that was released': [{ taggedElsewhere: true }, /^v0\.2\.0 is the tag of another commit/],
    'that the changelog lacks': [edited('0.2.0 - 2027', '0.1.9 - 2027'), /^CHANGELOG\.md has no section ## 0\.2\.0/],
    'without its date': [edited('0.2.0 - 2027-01-31', '0.2.0'), /^## 0\.2\.0: write/],
    'with changes left over': [
      edited('Unreleased\n', 'Unreleased\n### Added\n- New.\n'),
      /unreleased changes; move them to 0\.2/,
    ],
    'of nothing': [edited('### Added\n- More.\n\n### Fixed\n- Less.\n', ''), /says nothing of 0\.2\.0/],
    'with a kind of change that there is not': [
      edited('Fixed', 'Mended'),
      /^## 0\.2\.0 - 2027-01-31: its parts are Added, /,
    ],
    'with its changes in another order': [
      edited('### Added\n- More.\n\n### Fixed', '### Fixed\n- M.\n\n### Added'),
      /in this order$/,
    ],
    'that skips a version': [
      edited('## 0.1.0 -', '## 0.0.9 -'),
      /^0\.2\.0 does not follow 0\.0\.9: write 0\.0\.10 or 0\.1\.0 or 1\.0\.0/,
    ],
  };
  for (const [what, [change, message]] of Object.entries(faults)) {
    test(`is not ready ${what}`, () => {
      const [told, ...more] = unready({ ...ready, ...change });
      assert.match(told ?? '', message);
      assert.deepEqual(more, []);
    });
  }
  test('that breaks something takes a step of the first number, and before 1.0.0 of the second', () => {
    assert.equal(stepFault('0.1.4', '0.2.0', true), null);
    assert.match(stepFault('0.1.4', '0.1.5', true) ?? '', /since something breaks: write 0\.2\.0 or 1\.0\.0$/);
    assert.equal(stepFault('1.1.4', '2.0.0', true), null);
    assert.match(stepFault('1.1.4', '1.2.0', true) ?? '', /write 2\.0\.0$/);
    const broken = edited('- More.', '- **Breaking:** more.\n');
    assert.deepEqual(unready({ ...ready, ...broken }), []);
    const small = { ...ready, ...edited('## 0.1.0 -', '## 1.1.0 -'), version: '1.2.0', locked: ['1.2.0'] };
    const changelog = small.changelog!.replace('## 0.2.0', '## 1.2.0').replace('- More.', '- **Breaking:** more.');
    const chart = { version: '1.2.0', appVersion: '1.2.0' };
    assert.deepEqual(unready({ ...small, chart, changelog }), [
      '1.2.0 does not follow 1.1.0, since something breaks: write 2.0.0',
    ]);
  });
});

test('openssl verifies the signatures of a release by the public key, and of nothing else', async (t) => {
  const dir = temporaryFolder();
  t.after(() => removeFolder(dir));
  const [ours, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const key = signingKey(pemOf(ours.privateKey));
  const artifacts = [{ name: 'npm/cedar-ext-authz-0.2.0.tgz', sha256: 'a'.repeat(64) }];
  const statement = provenance({ version: '0.2.0', commit: 'b'.repeat(40), artifacts, materials: [] });
  const { payloadType, payload, signatures } = JSON.parse(envelope(statement, key)) as {
    readonly payloadType: string;
    readonly payload: string;
    readonly signatures: readonly { readonly sig: string; readonly keyid: string }[];
  };
  const body = Buffer.from(payload, 'base64').toString();
  assert.equal(body, statement);
  // What DSSE says is signed (its protocol, "PAE").
  const signed = `DSSEv1 ${payloadType.length} ${payloadType} ${Buffer.byteLength(body)} ${body}`;
  const verify = async (text: string, signature: Buffer, by = ours): Promise<boolean> => {
    const place = (name: string) => join(dir, name);
    writeFileSync(place('text'), text);
    writeFileSync(place('sig'), signature);
    writeFileSync(place('pub'), by.publicKey.export({ type: 'spki', format: 'pem' }));
    const args = [
      '-verify',
      '-pubin',
      '-inkey',
      place('pub'),
      '-rawin',
      '-in',
      place('text'),
      '-sigfile',
      place('sig'),
    ];
    return (await finish('openssl', ['pkeyutl', ...args])).code === 0;
  };
  const sig = Buffer.from(signatures[0]!.sig, 'base64');
  assert.deepEqual(
    [await verify(signed, sig), await verify(`${signed} `, sig), await verify(signed, sig, other)],
    [true, false, false],
  );
  const sums = rawSignature('sums', key);
  assert.deepEqual([await verify('sums', sums), await verify('suns', sums)], [true, false]);
  writeFileSync(join(dir, 'der'), ours.publicKey.export({ type: 'spki', format: 'der' }));
  assert.equal((await run('sha256sum', [join(dir, 'der')])).split(' ')[0], signatures[0]!.keyid);
  const { privateKey: p256 } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.throws(() => signingKey(pemOf(p256)), /make an Ed25519 key/);
});

test('what is not ready is not published: nothing is built, and the command fails with what to do', async (t) => {
  const dir = temporaryFolder();
  t.after(() => removeFolder(dir));
  for (const name of ['k8s', 'package.json', 'package-lock.json', 'CHANGELOG.md']) {
    cpSync(join(repository, name), join(dir, name), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(dir, 'node_modules'));
  writeFileSync(join(dir, 'key'), pemOf(generateKeyPairSync('ed25519').privateKey));
  const git = (...args: readonly string[]) =>
    run('git', ['-c', 'user.name=a', '-c', 'user.email=a@prod.example', ...args], { cwd: dir });
  await git('init', '--quiet');
  await git('add', 'CHANGELOG.md');
  await git('commit', '--quiet', '--message', 'a part');
  const args = [join('k8s', 'release', 'main.ts'), '--registry', 'registry.example/team', '--key', 'key'];
  const { code, stdout, stderr } = await finish(process.execPath, args, { cwd: dir });
  assert.equal(code, 1, stderr);
  assert.match(stdout, /^this cannot be published:\n {2}\S/);
  assert.match(stdout, /^ {2}\d files differ from the commit; commit them$/m);
  assert.equal(existsSync(join(dir, 'build')), false);
});
