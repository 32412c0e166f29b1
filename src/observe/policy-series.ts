import type { Counter } from 'prom-client';

/** Policies with a series of their own; those beyond share one. */
const MAX_POLICIES = 1000;
const OTHER = 'other';

/**
 * The series that have a policy as label: those of the snapshot in force and no others, so that their number is bounded. A
 * policy that the next snapshot holds too keeps its count.
 */
export class PolicySeries {
  readonly #forbids: Counter;
  readonly #shadows: Counter;
  #kinds: ReadonlyMap<string, string> = new Map();
  #shadowed: ReadonlySet<string> = new Set();

  constructor(forbids: Counter, shadows: Counter) {
    this.#forbids = forbids;
    this.#shadows = shadows;
  }

  /** The enforced forbids and the shadowed policies of the snapshot that decides from now on. */
  follow(forbids: readonly { readonly id: string; readonly guardrail: boolean }[], shadows: readonly string[]): void {
    const kinds = new Map(forbids.map(({ id, guardrail }) => [id, guardrail ? 'guardrail' : 'policy']));
    const listed = within(kinds.keys());
    for (const [policy, kind] of this.#kinds) {
      if (listed.has(policy) && kinds.get(policy) === kind) continue;
      for (const result of ['deny', 'allow']) this.#forbids.remove({ policy, kind, result });
    }
    this.#kinds = new Map([...kinds].filter(([id]) => listed.has(id)));
    for (const [policy, kind] of this.#kinds) this.#forbids.inc({ policy, kind, result: 'deny' }, 0);
    const shadowed = within(shadows);
    for (const policy of this.#shadowed) if (!shadowed.has(policy)) this.#shadows.remove({ policy });
    for (const policy of shadowed) this.#shadows.inc({ policy }, 0);
    this.#shadowed = shadowed;
  }

  /** These forbids decided one check; `allow` where they were only observed. */
  forbidden(policies: readonly string[], result: 'allow' | 'deny'): void {
    for (const policy of new Set(policies)) {
      // Emergency forbids have a count of their own.
      if (policy.startsWith('emergency/')) continue;
      const kind = this.#kinds.get(policy);
      const labels = kind === undefined ? { policy: OTHER, kind: 'policy' } : { policy, kind };
      this.#forbids.inc({ ...labels, result });
    }
  }

  disagreed(policy: string): void {
    if (this.#shadowed.has(policy)) this.#shadows.inc({ policy });
  }
}

function within(ids: Iterable<string>): ReadonlySet<string> {
  return new Set([...ids].slice(0, MAX_POLICIES));
}
