import * as z from 'zod';
import { type Revocation, subjectParts } from '../../state/revocation.ts';
import { oneSubject, revocationFields, revocationId } from '../../state/revocation-entry.ts';
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
  const [first = ''] = subjectParts(order.subject);
  switch (order.kind) {
    case 'under':
    case 'workload': {
      const [trustDomain = '', ...path] = first.slice('spiffe://'.length).split('/');
      if (!parts.known.trustDomains.has(trustDomain))
        return unknown(`no trust domain is called ${trustDomain}: it is not under identity.trustDomains`);
      if (path.length > 0 || order.confirmed) return null;
      const detail = `every workload of ${trustDomain} would be refused; confirm it with "confirm": true`;
      return ApiProblem.of('confirm_missing', detail);
    }
    case 'owner': {
      const inventory = parts.snapshot()?.inventory;
      return inventory?.known.teams.has(first) === true ? null : unknown(`no team of the inventory is called ${first}`);
    }
    case 'task':
    case 'subject':
      return issuerProblem(first, parts);
    case 'token':
      return first.startsWith('sha256:') ? null : issuerProblem(first, parts);
    case 'key':
    case 'certificate':
      return null;
  }
}

function issuerProblem(issuer: string, { known }: ControlParts): ApiProblem | null {
  if (known.issuers.has(issuer)) return null;
  return unknown(
    `no issuer is called ${issuer}; name one of the configuration, or spiffe://TRUST-DOMAIN for JWT-SVIDs`,
  );
}

const unknown = (detail: string): ApiProblem => ApiProblem.of('subject_unknown', detail.slice(0, 512));
