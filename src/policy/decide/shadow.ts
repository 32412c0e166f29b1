import { refusalOf } from './permit.ts';
import type { HopVerdict, ShadowMatch } from './question.ts';

/** What enforcing one shadowed policy, and no other, would have made of a whole check. */
export interface ShadowFinding {
  readonly policy: string;
  readonly would: 'allow' | 'deny' | 'error';
}

/**
 * The shadowed policies each of which would have turned what policies decided about a check, sorted by id: a permit that
 * completes it, a forbid or a failing evaluation that refuses it. Each is judged by itself beside the enforced policies,
 * over all hops together, and named at most once. Nothing where Cedar could not be asked about some hop.
 */
export function shadowFindings(verdicts: readonly HopVerdict[]): readonly ShadowFinding[] {
  if (verdicts.every(({ shadow }) => shadow.length === 0)) return [];
  if (verdicts.some(({ failure }) => failure !== null)) return [];
  const allowed = refusalOf(verdicts) === null;
  const policies = new Set(verdicts.flatMap(({ shadow }) => shadow.map(({ policy }) => policy)));
  return [...policies].toSorted().flatMap((policy): ShadowFinding[] => {
    const effects = verdicts.map((verdict) => effectOn(verdict, policy));
    if (!allowed) {
      const completes = verdicts.every(
        ({ result, forbids }, hop) =>
          result === 'allow' || (result === 'deny' && forbids.length === 0 && effects[hop] === 'permit'),
      );
      return completes && !effects.includes('error') ? [{ policy, would: 'allow' }] : [];
    }
    if (effects.includes('error')) return [{ policy, would: 'error' }];
    return effects.includes('forbid') ? [{ policy, would: 'deny' }] : [];
  });
}

function effectOn({ shadow }: HopVerdict, policy: string): ShadowMatch['effect'] | null {
  return shadow.find((match) => match.policy === policy)?.effect ?? null;
}
