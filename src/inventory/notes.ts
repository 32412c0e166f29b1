import type { InventoryFile } from './schema.ts';

/** Every address of a family: a network of no bits. */
const EVERYWHERE = /\/0+$/;

/**
 * What an inventory says that works and is wider than anybody is likely to mean, one line each: networks that hold every
 * address, and a sensitivity of unlisted hosts that protects nothing.
 */
export function notesOn({ workloads, unlisted }: InventoryFile): readonly string[] {
  const notes = workloads.flatMap(({ id, under, networks }) =>
    (networks ?? [])
      .filter((network) => EVERYWHERE.test(network))
      .map(
        (network) =>
          `networks of ${id ?? under} holds ${network}, which is every address; name the networks that it calls from, or leave the key out`,
      ),
  );
  if (unlisted?.sensitivity === 'public') {
    notes.push(
      'unlisted is public: a host that states no sensitivity is open to the weakest proof; leave it at restricted',
    );
  }
  return Object.freeze(notes);
}
