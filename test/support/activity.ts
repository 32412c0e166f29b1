import type { DecisionSummary } from '../../src/state/activity/model.ts';

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
