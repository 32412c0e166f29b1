import { systemClock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { againstInventory, type InventoryFindings, revocableNames } from '../config/against-inventory.ts';
import type { Config } from '../config/schema.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Emergency } from '../policy/decide/emergency.ts';
import { Engine, type EngineOptions } from '../policy/decide/engine.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { EmergencyHolder } from '../policy/load/emergency-holder.ts';
import { SnapshotHolder } from '../policy/load/holder.ts';
import { policySettings } from '../policy/text/sources.ts';
import { formatProblem } from '../source/problem.ts';
import type { RevocableNames } from '../state/revocation-names.ts';
import { emergencyStatus } from './emergency/emergency.ts';
import { type Part, timeText } from './part.ts';

export { watchEmergency } from './emergency/emergency.ts';

/** The policies with their engine, running: the files are watched. */
export interface Policy extends Part {
  readonly holder: SnapshotHolder;
  readonly emergency: EmergencyHolder;
  /** What new checks are judged by: the current snapshot, with the emergency forbids beside it. Null: nothing is permitted. */
  current(): Snapshot<Inventory> | null;
  /** What the configuration and the inventory in force say against each other; nothing where none is. */
  findings(): InventoryFindings;
  /** What revocations can name; null where no inventory is in force. */
  readonly revocable: () => RevocableNames | null;
  /** The team of a workload; null where the inventory does not know it. */
  readonly ownerOf: (id: SpiffeId) => string | null;
}

/** Told of each snapshot, calls `then` for those whose inventory says something else than that before. */
export function whenInventoryChanges(
  first: Snapshot<Inventory> | null,
  then: () => void,
): (snapshot: Snapshot<Inventory>) => void {
  let digest = first?.inventory.content.digest ?? null;
  return ({ inventory }) => {
    if (inventory.content.digest === digest) return;
    digest = inventory.content.digest;
    then();
  };
}

/** Loads policies and inventory once, and goes on looking at them. */
export async function startPolicy(config: Config, engineOptions: EngineOptions = {}): Promise<Policy> {
  const { folder, inventory, guardrails, label } = config.policy;
  const engine = new Engine(engineOptions);
  const emergency = await EmergencyHolder.open({ folder, engine, clock: systemClock.now });
  const holder = await SnapshotHolder.open({
    paths: { folder, inventory, guardrails: guardrails.folder },
    settings: policySettings(config),
    engine,
    clock: systemClock.now,
  }).catch(async (error: unknown) => {
    await emergency.close();
    engine.close();
    throw error;
  });
  let joined: {
    readonly of: Snapshot<Inventory>;
    readonly with: Emergency;
    readonly snapshot: Snapshot<Inventory>;
  } | null = null;
  const current = (): Snapshot<Inventory> | null => {
    const snapshot = emergency.sound ? holder.current() : null;
    const forbids = emergency.current();
    if (snapshot === null || forbids === null) return snapshot;
    if (joined?.of !== snapshot || joined.with !== forbids)
      joined = { of: snapshot, with: forbids, snapshot: snapshot.beside(forbids) };
    return joined.snapshot;
  };
  return {
    holder,
    emergency,
    current,
    findings: () => {
      const known = holder.current()?.inventory;
      return known === undefined ? { problems: [], notes: [] } : againstInventory(config, known, systemClock.now());
    },
    revocable: () => {
      const known = holder.current()?.inventory;
      return known === undefined ? null : revocableNames(config, known);
    },
    ownerOf: (id) => {
      const workload = holder.current()?.inventory.workload(id);
      return workload === undefined || workload instanceof Refusal ? null : workload.owner;
    },
    missing: () => [
      ...(holder.current() === null ? ['no policy snapshot could be loaded'] : []),
      ...(emergency.sound
        ? []
        : ['an emergency forbid may be missing: emergency/ could not be read whole since the start']),
    ],
    status: () => {
      const { problems, warnings, loadedAt, lastAttemptAt, ...rest } = holder.status();
      const times = { loadedAt: timeText(loadedAt), lastAttemptAt: timeText(lastAttemptAt) };
      const found = { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
      return { policy: { ...rest, label, ...times, ...found, emergency: emergencyStatus(emergency) } };
    },
    stop: async () => {
      await holder.close();
      await emergency.close();
      engine.close();
    },
  };
}
