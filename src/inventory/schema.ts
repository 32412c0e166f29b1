import { z } from 'zod';
import { legacySchema } from './legacy/schema.ts';
import { kinds, readActions, writeActions } from './model.ts';

/** The names of sensitivities, by rank. */
export const sensitivities = ['public', 'internal', 'confidential', 'restricted'] as const;

/** No slash: a name becomes part of an id, `host/name`. */
const name = z
  .string()
  .max(128)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    "a name is letters, digits, '.', '_' and '-', beginning with a letter or digit",
  );
/** A purpose may be a scope of a token (RFC 6749 section 3.3), so it may hold ':' and '/'. */
const purpose = z
  .string()
  .max(256)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/,
    "a purpose is letters, digits, '.', '_', ':', '/' and '-', beginning with a letter or digit",
  );
const scope = z
  .string()
  .max(256)
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]+$/,
    'a scope is printable ASCII without space, quote and backslash (RFC 6749 section 3.3)',
  );
const text = z.string().min(1, 'an empty text; leave out the key').max(2048);
const labels = z.record(name, z.string().max(1024));
const sensitivity = z.enum(sensitivities);
const loosens = z.literal(true);

const date = z.iso.date('a date is written 2026-11-01');

/** A key that may be left out, and what it means. */
const optional = <T extends z.ZodType>(type: T, meaning: string) => type.optional().describe(meaning);

const credential = z
  .strictObject({ issuer: text, subject: text })
  .describe('A token of this issuer with this subject is this workload. One issuer and subject names one workload.');

export const workloadSchema = z.strictObject({
  id: optional(text, 'The SPIFFE ID of one workload. Exactly one of `id` and `under` is stated.'),
  under: optional(text, 'A SPIFFE ID: the entry applies to every workload below it, by whole path segments.'),
  owner: optional(
    name,
    'The team that is responsible for it. Default: that of the next shorter entry; every workload needs an owner.',
  ),
  kind: optional(z.enum(kinds), 'Default: that of the next shorter entry; without one, agent.'),
  external: optional(
    z.boolean(),
    'Takes input from outside: prompts, mail, the web. Default: true for an agent, else false. Always true for a workload of a foreign trust domain.',
  ),
  relay: optional(z.boolean(), 'Acts for others. Required for a service; for other kinds the default is false.'),
  groups: optional(z.array(name), 'Only with `id`.'),
  labels: optional(labels, 'Added to those of shorter entries; the longer entry wins a name.'),
  credentials: optional(z.array(credential), 'Only with `id`.'),
  networks: optional(
    z
      .array(z.union([z.cidrv4(), z.cidrv6()], 'a network is written 10.2.0.0/16 or fd00::/8'))
      .min(1, 'an empty list admits no address; leave the key out, or name a network'),
    'Where the workload calls from. The networks of a longer entry must be within those of the shorter one, unless it has `loosens`.',
  ),
  legacy: optional(
    legacySchema,
    'What an account presents that cannot hold an SVID yet. Only with `id`, of the kind legacy, with `networks`.',
  ),
  reviewed: optional(date, 'When the entry was last reviewed: for human readers, without effect.'),
  loosens: optional(loosens, 'Confirms that this entry loosens a shorter one, including its defaults.'),
});

export const apiSchema = z.strictObject({
  name: name.describe('Policies call the api `host/name`.'),
  path: text.describe(
    'A template such as /api/invoices/{invoice}: it applies to its path, with or without one trailing slash, and to everything below.',
  ),
  methods: optional(
    z
      .array(z.enum([...readActions, ...writeActions]))
      .min(1, 'an empty list admits no method; leave the key out, or name a method'),
    'Other methods are refused. Default: any, or those of the api around it. An upgrade (WebSocket) counts as CONNECT. If templates cross, each must list the method.',
  ),
  effect: optional(
    z.enum(['read', 'write']),
    "read: a POST to the api's own path only reads, and is the action QUERY. write: a GET, HEAD, OPTIONS or QUERY here or below changes something, and counts as POST.",
  ),
  sensitivity: optional(sensitivity, 'Default: that of the api around it, or of the host.'),
  loosens: optional(
    loosens,
    'Confirms that this api is less sensitive, only reads, or requires fewer scopes than what is around it. An api inside it must have the same key itself.',
  ),
  scopes: optional(
    z.array(scope),
    'A token with scopes needs one of these. Default: those of the api around it, or of the host. If templates cross, one that each accepts.',
  ),
  owner: optional(name, 'Default: the owner of the api around it, or of the host.'),
  labels: optional(labels, 'Added to those of the apis around it and of the host; the innermost wins a name.'),
});

export const hostSchema = z.strictObject({
  host: text.describe('The host as it arrives: lower case, without the default port.'),
  servedBy: optional(
    z.array(text),
    'SPIFFE IDs of the Envoys that serve this host: such an Envoy is assigned this host.',
  ),
  audience: optional(text, 'The `aud` that tokens for this host must have. Without it the host accepts no tokens.'),
  authorization: optional(
    z.enum(['ours', 'app']),
    'Who uses the `Authorization` header: ours, the sidecar (default inside the mesh); app, the application (always for external hosts).',
  ),
  origin: optional(text, 'The external origin (https://api.example) that proofs of possession name.'),
  forward: optional(
    z.array(z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, 'a header name is written in lower case')),
    'Credential headers that are forwarded after an allow, instead of the default.',
  ),
  caseInsensitive: optional(
    z.boolean(),
    'true: the host treats /API as /api; paths are compared, and shown to policies, in lower case. false: it distinguishes them. Default: a path that would be another api in another case is refused.',
  ),
  external: optional(z.boolean(), 'The destination is outside the mesh.'),
  owner: name.optional(),
  sensitivity: optional(sensitivity, 'Default: that of `unlisted`.'),
  scopes: z.array(scope).optional(),
  labels: labels.optional(),
  apis: z.array(apiSchema).optional(),
});

export const inventorySchema = z
  .strictObject({
    teams: z.array(name).describe('All teams that may own something.'),
    approvals: z.array(name).optional().describe('Names of approvals that a policy may ask for.'),
    dualControl: z
      .record(name, z.array(text).min(1, "names nobody; list the provider's groups whose members are in the team"))
      .optional()
      .describe(
        'Teams whose members may not grant what workloads of the team ask an approval for, and the groups of the identity provider whose members are in the team.',
      ),
    signals: z.array(name).optional().describe('Names of behaviour signals that a policy may read.'),
    purposes: z
      .record(
        purpose,
        z.strictObject({ in: z.array(purpose).optional().describe('Wider purposes that this one belongs to.') }),
      )
      .optional()
      .describe('What tasks are for.'),
    workloads: z
      .array(workloadSchema)
      .describe('All workloads. The longest matching entry applies, and must not loosen a shorter one.'),
    workloadsFile: z
      .literal('workloads.jsonl')
      .optional()
      .describe(
        'More workloads stand in this file beside the inventory: one entry a line in JSON, by the same rules. For tens of thousands and more.',
      ),
    resources: z.array(hostSchema).describe('The hosts that may be called.'),
    unlisted: z
      .strictObject({ sensitivity })
      .optional()
      .describe('The sensitivity of a host without one. Default: restricted.'),
  })
  .meta({ title: 'Inventory of cedar-ext-authz' });

export type InventoryFile = z.infer<typeof inventorySchema>;
export type WorkloadEntry = z.infer<typeof workloadSchema>;
export type HostEntry = z.infer<typeof hostSchema>;
export type ApiEntry = z.infer<typeof apiSchema>;
