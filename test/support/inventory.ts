import assert from 'node:assert/strict';
import { Refusal } from '../../src/base/outcome.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import type { Access } from '../../src/inventory/host.ts';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { loadInventory } from '../../src/inventory/load.ts';
import type { Target, Workload } from '../../src/inventory/model.ts';
import { formatProblem } from '../../src/source/problem.ts';

const own = new Set(['prod.example']);

/** A small estate with one of everything that a policy can name, and all that a task can be about. */
export const estate = `teams: [payments, platform, support]
approvals: [resource-owner]
signals: [burst]
purposes:
  reconcile-invoices: { in: [finance] }
  finance: {}
  support: {}
workloads:
  # The issuer is that of test/cases/issuers/keycloak.json.
  - id: spiffe://prod.example/ns/agents/sa/billing-agent
    owner: payments
    kind: agent
    external: false
    groups: [finance-agents]
    labels: { pci: "true" }
    credentials:
      - { issuer: https://sso.prod.example/realms/prod, subject: billing-agent }
      - { issuer: https://sso.prod.example/realms/prod, subject: unscoped-agent }
  - id: spiffe://prod.example/ns/agents/sa/orchestrator
    owner: platform
    kind: agent
    relay: true
    external: false
  - { id: spiffe://prod.example/ns/agents/sa/thief, owner: payments, kind: agent, external: false }
  - { id: spiffe://prod.example/ns/payments/sa/api, owner: payments, kind: service, relay: false }
  - { id: spiffe://partner.example/ns/shop, owner: support, kind: service, relay: false }
  - id: spiffe://prod.example/legacy/erp
    owner: payments
    kind: legacy
    credentials: [{ issuer: https://as.prod.example, subject: erp-sync }]
resources:
  - host: payments.internal
    owner: payments
    sensitivity: confidential
    audience: spiffe://prod.example/ns/payments/sa/api
    origin: https://api.example
    labels: { tier: gold }
    apis:
      - { name: invoices, path: "/api/invoices/{invoice}", scopes: [invoices, ledger] }
      - { name: refunds, path: /api/refunds, sensitivity: restricted, methods: [POST] }
  - { host: docs.internal, owner: platform, sensitivity: public, caseInsensitive: true }
  - { host: no-origin.internal, owner: payments, audience: spiffe://prod.example/ns/payments/sa/api }
  - { host: no-audience.internal, owner: payments, origin: https://api.example }
  - { host: api.partner.example, owner: platform, external: true, origin: https://api.partner.example }
`;

/** An inventory of the given sections (JSON is YAML), beside two teams; it must load. */
export function inventoryOf(sections: Record<string, unknown>, ownTrustDomains: ReadonlySet<string> = own): Inventory {
  return loadedInventory(textOf(sections), ownTrustDomains);
}

/** The inventory of this text; it must load. */
export function loadedInventory(text: string, ownTrustDomains: ReadonlySet<string> = own): Inventory {
  const loaded = loadInventory(text, 'inventory.yaml', { ownTrustDomains });
  if (Array.isArray(loaded)) assert.fail(loaded.map(formatProblem).join('\n'));
  return loaded;
}

/** The messages of all problems that the sections have; they must have some. */
export function problemsOf(sections: Record<string, unknown>): string[] {
  return problemsIn(textOf(sections)).map((problem) => problem.replace(/^\S+ /, ''));
}

/** All problems of the text, each as `file:line:column: message`; it must have some. */
export function problemsIn(text: string): string[] {
  const loaded = loadInventory(text, 'inventory.yaml', { ownTrustDomains: own });
  assert.ok(Array.isArray(loaded), 'the inventory loads without a problem');
  return loaded.map(formatProblem);
}

export function idOf(text: string): SpiffeId {
  const id = SpiffeId.parse(text);
  assert.ok(id instanceof SpiffeId, text);
  return id;
}

/** What the inventory says of the workload; it must know it. */
export function workloadOf(inventory: Inventory, id: string): Workload {
  const workload = inventory.workload(idOf(id));
  if (workload instanceof Refusal) assert.fail(workload.detail);
  return workload;
}

/** `GET payments.internal/api/invoices/42` as plain facts of a request. */
export function access(line: string, more: Partial<Access> = {}): Access {
  const [method = '', target = ''] = line.split(' ');
  const slash = target.indexOf('/');
  return { method, host: target.slice(0, slash), path: target.slice(slash), upgrade: false, grpc: false, ...more };
}

/** The target of such a line; it must not be refused. */
export function targetOf(inventory: Inventory, line: string, more: Partial<Access> = {}): Target {
  const target = inventory.target(access(line, more));
  if (target instanceof Refusal) assert.fail(`${line}: ${target.reason}: ${target.detail}`);
  return target;
}

function textOf(sections: Record<string, unknown>): string {
  return JSON.stringify({ teams: ['payments', 'platform'], workloads: [], resources: [], ...sections }, null, 1);
}
