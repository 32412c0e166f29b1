import type { ApprovalOrder } from '../../src/state/approvals/order.ts';
import { askedFor } from './approvals.ts';
import type { Browser } from './browser.ts';
import { type ConsoleWorld, type ConsoleWorldOptions, startConsoleWorld } from './console-world.ts';

/** What the control API answers a person. */
export interface PersonAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

/** A console at which each of its accounts has signed in, each in a browser of its own; subjects of `subjects` are those of its provider. */
export class SignedInPeople {
  readonly world: ConsoleWorld;
  readonly #browsers = new Map<string, Browser>();

  private constructor(world: ConsoleWorld) {
    this.world = world;
  }

  static async start(
    subjects: string,
    options: Required<Pick<ConsoleWorldOptions, 'accounts' | 'policies'>>,
  ): Promise<SignedInPeople> {
    const world = await startConsoleWorld({
      ...options,
      edit: (config) => {
        const issuers = (config.task?.issuers ?? []) as Record<string, unknown>[];
        for (const issuer of issuers)
          if (issuer.issuer === subjects)
            issuer.subjectIssuer = (config.control?.signIn as Record<string, unknown> | undefined)?.issuer;
      },
    });
    const people = new SignedInPeople(world);
    for (const name of Object.keys(options.accounts)) await people.signIn(name);
    return people;
  }

  /** Signs somebody in, in a browser that is called `as`. */
  async signIn(name: string, as = name): Promise<void> {
    const browser = this.world.browser();
    await this.world.signInAs(browser, name);
    this.#browsers.set(as, browser);
  }

  /** A call of the control API by whoever is signed in there: a POST where it has a body. */
  async ask(name: string, path: string, body?: unknown): Promise<PersonAnswer> {
    const loading = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const { status, text } = await this.world.fetchAs(this.#browsers.get(name)!, path, loading);
    return { status, json: JSON.parse(text) as Record<string, unknown> };
  }

  /** A request that waits for one of them. */
  async waiting(order: ApprovalOrder) {
    const id = await askedFor(this.world.approvals!, order);
    return { id, order, digest: order.digest };
  }
}
