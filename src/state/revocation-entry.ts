import { z } from 'zod';
import { SpiffeId } from '../base/spiffe-id.ts';
import { REVOCATION_ID, type Revocation, type RevocationKind, subjectKey } from './revocation.ts';

const text = z.string().min(1, 'an empty text; leave out the key').max(2048);
const instant = z.iso
  .datetime({ offset: true, error: 'write a time such as 2026-11-30T12:00:00Z' })
  .transform((written) => Date.parse(written));
const fingerprint = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'write sha256: and 64 hex digits in lower case, as audit lines hold it');
const key = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'write the SHA-256 thumbprint of the JWK (RFC 7638), 43 characters of base64url');
const spiffeId = text.transform((written, ctx): SpiffeId => {
  const id = SpiffeId.parse(written);
  if (id instanceof SpiffeId) return id;
  ctx.addIssue({ code: 'custom', message: `is no SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path` });
  return z.NEVER;
});
const workload = spiffeId.refine(({ path }) => path !== '', 'names a trust domain; write it under `under`');

export const revocationId = z
  .string()
  .regex(REVOCATION_ID, "an id is at most 64 letters, digits, '.', '_' and '-'")
  .describe('Names this revocation; it stands in audit lines.');

/** What a person writes of one revocation, whoever orders it and wherever. */
export const revocationFields = {
  workload: workload.optional().describe('The SPIFFE ID of one workload.'),
  under: spiffeId.optional().describe('Every workload below this SPIFFE ID, by whole path segments, and itself.'),
  owner: text.optional().describe('Every workload of this team.'),
  task: z.strictObject({ issuer: text, id: text }).optional().describe('One task.'),
  token: z
    .union([z.strictObject({ issuer: text, jti: text }), z.strictObject({ digest: fingerprint })])
    .optional()
    .describe('One token, by its `iss` and `jti`, or by the digest that audit lines hold.'),
  key: key.optional().describe('A key that tokens are bound to, or that proofs are made with: its JWK thumbprint.'),
  certificate: fingerprint.optional().describe('One certificate, by its fingerprint.'),
  subject: z
    .strictObject({ issuer: text, subject: text })
    .optional()
    .describe('Every token of this issuer (`iss`) for this subject (`sub`).'),
  issuedUpTo: instant
    .optional()
    .describe('Hits only tokens and certificates issued up to then; left out: all, whenever they were issued.'),
  until: instant.describe('When the revocation ends.'),
  reason: text.describe('Why.'),
};

/** How a person writes one revocation in a file. */
export const revocationSchema = z
  .strictObject({
    id: revocationId,
    ...revocationFields,
    wholeTrustDomain: z
      .literal(true)
      .optional()
      .describe('Confirms an `under` without a path: every workload of the trust domain.'),
    by: text.describe('Who ordered it.'),
  })
  .transform((entry, ctx): Revocation => {
    const one = oneSubject(entry, ctx);
    if (one === null) return z.NEVER;
    if (entry.under?.path === '' && entry.wholeTrustDomain === undefined) {
      const message = 'revokes every workload of a trust domain; add a path, or confirm with wholeTrustDomain: true';
      ctx.addIssue({ code: 'custom', path: ['under'], message });
      return z.NEVER;
    }
    const { id, reason, by, until, issuedUpTo = null } = entry;
    const [kind, subject] = one;
    return { id, kind, subject, issuedUpToMs: issuedUpTo, untilMs: until, reason, by };
  });

/** The one thing that an entry names; null, with an issue, where it names none or several. */
export function oneSubject(entry: Subjects, ctx: z.core.$RefinementCtx): readonly [RevocationKind, string] | null {
  const [one, ...more] = subjectsOf(entry);
  if (one !== undefined && more.length === 0) return one;
  const kinds = 'workload, under, owner, task, token, key, certificate, subject';
  const message =
    one === undefined
      ? `revokes nothing; name one of ${kinds}`
      : 'names two subjects; write a revocation for each of them';
  ctx.addIssue({ code: 'custom', message });
  return null;
}

interface Subjects {
  readonly workload?: SpiffeId | undefined;
  readonly under?: SpiffeId | undefined;
  readonly owner?: string | undefined;
  readonly task?: { readonly issuer: string; readonly id: string } | undefined;
  readonly token?: { readonly issuer: string; readonly jti: string } | { readonly digest: string } | undefined;
  readonly key?: string | undefined;
  readonly certificate?: string | undefined;
  readonly subject?: { readonly issuer: string; readonly subject: string } | undefined;
}

function subjectsOf(entry: Subjects): readonly (readonly [RevocationKind, string])[] {
  const { workload, under, owner, task, token, key, certificate, subject } = entry;
  const parts: readonly (readonly [RevocationKind, readonly string[] | undefined])[] = [
    ['workload', workload && [workload.text]],
    ['under', under && [under.text]],
    ['owner', owner === undefined ? undefined : [owner]],
    ['task', task && [task.issuer, task.id]],
    ['token', token && ('digest' in token ? [token.digest] : [token.issuer, token.jti])],
    ['key', key === undefined ? undefined : [key]],
    ['certificate', certificate === undefined ? undefined : [certificate]],
    ['subject', subject && [subject.issuer, subject.subject]],
  ];
  return parts.flatMap(([kind, values]) =>
    values === undefined ? [] : [[kind, subjectKey(kind, ...values)] as const],
  );
}
