import { Refusal } from '../base/outcome.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Host } from '../inventory/model.ts';
import { inNetworks } from '../inventory/networks.ts';
import type { LegacyAccount } from '../inventory/workloads.ts';
import type { Credential } from './caller.ts';

/** Credentials that outlive their use by months: they prove who calls, and never a task. */
const legacyCredentials: ReadonlySet<Credential> = new Set(['api-key', 'legacy-certificate']);

export const isLegacy = (credential: Credential): boolean => legacyCredentials.has(credential);

/**
 * Null where the account may use its legacy credentials at this host and from this address. Part of the proof, and not of
 * policies: no setting lets a stolen one be used elsewhere. An address that nobody knows (null) is in no network.
 */
export function boundsFault(
  { id, stated }: LegacyAccount,
  host: Pick<Host, 'name'>,
  client: string | null,
  known: Inventory,
): Refusal | null {
  if (!stated.hosts.includes(host.name))
    return new Refusal('identity_legacy_host', `the credentials of ${id.text} are not for ${host.name}`);
  const workload = known.workload(id);
  if (workload instanceof Refusal) return workload;
  if (inNetworks(workload, client) === true) return null;
  const where = client === null ? 'an address that nobody knows' : `${client}, which is in none of its networks`;
  return new Refusal('identity_legacy_network', `${id.text} calls from ${where}`);
}
