import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startConsoleWorld } from '../../support/console-world.ts';
import { noRedis, Redis } from '../../support/redis.ts';
import { ending } from '../../support/started.ts';
import type { MeshConfig } from '../../support/world.ts';

test('processes of one store share sessions, and one that restarts keeps them', { skip: noRedis }, async (t) => {
  const redis = await Redis.of(t);
  const edit = (config: MeshConfig): void => {
    config.state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s' };
  };
  await using started = new AsyncDisposableStack();
  const first = ending(started, await startConsoleWorld({ edit }));
  const signedIn = first.browser();
  assert.equal((await first.signInAs(signedIn, 'anna')).status, 303);
  // It starts later than the sign-in.
  const second = ending(started, await startConsoleWorld({ edit, beside: first }));
  const browser = second.browser();
  for (const [name, value] of signedIn.cookies('localhost')) browser.cookies('localhost').set(name, value);
  const states = async () => [
    (await first.fetchAs(browser, '/state')).status,
    (await second.fetchAs(browser, '/state')).status,
  ];
  assert.deepEqual(await states(), [200, 200]);
  assert.equal((await second.fetchAs(browser, '/sign-out', { method: 'POST', body: '{}' })).status, 200);
  for (const [name, value] of signedIn.cookies('localhost')) browser.cookies('localhost').set(name, value);
  assert.deepEqual(await states(), [401, 401], 'ended everywhere at once');
  assert.equal((await first.signInAs(signedIn, 'anna')).status, 303);
  for (const [name, value] of signedIn.cookies('localhost')) browser.cookies('localhost').set(name, value);
  assert.deepEqual(await states(), [200, 200]);
  await redis.kill();
  assert.deepEqual(await states(), [503, 503], 'nobody knows who is signed in');
});
