import { z } from 'zod';

/** Keys of one account: the one that is used, and its successor while it is rotated. */
const MAX_KEYS = 2;
const MAX_HOSTS = 64;
const MAX_CERTIFICATES = 8;

const digest = (what: string) =>
  z.string().regex(/^[0-9a-f]{64}$/, `the SHA-256 of ${what} is 64 hex digits in lower case`);

const key = z.strictObject({
  sha256: digest("a key, as 'cedar-ext-authz key new' prints it,").describe(
    'SHA-256 of the key. The key itself stands in no file.',
  ),
  created: z.iso
    .datetime({ precision: 0, error: 'an instant is written in UTC: 2026-11-01T12:00:00Z' })
    .describe('When it was made: its age is measured from here, and it is not accepted before.'),
  rotateBy: z.iso
    .date('a date is written 2026-11-01')
    .describe('The last day (UTC) on which it is accepted, at most 366 days after `created`.'),
});

const certificate = z.union(
  [
    z.strictObject({ sha256: digest('a certificate').describe('SHA-256 of the certificate, as DER.') }),
    z.strictObject({
      authority: z
        .string()
        .min(1)
        .max(128)
        .describe('A name under `identity.legacy.authorities` of the configuration.'),
      dnsName: z
        .string()
        .max(253)
        .regex(
          /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
          'a DNS name is written in lower case, without a wildcard',
        )
        .describe('A DNS name that the certificate has, by exactly this text.'),
    }),
  ],
  "a certificate is named by 'sha256', or by 'authority' and 'dnsName'",
);

/** What the entry of a legacy account says of its credentials. */
export const legacySchema = z.strictObject({
  hosts: z
    .array(z.string().min(1, 'an empty text; name a host').max(2048))
    .min(1, 'an empty list admits no host; name those that the account calls')
    .max(MAX_HOSTS, `at most ${MAX_HOSTS} hosts; an account that calls more needs an SVID`)
    .describe('The hosts that its credentials are good for.'),
  keys: z
    .array(key)
    .min(1, 'an empty list; leave the key out')
    .max(MAX_KEYS, `at most ${MAX_KEYS} keys: one, and its successor while it is rotated`)
    .optional()
    .describe('Its API keys, by their digests.'),
  certificates: z
    .array(certificate)
    .min(1, 'an empty list; leave the key out')
    .max(MAX_CERTIFICATES, `at most ${MAX_CERTIFICATES} certificates`)
    .optional()
    .describe('Its certificates without a SPIFFE ID: one by its digest, or those of an authority with a DNS name.'),
});

/** A certificate that an entry names. */
export type LegacyCertificateEntry = z.infer<typeof certificate>;
export type LegacyEntry = z.infer<typeof legacySchema>;
