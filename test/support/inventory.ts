import assert from 'node:assert/strict';
import { Refusal } from '../../src/base/outcome.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import type { Access } from '../../src/inventory/host.ts';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { loadInventory } from '../../src/inventory/load.ts';
import type { Target, Workload } from '../../src/inventory/model.ts';
import { formatProblem } from '../../src/source/problem.ts';

const own = new Set(['prod.example']);

/** An inventory of the given sections (JSON is YAML), beside two teams; it must load. */
export function inventoryOf(sections: Record<string, unknown>, ownTrustDomains: ReadonlySet<string> = own): Inventory {
  const loaded = loadInventory(textOf(sections), 'inventory.yaml', { ownTrustDomains });
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
