import { z } from 'zod';

/** Keys of one account: the one that is used, and its successor while it is rotated. */
const MAX_KEYS = 2;
const MAX_HOSTS = 64;

const key = z.strictObject({
  sha256: z
    .string()
    .regex(
      /^[0-9a-f]{64}$/,
      "the SHA-256 of a key is 64 hex digits in lower case, as 'cedar-ext-authz key new' prints it",
    )
    .describe('SHA-256 of the key. The key itself stands in no file.'),
  created: z.iso
    .datetime({ precision: 0, error: 'an instant is written in UTC: 2026-11-01T12:00:00Z' })
    .describe('When it was made: its age is measured from here, and it is not accepted before.'),
  rotateBy: z.iso
    .date('a date is written 2026-11-01')
    .describe('The last day (UTC) on which it is accepted, at most 366 days after `created`.'),
});

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
});

export type LegacyEntry = z.infer<typeof legacySchema>;
