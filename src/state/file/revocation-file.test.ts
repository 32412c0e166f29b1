import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, suite, test } from 'node:test';
import { removeFolder, temporaryFolder } from '../../../test/support/folder.ts';
import { Fault } from '../../base/fault.ts';
import { parseRevocations, type RevocationFile, readRevocationFile } from './revocation-file.ts';

const folder = temporaryFolder();
after(() => removeFolder(folder));
const yaml = join(folder, 'revocations.yaml');
const lines = join(folder, 'revocations.jsonl');

const entry = (id: string, more: object = { owner: 'payments' }) => ({
  id,
  until: '2099-01-01T00:00:00Z',
  reason: 'tested',
  by: 'security',
  ...more,
});
const written = (...entries: readonly object[]): string => entries.map((one) => `${JSON.stringify(one)}\n`).join('');

async function read(last: RevocationFile | null = null): Promise<RevocationFile> {
  const found = await readRevocationFile(yaml, new AbortController().signal, last);
  assert.ok(!(found instanceof Fault), String(found));
  return found;
}
const ids = ({ revocations }: RevocationFile): readonly string[] => [...revocations.values()].map(({ id }) => id);

beforeEach(() => {
  writeFileSync(yaml, JSON.stringify({ revocations: [entry('in-yaml')], revocationsFile: 'revocations.jsonl' }));
  writeFileSync(lines, written(entry('a'), entry('b')));
});

suite('a file of lines', () => {
  test('is read behind the file that names it, and not where none does', async () => {
    const found = await read();
    assert.deepEqual([ids(found), found.problems], [['in-yaml', 'a', 'b'], []]);
    writeFileSync(yaml, JSON.stringify({ revocations: [entry('in-yaml')] }));
    assert.deepEqual(ids(await read(found)), ['in-yaml']);
  });

  test('has all that an entry has', async () => {
    const issuedUpTo = '2026-11-30T12:00:00Z';
    const token = { issuer: 'https://as.example', jti: 'täsk' };
    writeFileSync(lines, `\ufeff${written(entry('a', { token, issuedUpTo }))}\n`);
    const [, one] = [...(await read()).revocations.values()];
    assert.deepEqual(one, {
      id: 'a',
      kind: 'token',
      subject: 'token ["https://as.example","täsk"]',
      issuedUpToMs: Date.parse(issuedUpTo),
      untilMs: Date.parse('2099-01-01T00:00:00Z'),
      reason: 'tested',
      by: 'security',
    });
  });

  for (const [what, text, kept, problem] of [
    ['no JSON', `${written(entry('a'))}{"id":\n${written(entry('c'))}`, ['a', 'c'], /:2:7: the text ends early/],
    ['no entry', written(entry('a'), entry('b', {})), ['a'], /:2:1: revokes nothing/],
    ['an unknown key', written(entry('a', { owner: 'p', untill: 1 })), [], /:1:\d+: untill: no such key/],
    ['an id of the list', written(entry('in-yaml')), ['in-yaml'], /:1:\d+: id: is the id of revocations\[0\] too/],
    ['an id of a line', written(entry('a'), entry('a')), ['a', 'a'], /:2:\d+: id: is the id of line 1 too/],
    ['a line of any length', `${' '.repeat(65_537)}\n${written(entry('a'))}`, ['a'], /:1:1: a line of more than 65536/],
    ['no UTF-8', Buffer.concat([Buffer.from(written(entry('a'))), Buffer.from([0xff, 10])]), ['a'], /:2:1: not valid/],
    ['an end without a line feed', written(entry('a'), entry('b')).trimEnd(), ['a'], /the last line has no end/],
    ['nothing', '', [], /the file is empty; take its key out/],
  ] as const) {
    test(`that holds ${what}: a problem at its place, and the others count`, async () => {
      writeFileSync(lines, text);
      const found = await read();
      assert.deepEqual(ids(found), ['in-yaml', ...kept]);
      assert.equal(found.problems.length, 1);
      assert.match(found.problems[0]!, /revocations\.jsonl:/);
      assert.match(found.problems[0]!, problem);
    });
  }

  test('that is not there, or no file: a problem, and those of the list count', async () => {
    rmSync(lines);
    const missing = await read();
    assert.deepEqual([ids(missing), missing.problems.length], [['in-yaml'], 1]);
    assert.match(missing.problems[0]!, /revocations\.jsonl:1:1: ENOENT/);
    assert.equal(await read(missing), missing, 'it is still not there');
    mkdirSync(lines);
    const folderNow = await read(missing);
    assert.match(folderNow.problems[0]!, /is no file/);
    assert.equal(await read(folderNow), folderNow);
    rmSync(lines, { recursive: true });
    writeFileSync(lines, written(entry('a')));
    assert.deepEqual(ids(await read(folderNow)), ['in-yaml', 'a']);
  });

  test('of too many bytes is not read', async () => {
    writeFileSync(lines, Buffer.alloc(64 * 1024 * 1024 + 1, '\n'));
    const found = await read();
    assert.match(found.problems[0]!, /longer than 67108864 bytes/);
    assert.equal(await read(found), found);
  });

  test('has another name only by mistake', async () => {
    writeFileSync(yaml, JSON.stringify({ revocations: [], revocationsFile: '/etc/passwd' }));
    const found = await read();
    assert.match(found.problems[0]!, /:1:\d+: revocationsFile: write revocations\.jsonl/);
  });
});

suite('a long list', () => {
  const text = (more: string): string => {
    const entries = Array.from({ length: 700 }, (_, n) => `  - ${JSON.stringify(entry(`long-${n}`))}\n`);
    return `revocations:\n${entries.join('')}${more}`;
  };

  test('is read as a short one is, its faults and their places too', async () => {
    writeFileSync(lines, written(entry('a'), entry('long-7')));
    for (const more of ['', `  - { id: long-1, owner: x }\nunknown: 1\n`, 'revocationsFile: elsewhere\n']) {
      writeFileSync(yaml, text(more));
      const [found, parsed] = [await read(), parseRevocations(text(more), yaml)];
      assert.ok(!(parsed instanceof Fault));
      assert.deepEqual(
        [ids(found), found.problems, found.names, found.lines],
        [ids(parsed), parsed.problems, parsed.names, null],
      );
    }
    writeFileSync(yaml, text('revocationsFile: revocations.jsonl\n'));
    const both = await read();
    assert.equal(ids(both).length, 702);
    assert.match(both.problems[0]!, /revocations\.jsonl:2:\d+: id: is the id of revocations\[7\] too/);
    for (const none of [`${text('')}: :`, text('').replace('revocations:', 'others:')]) {
      writeFileSync(yaml, none);
      const fault = await readRevocationFile(yaml, new AbortController().signal, both);
      assert.deepEqual(fault, parseRevocations(none, yaml));
    }
  });

  test('takes little time of the thread that serves', async () => {
    writeFileSync(yaml, text(''));
    await read();
    const cpuMs = (): number => process.threadCpuUsage().user / 1000;
    const began = cpuMs();
    await read();
    const apart = cpuMs() - began;
    parseRevocations(text(''), yaml);
    const atOnce = cpuMs() - began - apart;
    assert.ok(apart < atOnce / 2, `${apart} ms beside ${atOnce} ms`);
  });
});

suite('a look at files', () => {
  test('that are as they were gives what was read before', async () => {
    const first = await read();
    assert.equal(await read(first), first);
    utimesSync(lines, new Date(), new Date());
    const touched = await read(first);
    assert.equal(touched.revocations, first.revocations, 'the same content is the same set');
    assert.equal(await read(touched), touched);
  });

  test('sees the same text in another file, and another text of one length and one time', async () => {
    const first = await read();
    const { atime, mtime } = statSync(lines);
    writeFileSync(`${lines}.new`, written(entry('a'), entry('c')));
    utimesSync(`${lines}.new`, atime, mtime);
    renameSync(`${lines}.new`, lines);
    assert.deepEqual(ids(await read(first)), ['in-yaml', 'a', 'c']);
  });

  test('sees the names of both, each where it stands first', async () => {
    const under = 'spiffe://prod.example/ns';
    writeFileSync(lines, written(entry('a'), entry('b', { under }), entry('c', { under }), entry('d', { owner: 'x' })));
    const { names } = await read();
    assert.deepEqual(
      names.map(({ kind, name, place: { file, line } }) => [kind, name, file, line]),
      [
        ['team', 'payments', yaml, 1],
        ['trust domain', 'prod.example', lines, 2],
        ['team', 'x', lines, 4],
      ],
    );
  });
});
