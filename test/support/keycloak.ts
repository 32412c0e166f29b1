import { renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { run } from './run.ts';
import { until } from './until.ts';

export const KEYCLOAK_VERSION = '26.7.3';
/** It compiles itself at its first start. */
const START_LIMIT_MS = 600_000;
const ADMIN = { username: 'admin', password: 'admin' } as const;

export type Json = Readonly<Record<string, unknown>>;

/** A real Keycloak in a mode for development, on loopback. Needs Java 17 and, once, Maven and unzip. */
export const Keycloak = { start };

async function start(hostname: string) {
  const home = await distribution();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
    KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
  };
  const args = [`--http-port=${port}`, '--http-host=127.0.0.1', `--hostname=${hostname}`, '--hostname-strict=true'];
  const program = new Program('Keycloak', join(home, 'bin', 'kc.sh'), ['start-dev', '--db=dev-mem', ...args], { env });
  const isUp = async (): Promise<true | null> => {
    if (program.exitCode !== null) return true;
    return (await fetch(`${url}/realms/master`)).status === 200 ? true : null;
  };
  try {
    await until('Keycloak', isUp, START_LIMIT_MS);
    program.assertRunning();
  } catch (error) {
    await program.stop();
    throw new Error(`Keycloak did not start:\n${program.tail()}`, { cause: error });
  }

  /** The token endpoint as it is called, whatever the server calls itself: what a proof for it names. */
  const tokenEndpoint = (realm: string): string => `${url}/realms/${realm}/protocol/openid-connect/token`;
  type Fields = Readonly<Record<string, string>>;
  /** Asks the token endpoint of a realm. */
  const token = async (realm: string, form: Fields, headers: Fields = {}) => {
    const response = await fetch(tokenEndpoint(realm), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form),
    });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`${realm}: ${response.status} ${JSON.stringify(answer)}`);
    return answer as { readonly access_token: string };
  };
  return {
    tokenEndpoint,
    token,
    /** Makes something by the admin API; fails unless it was made. */
    create: async (path: string, body: Json): Promise<void> => {
      const { access_token } = await token('master', { grant_type: 'password', client_id: 'admin-cli', ...ADMIN });
      const response = await fetch(`${url}/admin/realms${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    },
    json: async (path: string): Promise<Json> => (await (await fetch(url + path)).json()) as Json,
    stop: () => program.stop(),
  };
}

/** The folder of the distribution, fetched by Maven once into the cache. */
async function distribution(): Promise<string> {
  const dir = await cached('keycloak', KEYCLOAK_VERSION, async (into) => {
    process.stderr.write(`fetching Keycloak ${KEYCLOAK_VERSION} (180 MB, once; later runs take it from the cache)\n`);
    const artifact = `org.keycloak:keycloak-quarkus-dist:${KEYCLOAK_VERSION}:zip`;
    await run('mvn', ['-q', 'dependency:get', `-Dartifact=${artifact}`, '-Dtransitive=false']);
    const repository = process.env.MAVEN_REPO ?? join(homedir(), '.m2', 'repository');
    const name = `keycloak-quarkus-dist-${KEYCLOAK_VERSION}.zip`;
    const zip = join(repository, 'org', 'keycloak', 'keycloak-quarkus-dist', KEYCLOAK_VERSION, name);
    await run('unzip', ['-q', zip, '-d', into]);
    renameSync(join(into, `keycloak-${KEYCLOAK_VERSION}`), join(into, 'keycloak'));
  });
  return join(dir, 'keycloak');
}
