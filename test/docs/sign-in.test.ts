import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { backFrom, cliSignIn } from '../support/cli-sign-in.ts';
import { startConsoleWorld } from '../support/console-world.ts';
import { controlCli } from '../support/control-cli.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { blocks, page } from './markdown.ts';

const { text } = page('docs/sign-in.md');
const of = (info: string): string =>
  blocks(text).find((block) => block.info === info)?.text ?? assert.fail(`there is no block ${info}`);

const folder = temporaryFolder();
after(() => removeFolder(folder));

test('from nothing to the first sign-in, as docs/sign-in.md writes it', async () => {
  const written = parse(of('yaml one')) as {
    control: { console: Record<string, unknown>; signIn: Record<string, unknown> };
  };
  const world = await startConsoleWorld({
    policies: of('cedar policy'),
    accounts: { anna: { groups: ['security'], amr: ['pwd', 'otp'], name: 'Anna' }, ben: { groups: ['security'] } },
    edit: (config) => {
      // Everything that is of this machine stays as it is.
      const { console: here, signIn: at } = config.control as typeof written.control;
      const own = ['issuer', 'clientId', 'clientSecretFile'].map((name) => [name, at[name]]);
      const signIn = { ...written.control.signIn, ...Object.fromEntries(own), scopes: [], ca: at.ca };
      config.control = { ...written.control, console: { ...written.control.console, ...here }, signIn };
    },
  });
  try {
    const url = String(written.control.console.url);
    writeFileSync(join(folder, 'ca.pem'), world.consoleCa);
    const typed = of('sh one').trim().split('\n');
    assert.deepEqual(
      typed.map((line) => line.split(' ')[1]),
      ['sign-in', 'revocations', 'sign-out'],
    );
    for (const line of typed) {
      const [program, command = '', ...rest] = line.split(' ');
      assert.equal(program, 'cedar-ext-authz');
      const options = rest.map((word) => (word === url ? world.url : word));
      const more = ['--ca', join(folder, 'ca.pem'), '--session-file', join(folder, 'session.json')];
      const browser = world.browser();
      const done =
        command === 'sign-in'
          ? await cliSignIn([...options, ...more], async (at) => {
              await browser.load((await backFrom(at, browser, 'anna')).href);
            })
          : await controlCli([command, ...options, ...more]);
      assert.equal(done.code, 0, done.stderr);
    }
    const order = {
      owner: 'payments',
      until: new Date(Date.now() + 3_600_000).toISOString(),
      reason: 'a trial',
    };
    const revoked = async (person: string) => {
      const browser = world.browser();
      await world.signInAs(browser, person);
      const sent = { method: 'POST', body: JSON.stringify(order) };
      return (await world.fetchAs(browser, '/revocations?dryRun=true', sent)).status;
    };
    assert.deepEqual([await revoked('anna'), await revoked('ben')], [200, 403], 'with a second factor alone');
  } finally {
    await world.stop();
  }
});
