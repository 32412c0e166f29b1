import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Fault } from '../../src/base/fault.ts';
import {
  type ActivityLimits,
  BAD_CURSOR,
  type BadCursor,
  type DecisionSummary,
  type Page,
} from '../../src/state/activity/model.ts';
import { RedisActivity } from '../../src/state/activity/redis.ts';
import type { RedisState } from '../../src/state/redis/store.ts';

/** A denial of the agent with everything that a summary can say. */
export const denial = (more: Partial<DecisionSummary> = {}): DecisionSummary => ({
  decision: '01989c1e-0000-7000-8000-000000000001',
  timeMs: Date.UTC(2026, 10, 30),
  result: 'deny',
  reason: 'policy_forbidden',
  caller: 'spiffe://prod.example/ns/agents/sa/billing-agent',
  owner: 'billing',
  task: { issuer: 'prod.example', id: 'task-7', purpose: 'invoicing' },
  action: 'GET',
  resource: { id: 'payments.internal/api/invoices/42', api: 'payments.internal/invoice' },
  host: 'payments.internal',
  credential: 'x509-svid',
  sidecar: 'sidecar-1',
  omitted: 0,
  ...more,
});

/** An allow of it. */
export const permit = (more: Partial<DecisionSummary> = {}): DecisionSummary =>
  denial({ result: 'allow', reason: 'permitted', ...more });

/** A caller that was proven, as checks name it. */
export const proven = (name: string, credential = 'x509-svid', owner = 'billing') => ({
  workload: { id: { text: `spiffe://prod.example/${name}` }, owner },
  credential,
});

/** A page that a list gave. */
export function good<T>(page: Page<T> | BadCursor | Fault): Page<T> {
  assert.ok(page !== BAD_CURSOR && !(page instanceof Fault), page instanceof Fault ? page.detail : 'bad cursor');
  return page;
}

/** All pages of a list, to its end. */
export async function readAll<T>(
  read: (cursor: string | null) => Promise<Page<T> | BadCursor | Fault>,
): Promise<{ readonly pages: readonly (readonly T[])[]; readonly items: readonly T[] }> {
  const pages: (readonly T[])[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Page<T> = good(await read(cursor));
    pages.push(page.items);
    cursor = page.next;
    if (cursor === null) return { pages, items: pages.flat() };
  }
}

const limits: ActivityLimits = { denials: 3000, allows: 50, oneAllowIn: 10, workloads: 100 };

/** What one sidecar with this state writes and reads, and what it told. */
export function storedActivity(
  t: TestContext,
  state: RedisState,
  more: Partial<ActivityLimits> = {},
  clock: Clock = systemClock,
) {
  const seen = { omitted: 0, dropped: 0, failures: 0, faults: [] as string[], warnings: [] as string[] };
  const activity = new RedisActivity({
    limits: { ...limits, ...more },
    store: state,
    clock,
    onOmitted: () => seen.omitted++,
    onDropped: (decisions) => {
      seen.dropped += decisions;
    },
    onFailure: ({ detail }, isNew) => {
      seen.failures++;
      if (isNew) seen.faults.push(detail);
    },
    onDisagreement: (warning) => seen.warnings.push(warning),
  });
  t.after(() => activity.writer.stop(0));
  return { activity, seen };
}
