import type { Clock } from '../../base/clock.ts';
import { dueRotations, rotationsOf, rotationText } from '../../identity/rotation.ts';
import type { Log } from '../../observe/log.ts';
import type { SnapshotHolder } from '../../policy/load/holder.ts';
import { wakeAfter } from '../../source/wall-clock-timer.ts';

/** The days that are left change once a day. */
const LOOK_MS = 3_600_000;
const MAX_SHOWN = 20;

/**
 * Warns of accounts whose API keys end soon, or have ended: when the inventory changes, and once a day. The result ends it.
 */
export function watchRotations(policy: SnapshotHolder, log: Log, clock: Clock): { readonly stop: () => void } {
  let said = '';
  const look = (): void => {
    const inventory = policy.current()?.inventory;
    const now = clock.now();
    const due = inventory === undefined ? [] : dueRotations(inventory, now);
    const accounts = due.slice(0, MAX_SHOWN).map((one) => rotationText(one, now));
    const today =
      due.length === 0 ? '' : [new Date(now).toISOString().slice(0, 10), due.length, ...accounts].join('\n');
    if (today !== said && due.length > 0) log.warn('API keys must be rotated', { count: due.length, accounts });
    said = today;
  };
  let cancel = (): void => {};
  const again = (): void => {
    look();
    cancel = wakeAfter(clock, LOOK_MS, again);
  };
  policy.events.on('loaded', look);
  again();
  return {
    stop: () => {
      policy.events.off('loaded', look);
      cancel();
    },
  };
}

/** How many accounts are due, and how long the keys of the next one are accepted; absent where none has a key. */
export function rotationGauges(policy: Pick<SnapshotHolder, 'current'>, nowMs: number) {
  const inventory = policy.current()?.inventory;
  const [next] = inventory === undefined ? [] : rotationsOf(inventory);
  if (inventory === undefined || next === undefined)
    return { authz_legacy_keys_due: null, authz_legacy_key_expiry_seconds: null };
  return {
    authz_legacy_keys_due: dueRotations(inventory, nowMs).length,
    authz_legacy_key_expiry_seconds: (next.untilMs - nowMs) / 1000,
  };
}
