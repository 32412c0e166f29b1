import type { SpiffePattern } from '../base/spiffe-pattern.ts';
import type { CheckPeer } from '../http/input.ts';

/** Clients of the check port, and the hosts that they may ask about. */
export interface PeerRule {
  readonly pattern: SpiffePattern;
  /** Null: the hosts of the inventory whose `servedBy` holds the peer. */
  readonly hosts: readonly string[] | null;
}

/** Who may ask at the check port: immutable, and swapped as a whole. */
export class Peers {
  readonly #rules: readonly PeerRule[];

  constructor(rules: readonly PeerRule[]) {
    this.#rules = rules;
  }

  /** What this client may ask about: the hosts of all rules that match it. Null: it may not ask. */
  bind({ id, thumbprint, notBefore }: Pick<CheckPeer, 'id' | 'thumbprint' | 'notBefore'>): CheckPeer | null {
    const matching = this.#rules.filter(({ pattern }) => pattern.matches(id));
    if (matching.length === 0) return null;
    return Object.freeze({
      id,
      thumbprint,
      notBefore,
      hosts: new Set(matching.flatMap(({ hosts }) => hosts ?? [])),
      servedHosts: matching.some(({ hosts }) => hosts === null),
    });
  }
}
