import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeId } from '../base/spiffe-id.ts';
import { type NamedTask, RevocableSubjects } from './revocable-subjects.ts';
import { subjectKey } from './revocation.ts';

const texts = (subjects: readonly { readonly text: string }[]) => subjects.map(({ text }) => text);

test('a workload is named by its SPIFFE ID and each prefix of whole segments, the first time and after', () => {
  const known = new RevocableSubjects();
  const id = SpiffeId.parse('spiffe://prod.example/ns/a');
  assert.ok(id instanceof SpiffeId);
  const named = [
    'workload spiffe://prod.example/ns/a',
    'under spiffe://prod.example/ns/a',
    'under spiffe://prod.example/ns',
    'under spiffe://prod.example',
  ];
  for (let n = 0; n < 2; n++) assert.deepEqual(texts(known.ofWorkload(id)), named);
});

test('one digest names a certificate and a token apart', () => {
  const known = new RevocableSubjects();
  const digest = Buffer.alloc(32, 1).toString('base64url');
  for (let n = 0; n < 2; n++)
    assert.deepEqual(
      [known.ofDigest('certificate', digest), known.ofDigest('token', digest)].flatMap(texts),
      ['certificate', 'token'].map((kind) => `${kind} sha256:${'01'.repeat(32)}`),
    );
});

test('a token that is read as another task names that one', () => {
  const known = new RevocableSubjects();
  const task: NamedTask = { issuer: 'https://i', id: 't', token: 'sha256:1', jti: 'j', subject: 's' };
  const named = ({ issuer, id, token, jti, subject }: NamedTask) => [
    subjectKey('task', issuer, id),
    subjectKey('token', token),
    ...(jti === null ? [] : [subjectKey('token', issuer, jti)]),
    ...(subject === null ? [] : [subjectKey('subject', issuer, subject)]),
  ];
  const others = [
    { issuer: 'https://o' },
    { id: 'o' },
    { jti: 'o' },
    { jti: null },
    { subject: 'o' },
    { subject: null },
  ];
  for (const over of others)
    for (const one of [task, { ...task, ...over }]) assert.deepEqual(texts(known.ofTask(one)), named(one));
});
