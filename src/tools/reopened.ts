import { type Reason, Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { Inventory } from '../inventory/inventory.ts';

/** A check that was refused before policies were asked, as its audit line tells it. */
export interface EarlyRefusal {
  readonly reason: string;
  readonly detail: string;
  /** The revision that was in force; null where the request could not be read, which no inventory changes. */
  readonly revision: string | null;
  readonly method: string | null;
  readonly host: string | null;
  /** Decoded. */
  readonly path: string | null;
}

/**
 * Whether an inventory still refuses what another one refused before policies were asked. `opened`: not for this reason
 * any more; what follows is not known. `untold`: the line does not hold what would tell.
 */
export type Reopening = 'refused' | 'opened' | 'untold';

type Judge = (refusal: EarlyRefusal, inventory: Inventory) => Reopening;

/** The reasons for which an inventory refuses before policies are asked. Every other early refusal rests on the request. */
const JUDGES: ReadonlyMap<string, Judge> = new Map<Reason, Judge>([
  ['request_host_unknown', targetOpened],
  ['request_method_not_allowed', targetOpened],
  ['request_path_ambiguous', targetOpened],
  ['request_host_not_served', servedOpened],
  ['caller_unregistered', workloadOpened],
  ['chain_unregistered', workloadOpened],
  ['task_purpose', () => 'untold'],
  ['identity_token_audience', () => 'untold'],
  ['identity_token_subject', () => 'untold'],
  ['task_token_audience', () => 'untold'],
  ['task_txn_audience', () => 'untold'],
  ['task_proof_target', () => 'untold'],
  ['task_wpt_target', () => 'untold'],
]);

/** What this inventory makes of a refusal that came before policies. */
export function reopening(refusal: EarlyRefusal, inventory: Inventory): Reopening {
  if (refusal.revision === null) return 'refused';
  return JUDGES.get(refusal.reason)?.(refusal, inventory) ?? 'refused';
}

/** Whether an upgrade or a gRPC call was asked for, such a line does not hold: each is tried. */
function targetOpened({ method, host, path }: EarlyRefusal, inventory: Inventory): Reopening {
  if (method === null || host === null || path === null) return 'untold';
  const asked = { method, host, path, upgrade: false, grpc: false };
  const kinds = [asked, { ...asked, upgrade: true }, { ...asked, grpc: true }];
  const open = kinds.some((access) => !(inventory.target(access) instanceof Refusal));
  return open ? 'opened' : 'refused';
}

function servedOpened({ host }: EarlyRefusal, { hosts }: Inventory): Reopening {
  return host !== null && (hosts.get(host)?.servedBy.size ?? 0) > 0 ? 'untold' : 'refused';
}

/** The detail names the workload, unless a token named it by a subject. */
function workloadOpened({ detail }: EarlyRefusal, inventory: Inventory): Reopening {
  const id = SpiffeId.parse(/spiffe:\/\/\S+/.exec(detail)?.[0] ?? '');
  if (id instanceof Refusal) return 'untold';
  return inventory.workload(id) instanceof Refusal ? 'refused' : 'opened';
}
