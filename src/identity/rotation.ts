import type { SpiffeId } from '../base/spiffe-id.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { endOfDayMs } from '../inventory/legacy/rules.ts';

const DAY_MS = 86_400_000;
/** How long before its last key ends an account is due. */
const WARNING_MS = 14 * DAY_MS;

/** An account, and until when its newest key is accepted, in milliseconds since the epoch. */
export interface Rotation {
  readonly id: SpiffeId;
  readonly untilMs: number;
}

/** By inventory, the most urgent first. A key whose successor is there needs nobody's attention. */
const known = new WeakMap<Inventory, readonly Rotation[]>();

/** Every account with API keys, the one whose keys end first in front. */
export function rotationsOf(inventory: Inventory): readonly Rotation[] {
  let found = known.get(inventory);
  if (found === undefined) {
    const byId = new Map<string, Rotation>();
    for (const { id, stated } of inventory.legacyAccounts('key')) {
      const untilMs = Math.max(...(stated.keys ?? []).map(({ rotateBy }) => endOfDayMs(rotateBy)));
      byId.set(id.text, { id, untilMs });
    }
    found = [...byId.values()].toSorted((a, b) => a.untilMs - b.untilMs);
    known.set(inventory, found);
  }
  return found;
}

/** Those whose keys all end within 14 days, or have ended. */
export const dueRotations = (inventory: Inventory, nowMs: number): readonly Rotation[] =>
  rotationsOf(inventory).filter(({ untilMs }) => untilMs - nowMs <= WARNING_MS);

/** What is to be done about one of them, in words for whoever runs the sidecar. */
export function rotationText({ id, untilMs }: Rotation, nowMs: number): string {
  const last = new Date(untilMs - DAY_MS).toISOString().slice(0, 10);
  return untilMs <= nowMs
    ? `the API keys of ${id.text} ended on ${last}, so it is refused; make a new one, or remove them`
    : `the API keys of ${id.text} end on ${last}; make a new one, and give it to the account`;
}
