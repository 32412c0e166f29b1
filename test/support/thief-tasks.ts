import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shownKey } from '../../src/state/tasks/key.ts';
import type { TestCa } from './ca.ts';
import type { Shown } from './client.ts';
import { askSocket, type SocketCall } from './control-socket.ts';
import { workload } from './estate.ts';
import { ISSUERS } from './thief-tokens.ts';
import { until } from './until.ts';

const AUTHZ = '/ns/platform/sa/authz';
const KEEPER = workload('/ns/platform/sa/operator');
const HOUR_MS = 3_600_000;

/** Where the sidecars of an estate with registered tasks take orders: over TLS, so that a certificate proves who gives them. */
export const tasksListener = {
  control: { address: 'unix:./control.sock', tls: { files: { certificate: './authz.crt', key: './authz.key' } } },
};

/** Writes what that port needs, and lets the operator begin and end tasks. */
export function keepTasks(dir: string, ca: TestCa): void {
  const own = ca.svid(workload(AUTHZ));
  writeFileSync(join(dir, 'authz.crt'), own.pem);
  writeFileSync(join(dir, 'authz.key'), own.pkcs8Pem, { mode: 0o600 });
  const policies = join(dir, 'policies', 'control');
  mkdirSync(policies, { recursive: true });
  // They are about what the example permits.
  rmSync(join(policies, 'tests'), { recursive: true, force: true });
  writeFileSync(
    join(policies, 'keeper.cedar'),
    `@id("operator-keeps-tasks")
permit (
  principal == Control::Workload::"${KEEPER}",
  action in [Control::Action::"start", Control::Action::"end", Control::Action::"view"],
  resource
);
`,
  );
}

/** How a task begins that is not like any other: what it may use up, and its lease. */
interface Begun {
  readonly budgets?: { readonly calls: number };
  readonly leaseSeconds?: number;
}

/** The registered tasks of a thief's estate. The first of its sidecars takes the orders; each is over when all know of it. */
export class ThiefTasks {
  readonly #dirs: [string, ...string[]];
  readonly #keeper: Shown;
  readonly #workloads: readonly string[];
  #begun = 0;
  /** The port takes few calls of one caller at once. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `workloads`: those that may carry every task, so that the registry refuses none of them. */
  constructor(dir: string, ca: TestCa, workloads: readonly string[]) {
    this.#dirs = [dir];
    this.#keeper = ca.svid(KEEPER);
    this.#workloads = workloads;
  }

  /** From now on, the sidecar in this folder shall know of each order too. */
  alsoAt(dir: string): void {
    this.#dirs.push(dir);
  }

  /** Begins the task of every token that names no other one, at each issuer. */
  async beginUsual(): Promise<void> {
    await this.#begin('t-42', Object.values(ISSUERS), {});
  }

  /** Begins a task at these issuers; its id. */
  async begin(issuers: readonly string[], begun: Begun = {}): Promise<string> {
    const id = `t-over-${this.#begun++}`;
    await this.#begin(id, issuers, begun);
    return id;
  }

  async end(issuer: string, id: string): Promise<void> {
    const body = JSON.stringify({ reason: 'it is done' });
    await this.#order({ method: 'POST', path: `/tasks/${shownKey({ issuer, id })}/end`, body }, 200);
    await this.is('ended', issuer, id);
  }

  /** Waits until a task is in this state, at all sidecars. */
  async is(state: 'active' | 'ended' | 'lapsed', issuer: string, id: string): Promise<void> {
    const path = `/tasks/${shownKey({ issuer, id })}`;
    for (const dir of this.#dirs)
      await until(`${id} is ${state}`, async () =>
        (await this.#ask(dir, { path })).json.state === state ? true : null,
      );
  }

  async #begin(id: string, issuers: readonly string[], begun: Begun): Promise<void> {
    const task = { id, purpose: 'finance', workloads: this.#workloads, reason: 'played in the reuse matrix', ...begun };
    const until = new Date(Date.now() + HOUR_MS).toISOString();
    for (const issuer of issuers) {
      await this.#order({ method: 'POST', path: '/tasks', body: JSON.stringify({ ...task, issuer, until }) }, 201);
      // A lease may lapse before all have seen it.
      if (begun.leaseSeconds === undefined) await this.is('active', issuer, id);
    }
  }

  async #order(call: SocketCall, expected: number): Promise<void> {
    const { status, json } = await this.#ask(this.#dirs[0], call);
    if (status !== expected) throw new Error(`${call.method} ${call.path}: ${JSON.stringify(json)}`);
  }

  #ask(dir: string, call: SocketCall): ReturnType<typeof askSocket> {
    const answer = this.#turn.then(() => askSocket(dir, this.#keeper, call));
    this.#turn = answer.catch(() => {});
    return answer;
  }
}
