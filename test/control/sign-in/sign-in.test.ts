import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ConsoleWorld, LANDING, startConsoleWorld } from '../../support/console-world.ts';

let world: ConsoleWorld;
before(async () => {
  world = await startConsoleWorld({
    accounts: {
      anna: { groups: ['operators'], name: 'Anna', acr: 'mfa', amr: ['pwd', 'otp'] },
      ben: { groups: ['finance'], name: 'Ben' },
    },
  });
});
after(() => world.stop());

test('a person signs in and asks the control API as itself', async () => {
  const browser = world.browser();
  const page = await world.signInAs(browser, 'anna');
  assert.deepEqual([page.status, page.headers.location], [303, LANDING], page.text);
  const state = await world.fetchAs(browser, '/state');
  assert.equal(state.status, 200, state.text);
  const line = world.auditLines().findLast(({ event, call }) => event === 'control' && call === 'state');
  assert.ok(line !== undefined);
  const { issuer, subject, acr, amr } = line.person as Record<string, unknown>;
  assert.deepEqual([issuer, subject, acr, amr], [world.provider.url, 'anna', 'mfa', ['pwd', 'otp']]);
  assert.deepEqual([line.caller, line.permits], [null, ['operators']]);
});
