import type { AuditRecord } from '../../src/observe/record.ts';

/** A record of an allow as the design shows it; `change` replaces members of the top level. */
export function auditRecord(change: Partial<AuditRecord> = {}): AuditRecord {
  const caller = 'spiffe://prod.example/ns/agents/sa/billing-agent';
  return {
    time: Date.UTC(2026, 10, 25, 10, 0, 0, 123),
    decision: '01994c00-0000-7000-8000-000000000001',
    result: 'allow',
    reason: 'permitted',
    detail: null,
    caller: {
      id: caller,
      owner: 'payments',
      kind: 'agent',
      credential: 'x509-svid',
      fingerprint: 'sha256:9f2c',
      proxy: null,
    },
    task: null,
    hops: [
      {
        id: caller,
        owner: 'payments',
        kind: 'agent',
        role: 'caller',
        result: 'allow',
        permits: ['billing-agent-reads-invoices'],
        forbids: [],
      },
    ],
    action: 'GET',
    resource: {
      id: 'payments.internal/api/invoices/42',
      api: 'payments.internal/invoices',
      owner: 'payments',
      sensitivity: 2,
    },
    facts: {
      client: '10.0.0.9',
      query: null,
      declared: null,
      secondsLeft: null,
      inNetworks: null,
      credentialAge: 60,
      approvals: [],
      risk: null,
      signals: [],
      headers: {},
      numbers: {},
      touched: null,
    },
    request: {
      id: 'r-1',
      peer: null,
      from: '10.0.0.9',
      method: 'GET',
      host: 'payments.internal',
      path: '/api/invoices/42',
      traceparent: null,
    },
    policy: { revision: 'sha256:4be1', label: null, unsafe: [], errors: [], shadow: [], observed: null },
    micros: { total: 412, identity: 8, policy: 61 },
    ...change,
  };
}
