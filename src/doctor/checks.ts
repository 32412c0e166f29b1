import { type CheckRow, ENVOY } from './check-row.ts';
import { opening } from './checks-opening.ts';
import { refusing } from './checks-refusing.ts';
import { weakening } from './checks-weakening.ts';

/** A part of the configuration was not seen. */
const hiding = {
  unseen: { message: 'not seen', write: '# give the admin address, or its config dump', reason: ENVOY },
} as const satisfies Readonly<Record<string, CheckRow>>;

/** Everything that the doctor looks for, by what comes of it. */
const byEffect = { opens: opening, weakens: weakening, refuses: refusing, hides: hiding } as const;

/**
 * What comes of a finding. opens: something passes that the sidecar should judge, or is read otherwise than it was judged.
 * weakens: a bound or a second line of defence is missing. refuses: requests that should pass are refused, or nobody is
 * proven. hides: a part of the configuration was not seen.
 */
export type Effect = keyof typeof byEffect;

export type CheckCode = { [E in Effect]: keyof (typeof byEffect)[E] }[Effect];

/** Everything that the doctor looks for, by its code. */
export const checks = Object.fromEntries(
  Object.entries(byEffect).flatMap(([effect, rows]) =>
    Object.entries(rows).map(([code, row]) => [code, { effect, ...row }]),
  ),
) as Readonly<Record<CheckCode, CheckRow & { readonly effect: Effect }>>;
