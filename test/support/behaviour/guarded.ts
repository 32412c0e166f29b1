import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Assessment } from '../../../src/behaviour/signals.ts';
import type { Sensitivity } from '../../../src/inventory/model.ts';
import { loaded, question } from '../policy.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'cedar', 'guardrails');
const hosts = ['public', 'internal', 'confidential', 'restricted'] as const satisfies Record<Sensitivity, string>;

/** Whether the shipped guardrails, over an estate that permits all, refuse a read for what was noticed about the caller. */
export class GuardedEstate {
  readonly #snapshot = loaded(
    { 'all.cedar': '@id("all") permit (principal, action, resource);' },
    {
      guardrails: readdirSync(folder)
        .filter((name) => name.endsWith('.cedar'))
        .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') })),
      inventory: { file: 'inventory.yaml', text: readFileSync(join(folder, 'tests', 'inventory.yaml'), 'utf8') },
    },
  ).snapshot;
  readonly #known = new Map<string, boolean>();

  refuses(kind: 'service' | 'legacy', sensitivity: Sensitivity, { risk, signals }: Assessment): boolean {
    const key = `${kind} ${sensitivity} ${risk} ${signals.join()}`;
    let refused = this.#known.get(key);
    if (refused === undefined) {
      const facts = { risk, signals: new Set(signals), inNetworks: true, client: '10.2.0.7' };
      const asked = question(
        this.#snapshot.inventory,
        `spiffe://prod.example/${kind}`,
        `GET ${hosts[sensitivity]}/x`,
        facts,
      );
      refused = this.#snapshot.decide(asked).result !== 'allow';
      this.#known.set(key, refused);
    }
    return refused;
  }
}
