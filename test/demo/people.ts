import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { type Prepare, workload } from '../support/estate.ts';
import { loopbackName } from '../support/https-keys.ts';
import { CLIENT, IdentityProvider } from '../support/identity-provider.ts';
import { freePort } from '../support/ports.ts';
import { LEDGER } from './rows.ts';

const ALL_VIEW = 'viewers';
const APPROVERS = 'ledger-approvers';
const CONTROL_POLICIES = `
@id("demo-people-view")
@description("Both people of the demo see what the console shows.")
permit (principal in Control::PersonGroup::"${ALL_VIEW}", action == Control::Action::"view", resource);

@id("demo-approvers-decide")
@description("Anna decides about what the ledger asks for.")
permit (
  principal in Control::PersonGroup::"${APPROVERS}",
  action in [Control::Action::"grant", Control::Action::"refuse", Control::Action::"withdraw"],
  resource is Control::Approval
)
when { resource.caller == Control::Workload::"${workload(LEDGER)}" };
`;

const password = () => randomBytes(6).toString('base64url');

/** Two people with accounts at a provider of the demo's own: Anna approves, Ben only looks. */
export async function startPeople() {
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const ca = TestCa.root('people.example', { uris: [] });
  const accounts = {
    anna: { name: 'Anna', groups: [ALL_VIEW, APPROVERS], password: password() },
    ben: { name: 'Ben', groups: [ALL_VIEW], password: password() },
  };
  const provider = await IdentityProvider.start({ redirectUris: [`${url}/sign-in/callback`], accounts, ca });

  /** Gives the sidecar its console; changes what `section`, the control section, has for workloads. */
  const prepare =
    (section: Prepare): Prepare =>
    (dir, meshCa) => {
      const own = ca.issue({ dns: ['localhost'], otherNames: [loopbackName], extendedKeyUsage: ['serverAuth'] });
      for (const [name, text] of [
        ['console.crt', own.pem],
        ['console.key', own.pkcs8Pem],
        ['client.secret', `${CLIENT.secret}\n`],
        ['people-ca.pem', ca.certificate.pem],
        [join('policies', 'control', 'people.cedar'), CONTROL_POLICIES],
      ] as const)
        writeFileSync(join(dir, name), text, { mode: 0o600 });
      const over = section(dir, meshCa) as { readonly control: object };
      const control = {
        ...over.control,
        console: { listen: `127.0.0.1:${port}`, url, tls: { certificate: './console.crt', key: './console.key' } },
        signIn: {
          issuer: provider.url,
          clientId: CLIENT.id,
          clientSecretFile: './client.secret',
          ca: './people-ca.pem',
        },
      };
      return { ...over, control };
    };

  /** What to do, for whoever reads it: `refund` is a command that is denied until somebody allows it. */
  const steps = (dir: string, refund: string): string =>
    [
      '',
      'A refund that a person has to allow:',
      '1. This is denied with approval_required:',
      `  ${refund}`,
      `2. Allow it at  ${url}`,
      `  anna may allow it, her password:   ${accounts.anna.password}`,
      `  ben may only look, his password:   ${accounts.ben.password}`,
      `  the authority of both certificates, which no browser knows:  ${join(dir, 'people-ca.pem')}`,
      '3. The same line passes, once.',
    ].join('\n');
  return { prepare, steps, stop: provider.stop };
}
