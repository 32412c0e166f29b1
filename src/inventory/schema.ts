import { z } from 'zod';
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
const text = z.string().min(1, 'an empty text says nothing; leave the key out').max(2048);
const labels = z.record(name, z.string().max(1024));
const sensitivity = z.enum(sensitivities);
const loosens = z.literal(true);

const date = z.iso.date('a date is written 2026-11-01');

const credential = z
  .strictObject({ issuer: text, subject: text })
  .describe('A token of this issuer with this subject is this workload. One issuer and subject names one workload.');

export const workloadSchema = z.strictObject({
  id: text.optional().describe('The SPIFFE ID of one workload. Exactly one of `id` and `under` is stated.'),
  under: text.optional().describe('A SPIFFE ID: the entry holds for every workload below it, by whole segments.'),
  owner: name
    .optional()
    .describe(
      'The team that answers for it. Taken from the next shorter entry where not stated; somebody must own it.',
    ),
  kind: z
    .enum(kinds)
    .optional()
    .describe('Taken from the next shorter entry where not stated; where none states it: agent.'),
  external: z
    .boolean()
    .optional()
    .describe(
      'Takes input from outside: prompts, mail, the web. Not stated by any entry: true for an agent, else false. A workload of a foreign trust domain always is.',
    ),
  relay: z.boolean().optional().describe('Acts for others. A service states it; for other kinds the default is false.'),
  groups: z.array(name).optional().describe('Only with `id`.'),
  labels: labels.optional().describe('Added to those of shorter entries; the longer entry wins a name.'),
  credentials: z.array(credential).optional().describe('Only with `id`.'),
  networks: z
    .array(z.union([z.cidrv4(), z.cidrv6()], 'a network is written 10.2.0.0/16 or fd00::/8'))
    .min(1, 'an empty list admits no address; leave the key out, or name a network')
    .optional()
    .describe(
      'Where the workload calls from. A longer entry names networks within those of the shorter one, unless it says `loosens`.',
    ),
  reviewed: date
    .optional()
    .describe('When somebody last looked at the entry: for whoever reads the file. Decides nothing.'),
  loosens: loosens
    .optional()
    .describe('Says that this entry loosens what a shorter one says, defaults included, and means it.'),
});

export const apiSchema = z.strictObject({
  name: name.describe('Policies call the api `host/name`.'),
  path: text.describe(
    'A template such as /api/invoices/{invoice}: it holds for its path, with or without one trailing slash, and for all below.',
  ),
  methods: z
    .array(z.enum([...readActions, ...writeActions]))
    .min(1, 'an empty list admits no method; leave the key out, or name a method')
    .optional()
    .describe(
      'Every other method is refused. Not stated: any, or what the api around it lists. An upgrade (WebSocket) counts as CONNECT. Where templates cross, each must list it.',
    ),
  effect: z
    .enum(['read', 'write'])
    .optional()
    .describe(
      "read: a POST to the api's own path only reads, and is the action QUERY. write: a GET, HEAD, OPTIONS or QUERY here or below changes something, and is judged as POST.",
    ),
  sensitivity: sensitivity.optional().describe('Not stated: that of the api around it, or of the host.'),
  loosens: loosens
    .optional()
    .describe(
      'Says that this api is less sensitive, less of a write, or asks for fewer scopes than what is around it, and means it. An api that lies in it states the same key itself.',
    ),
  scopes: z
    .array(scope)
    .optional()
    .describe(
      'A token that carries scopes needs one of these. Not stated: those of the api around it, or of the host. Where templates cross, one that each takes.',
    ),
  owner: name.optional().describe('Not stated: the owner of the api around it, or of the host.'),
  labels: labels
    .optional()
    .describe('Added to those of the apis around it and of the host; the innermost wins a name.'),
});

export const hostSchema = z.strictObject({
  host: text.describe('The host as it arrives: lower case, without the default port.'),
  servedBy: z
    .array(text)
    .optional()
    .describe('SPIFFE IDs of the Envoys that serve this host: such an Envoy vouches for the host name.'),
  audience: text.optional().describe('What `aud` our tokens must hold. Without it the host accepts no token of ours.'),
  authorization: z
    .enum(['ours', 'app'])
    .optional()
    .describe(
      "Whose the `Authorization` header is: ours (default inside), or the application's (always so for external hosts).",
    ),
  origin: text.optional().describe('The external origin (https://api.example) that proofs of possession name.'),
  forward: z
    .array(z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, 'a header name is written in lower case'))
    .optional()
    .describe('Credential headers that travel on after an allow, in place of the default.'),
  caseInsensitive: z
    .boolean()
    .optional()
    .describe(
      'true: the host takes /API for /api; paths are compared, and shown to policies, in lower case. false: it tells them apart. Not stated: a path that would be another api in another case is refused.',
    ),
  external: z.boolean().optional().describe('The destination lies outside the mesh.'),
  owner: name.optional(),
  sensitivity: sensitivity.optional().describe('Not stated: that of `unlisted`.'),
  scopes: z.array(scope).optional(),
  labels: labels.optional(),
  apis: z.array(apiSchema).optional(),
});

export const inventorySchema = z
  .strictObject({
    teams: z.array(name).describe('Everybody who may own something.'),
    approvals: z.array(name).optional().describe('Names of approvals that a policy may ask for.'),
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
      .describe('Every machine consumer. The longest entry that holds wins, and loosens nothing of a shorter one.'),
    resources: z.array(hostSchema).describe('What may be called.'),
    unlisted: z
      .strictObject({ sensitivity })
      .optional()
      .describe('How sensitive is a host that does not state it. Default: restricted.'),
  })
  .meta({ title: 'Inventory of cedar-ext-authz' });

export type InventoryFile = z.infer<typeof inventorySchema>;
export type WorkloadEntry = z.infer<typeof workloadSchema>;
export type HostEntry = z.infer<typeof hostSchema>;
export type ApiEntry = z.infer<typeof apiSchema>;

/** The JSON Schema of the inventory file (draft 2020-12), for editors: docs/inventory.schema.json. */
export function inventoryJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(inventorySchema, { io: 'input' }), null, 2)}\n`;
}
