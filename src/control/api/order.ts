import * as z from 'zod';
import { type Revocation, subjectParts } from '../../state/revocation.ts';
import { oneSubject, revocationFields, revocationId } from '../../state/revocation-entry.ts';
import { isKnownName, type RevocationName, revokedName } from '../../state/revocation-names.ts';
import type { ControlParts } from '../http/parts.ts';
import { ApiProblem } from '../http/problem.ts';

/** An order to revoke, before it is known who gives it. */
export interface Order extends Omit<Revocation, 'id' | 'by'> {
  /** Null: to be made. */
  readonly id: string | null;
  /** A whole trust domain is meant. */
  readonly confirmed: boolean;
}

/** An order as callers write it: an entry of revocations.yaml without `by`, which is whoever asks. */
export const orderSchema = z
  .strictObject({
    id: revocationId.optional(),
    ...revocationFields,
    confirm: z
      .literal(true)
      .optional()
      .describe('Confirms an `under` without a path: every workload of the trust domain.'),
  })
  .transform((entry, ctx): Order => {
    const one = oneSubject(entry, ctx);
    if (one === null) return z.NEVER;
    const { id = null, reason, until, issuedUpTo = null, confirm } = entry;
    const [kind, subject] = one;
    return { id, kind, subject, issuedUpToMs: issuedUpTo, untilMs: until, reason, confirmed: confirm === true };
  });

/**
 * Why an order cannot be meant: it ends in the past, reaches a whole trust domain without saying so, or names a team, an
 * issuer or a trust domain that does not exist. Null: it can.
 */
export function orderProblem(order: Order, parts: ControlParts, nowMs: number): ApiProblem | null {
  if (order.untilMs <= nowMs) return ApiProblem.of('end_past', 'until is past; write a time to come');
  const names = parts.known();
  if (names === null) return ApiProblem.of('policy_unavailable');
  const name = revokedName(order);
  if (name !== null && !isKnownName(name, names))
    return ApiProblem.of('subject_unknown', UNKNOWN[name.kind](name.name).slice(0, 512));
  const reachesAll = order.kind === 'under' && subjectParts(order.subject)[0] === `spiffe://${name?.name}`;
  if (!reachesAll || order.confirmed) return null;
  const detail = `every workload of ${name?.name} would be refused; confirm it with "confirm": true`;
  return ApiProblem.of('confirm_missing', detail);
}

const UNKNOWN: Readonly<Record<RevocationName['kind'], (name: string) => string>> = {
  team: (name) => `no team of the inventory is called ${name}`,
  'trust domain': (name) => `no trust domain is called ${name}: it is not under identity.trustDomains`,
  issuer: (name) =>
    `no issuer is called ${name}; name one of the configuration, or spiffe://TRUST-DOMAIN for JWT-SVIDs`,
};
