import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertAuditLines } from './audit-line-check.ts';
import { Browser, type Loaded, type Loading } from './browser.ts';
import { TestCa } from './ca.ts';
import { CONTROL } from './control-world.ts';
import { loopbackName } from './https-keys.ts';
import { type Account, CLIENT, IdentityProvider } from './identity-provider.ts';
import { freePort } from './ports.ts';
import { linesOf } from './sidecar.ts';
import { ending } from './started.ts';
import { type MeshConfig, World } from './world.ts';

export interface ConsoleWorldOptions {
  readonly accounts?: Readonly<Record<string, Account>>;
  /** Control policies, as text. */
  readonly policies?: string;
  readonly edit?: (config: MeshConfig) => void;
  /** A console of the same fleet: its provider is this one's, too. */
  readonly beside?: { readonly provider: IdentityProvider; readonly authorities: string };
  /** More of `control.signIn`. */
  readonly signIn?: Readonly<Record<string, unknown>>;
}

/** Whoever is in this group may do everything, in `ALL_TO_OPERATORS`. */
export const OPERATORS = 'operators';
export const ALL_TO_OPERATORS = `
@id("operators")
permit (principal in Control::PersonGroup::"${OPERATORS}", action, resource);
`;

/** The page that sign-ins of tests lead to. */
export const LANDING = '/landed';

/** The mesh with its console, and an identity provider with people who can sign in. */
export async function startConsoleWorld(options: ConsoleWorldOptions = {}) {
  const {
    accounts = { anna: { groups: [OPERATORS], name: 'Anna' } },
    policies = ALL_TO_OPERATORS,
    edit,
    signIn,
    beside,
  } = options;
  await using started = new AsyncDisposableStack();
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const provider =
    beside?.provider ??
    ending(
      started,
      await IdentityProvider.start({
        redirectUris: [`${url}/sign-in/callback`],
        logoutUri: `${url}/sign-in/back-channel-logout`,
        accounts,
      }),
    );
  const ca = TestCa.root('console.example', { uris: [] });
  const own = ca.issue({ dns: ['localhost'], otherNames: [loopbackName], extendedKeyUsage: ['serverAuth'] });
  const world = ending(
    started,
    await World.start({
      edit: (config) => {
        config.listen = { ...config.listen, status: '127.0.0.1:0', control: { address: '127.0.0.1:0' } };
        config.control = {
          audience: CONTROL,
          console: { listen: `127.0.0.1:${port}`, url, tls: { certificate: './console.crt', key: './console.key' } },
          signIn: {
            issuer: provider.url,
            clientId: CLIENT.id,
            clientSecretFile: './client.secret',
            ca: './idp-ca.pem',
            ...signIn,
          },
        };
        edit?.(config);
      },
      prepare: (folder) => {
        writeFileSync(join(folder, 'console.crt'), own.pem);
        writeFileSync(join(folder, 'console.key'), own.pkcs8Pem);
        writeFileSync(join(folder, 'client.secret'), `${CLIENT.secret}\n`);
        writeFileSync(join(folder, 'idp-ca.pem'), provider.ca.certificate.pem);
        mkdirSync(join(folder, 'policies', 'control'));
        writeFileSync(join(folder, 'policies', 'control', 'operators.cedar'), policies);
      },
    }),
  );
  const authorities = [ca.certificate.pem, provider.ca.certificate.pem, beside?.authorities ?? ''].join('');
  const auditFile = join(world.folder, 'audit.jsonl');
  const running = started.move();

  /** Signs in as this person, from the link at `path`: the answer that would lead to the page, or tells why not. */
  const signInAs = async (browser: Browser, person: string, path = `/sign-in?return=${LANDING}`): Promise<Loaded> => {
    const isOver = (next: URL) => next.pathname === LANDING || next.protocol === 'http:';
    const asked = await browser.visit(`${url}${path}`, null, isOver);
    if (!asked.url.startsWith(`${provider.url}/interaction/`)) return asked;
    return browser.visit(`${asked.url}?as=${person}`, asked.url, isOver);
  };
  return {
    ...world,
    url,
    provider,
    authorities,
    /** The authority of the console's certificate. */
    consoleCa: ca.certificate.pem,
    browser: () => new Browser(authorities),
    signInAs,
    /** Asks as a page of the console does. */
    fetchAs: (browser: Browser, path: string, loading: Loading = {}) =>
      browser.load(`${url}${path}`, {
        ...loading,
        headers: {
          'sec-fetch-site': 'same-origin',
          'sec-fetch-mode': 'cors',
          ...(loading.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...((loading.method ?? 'GET') === 'GET' ? {} : { origin: url }),
          ...loading.headers,
        },
      }),
    auditLines: () => {
      const lines = linesOf(auditFile).map((line) => JSON.parse(line) as Record<string, unknown>);
      assertAuditLines(lines);
      return lines;
    },
    stop: () => running.disposeAsync(),
  };
}
export type ConsoleWorld = Awaited<ReturnType<typeof startConsoleWorld>>;
