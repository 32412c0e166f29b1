import { hash } from 'node:crypto';
import type { SpiffeId } from '../../base/spiffe-id.ts';
import { usualAndNow } from '../../behaviour/usual-and-now.ts';
import type { KnownWorkload, WorkloadBook } from '../../behaviour/workload-book.ts';
import type { BehaviourBook, BehaviourShown } from '../../control/http/parts.ts';
import type { Quarantining } from './quarantine.ts';

/** What the control API shows and changes of what was learned. */
export function knownBehaviour(
  book: WorkloadBook,
  quarantining: Pick<Quarantining, 'untilMs'>,
  mode: BehaviourShown['mode'],
): BehaviourBook {
  const hashes = hash('sha256', `cedar-ext-authz behaviour ${book.seed}`, 'base64url');
  const find = ({ text, trustDomain }: SpiffeId) => book.get(text, trustDomain);
  const change = (id: SpiffeId, how: (baseline: NonNullable<KnownWorkload['baseline']>) => void): boolean => {
    const baseline = find(id)?.baseline ?? null;
    if (baseline !== null) how(baseline);
    return baseline !== null;
  };
  return {
    covers: 'this process',
    show: (id, nowMs) => {
      const known = find(id);
      if (known?.baseline == null) return null;
      return { ...usualAndNow(known.baseline, nowMs), mode, quarantinedUntilMs: quarantining.untilMs(known, nowMs) };
    },
    keep: (id) => {
      const baseline = find(id)?.baseline ?? null;
      return baseline === null ? null : { hashes, bytes: baseline.toBytes() };
    },
    forget: (id) => change(id, (baseline) => baseline.forget()),
    accept: (id) => change(id, (baseline) => baseline.acceptNoted()),
    putBack: (id, kept) => {
      if (kept.hashes !== hashes) return 'other hashes';
      return book.putBack(id.text, id.trustDomain, kept.bytes) ? 'done' : 'no baseline';
    },
  };
}
