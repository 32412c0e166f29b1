import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { judgeServer, readInfo, type ServerFacts } from './inspect.ts';

const MIB = 2 ** 20;
const good: ServerFacts = {
  version: '7.0.15',
  role: 'master',
  evictionPolicy: 'noeviction',
  usedBytes: MIB,
  maxBytes: 0,
  replicas: 2,
  appendOnly: true,
};

test('the answer to INFO is read by its fields; Valkey names its own version', () => {
  const info = (version: string) =>
    `# Server\r\n${version}\r\n# Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\nconnected_slaves:2\r\n`;
  assert.deepEqual(readInfo(info('redis_version:7.0.15')), good);
  assert.deepEqual(readInfo(info('redis_version:7.2.4\r\nvalkey_version:8.1.0')), { ...good, version: '8.1.0' });
  assert.ok(readInfo('hello') instanceof Fault);
  assert.ok(readInfo('role:master') instanceof Fault);
});

for (const [what, change, wanted] of [
  ['an old version', { version: '6.2.14' }, /version is 6.2.14; use Redis or Valkey 7 or newer/],
  ['a version that is none', { version: 'x' }, /version is x/],
  ['a replica', { role: 'slave' }, /is a replica.*name the primary/],
  ['eviction', { evictionPolicy: 'allkeys-lru' }, /maxmemory-policy is allkeys-lru.*set maxmemory-policy noeviction/],
] as const) {
  test(`an error with advice: ${what}`, () => {
    assert.deepEqual(judgeServer(good, 0, 0), { errors: [], warnings: [] });
    const { errors } = judgeServer({ ...good, ...change }, 0, 0);
    assert.equal(errors.length, 1);
    assert.match(errors[0]!, wanted);
  });
}

for (const [what, change, wanted] of [
  ['too little memory', { maxBytes: 99 * MIB }, /maxmemory is 99 MiB.*may take 100 MiB; raise maxmemory/],
  ['memory that is nearly full', { maxBytes: 200 * MIB, usedBytes: 161 * MIB }, /161 MiB of 200 MiB are used/],
  ['too few replicas', { replicas: 1 }, /1 replicas are connected, and state.replicas wants 2/],
] as const) {
  test(`a warning with advice: ${what}`, () => {
    assert.deepEqual(judgeServer(good, 100 * MIB, 2), { errors: [], warnings: [] });
    const { errors, warnings } = judgeServer({ ...good, ...change }, 100 * MIB, 2);
    assert.deepEqual(errors, []);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, wanted);
  });
}
