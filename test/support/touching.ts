import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from '../../src/base/outcome.ts';
import { redeemer } from '../../src/check/redeem.ts';
import { type Judgeable, settle } from '../../src/check/settle.ts';
import type { Stages } from '../../src/check/stages.ts';
import { TouchedAccounts, type TouchedSource } from '../../src/check/touched.ts';
import { Trail } from '../../src/check/trail.ts';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { unknownFacts } from '../../src/policy/decide/facts.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import type { State } from '../../src/state/model.ts';
import type { Redemption } from '../../src/state/redemption.ts';
import type { Chain, Task } from '../../src/task/model.ts';
import { targetOf, workloadOf } from './inventory.ts';
import { loaded, task } from './policy.ts';

export const HOUR_MS = 3_600_000;
const guardrails = join(import.meta.dirname, '..', '..', 'cedar', 'guardrails');
export const guardrailsInventory = {
  file: 'inventory.yaml',
  text: readFileSync(join(guardrails, 'tests', 'inventory.yaml'), 'utf8'),
};
const boundaries = readFileSync(join(guardrails, 'boundaries.cedar'), 'utf8');
const [, guardrail = ''] = /(@id\("confidential-data-stays-inside"\)[^;]*;)/.exec(boundaries) ?? [];

/**
 * Everything is permitted on one host of each sensitivity, but what the shipped guardrail forbids, and `more`. Another estate, and
 * what more the guardrail shall ask for there, where `of` says so.
 */
export function boundarySnapshot(
  more = '',
  of?: { readonly text: string; readonly guarded: string },
): Snapshot<Inventory> {
  const narrowed = of === undefined ? guardrail : guardrail.replace('when {', `when { ${of.guarded}`);
  const inventory = of === undefined ? guardrailsInventory : { file: 'inventory.yaml', text: of.text };
  return loaded({ 'a.cedar': `@id("all") permit (principal, action, resource);\n${narrowed}\n${more}` }, { inventory })
    .snapshot;
}

/** What is asked for: a short name of each workload of the chain, the caller last; a task; `GET confidential/x`. */
export interface Touching {
  readonly chain: readonly string[];
  readonly task?: Partial<Task> | null;
  readonly request: string;
  readonly redemptions?: readonly Redemption[];
}

/** One sidecar from what is known of a caller and its task to the answer, with the real stages between. */
export class TouchingSidecar {
  readonly state: State;
  readonly snapshot: Snapshot<Inventory>;
  readonly accounts: TouchedAccounts;
  /** What the last answer was judged by. */
  trail = new Trail();
  #asked = 0;

  constructor(state: State, snapshot: Snapshot<Inventory>, more: Partial<TouchedSource> = {}) {
    this.state = state;
    this.snapshot = snapshot;
    const known = { size: 0, find: () => null, stateOf: () => 'active' as const };
    const source = { state, tasks: () => known, windowMs: 24 * HOUR_MS, nothingBeforeMs: null };
    this.accounts = new TouchedAccounts({ ...source, ...more });
  }

  /** `permitted`, or the reason. */
  async ask(asked: Touching, nowMs = Date.now()): Promise<string> {
    const { snapshot } = this;
    const chain = asked.chain.map((name) =>
      workloadOf(snapshot.inventory, `spiffe://prod.example/${name}`),
    ) as unknown as Chain;
    const times = { issuedAt: nowMs / 1000, expiresAt: nowMs / 1000 + 300 };
    const of = asked.task == null ? null : task({ purpose: 'work', ...times, ...asked.task });
    this.trail = new Trail(snapshot);
    const request = {
      snapshot,
      nowMs,
      input: { id: `${this.#asked++}`, query: null, connection: { checkPeer: null, digest: 'd' } },
      context: { decision: 'd', deadline: nowMs + 10_000, gaveUp: () => false },
      target: targetOf(snapshot.inventory, asked.request),
      caller: { workload: chain.at(-1), credential: 'x509-svid' },
      taskContext: {
        task: of,
        declared: null,
        chain,
        backing: of === null ? [] : [of],
        redemptions: asked.redemptions ?? [],
      },
      facts: { ...unknownFacts, client: null, headers: new Map(), numbers: new Map() },
    } as unknown as Judgeable;
    const stages = {
      enforcement: 'enforce',
      budgets: () => [],
      touched: this.accounts,
      approvals: null,
      behaviour: null,
      redeem: redeemer(this.state, () => nowMs),
    } as unknown as Stages;
    const settled = await settle(request, stages, this.trail);
    return settled instanceof Refusal ? settled.reason : 'permitted';
  }
}
