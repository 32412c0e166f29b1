import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shown } from './client.ts';
import { goTool } from './go-tool.ts';
import { type Finished, finish } from './run.ts';
import type { Spire } from './spire.ts';
import { programAs } from './spire.ts';
import { until } from './until.ts';

/**
 * A workload of a live SPIRE: a copy of `spire-agent` at a path of its own, by which the agent attests it, and which asks
 * the agent as any workload would.
 */
export class SpireWorkload {
  readonly binary: string;
  readonly #spire: Spire;
  readonly #id: string;

  private constructor(spire: Spire, id: string, binary: string) {
    this.#spire = spire;
    this.#id = id;
    this.binary = binary;
  }

  static async at(spire: Spire, path: string): Promise<SpireWorkload> {
    const id = `spiffe://${spire.trustDomain}${path}`;
    return new SpireWorkload(spire, id, programAs(await goTool('spire-agent'), join(spire.dir, 'bin', path)));
  }

  /** The selector that this workload is attested by. */
  get selector(): string {
    return `unix:path:${this.binary}`;
  }

  /** Its X.509-SVID with the intermediates, as soon as the agent has heard of its entry. */
  async svid(): Promise<Shown> {
    const dir = mkdtempSync(join(this.#spire.dir, 'svid-'));
    await until(`an SVID of ${this.#id}`, async () =>
      (await this.#ask('x509', '-write', dir)).code === 0 ? true : null,
    );
    return {
      pem: readFileSync(join(dir, 'svid.0.pem'), 'utf8'),
      pkcs8Pem: readFileSync(join(dir, 'svid.0.key'), 'utf8'),
    };
  }

  /** A JWT-SVID for this audience. */
  async jwt(audience: string): Promise<string> {
    return await until(`a JWT-SVID of ${this.#id}`, async () => {
      const { code, stdout } = await this.#ask('jwt', '-audience', audience);
      return code === 0 ? /ey[\w-]+\.[\w-]+\.[\w-]+/.exec(stdout)?.[0] : null;
    });
  }

  #ask(what: 'x509' | 'jwt', ...args: readonly string[]): Promise<Finished> {
    return finish(this.binary, ['api', 'fetch', what, ...args, '-socketPath', this.#spire.agentSocket]);
  }
}
