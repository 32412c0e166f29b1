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
export class Keycloak {
  readonly #url: string;
  readonly #program: Program;

  private constructor(url: string, program: Program) {
    this.#url = url;
    this.#program = program;
  }

  /** `hostname` is what it calls itself, whatever its port: the beginning of its issuers. */
  static async start(hostname: string): Promise<Keycloak> {
    const home = await distribution();
    const port = await freePort();
    const env = {
      ...process.env,
      KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
      KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
    };
    const args = [`--http-port=${port}`, '--http-host=127.0.0.1', `--hostname=${hostname}`, '--hostname-strict=true'];
    const program = new Program('Keycloak', join(home, 'bin', 'kc.sh'), ['start-dev', '--db=dev-mem', ...args], {
      env,
    });
    const keycloak = new Keycloak(`http://127.0.0.1:${port}`, program);
    try {
      await until(
        'Keycloak',
        async () => {
          if (program.exitCode !== null) return 'ended';
          return (await fetch(`${keycloak.#url}/realms/master`)).status === 200 ? 'up' : null;
        },
        START_LIMIT_MS,
      );
      program.assertRunning();
      return keycloak;
    } catch (error) {
      await keycloak.stop();
      throw new Error(`Keycloak did not start:\n${program.tail()}`, { cause: error });
    }
  }

  /** Makes something by the admin API; fails unless it was made. */
  async create(path: string, body: Json): Promise<void> {
    const { access_token } = await this.token('master', { grant_type: 'password', client_id: 'admin-cli', ...ADMIN });
    const response = await fetch(`${this.#url}/admin/realms${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }

  /** Asks the token endpoint of a realm. */
  async token(realm: string, form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) {
    const response = await fetch(this.tokenEndpoint(realm), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form),
    });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`${realm}: ${response.status} ${JSON.stringify(answer)}`);
    return answer as { readonly access_token: string };
  }

  /** The token endpoint as it is called, whatever the server calls itself: what a proof for it names. */
  tokenEndpoint(realm: string): string {
    return `${this.#url}/realms/${realm}/protocol/openid-connect/token`;
  }

  async json(path: string): Promise<Json> {
    return (await (await fetch(this.#url + path)).json()) as Json;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
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
