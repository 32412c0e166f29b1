import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKey, shownKey } from './key.ts';

test('a key names one task: what no id can be is none, as a text that another issuer and id would make too', () => {
  const task = { issuer: 'tts of prod', id: 't-42' };
  assert.deepEqual(readKey(shownKey(task)), task);
  for (const other of [
    { issuer: 'of prod', id: 't-42 tts' },
    { issuer: 'prod', id: 't-42 tts of' },
    { issuer: 'tts of prod', id: '' },
  ])
    assert.equal(readKey(shownKey(other)), null);
  assert.equal(readKey(`${shownKey(task)}=`), null);
  for (const json of ['null', '{}', '["tts"]', '"tt"'])
    assert.equal(readKey(Buffer.from(json).toString('base64url')), null, json);
});
