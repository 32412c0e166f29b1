import type { Config } from './schema.ts';

/** A choice of the configuration that gives protection away. */
interface UnsafeRow {
  /** What is given away, in one clause. */
  readonly gives: string;
  readonly inForce: (config: Config) => boolean;
}

/** Every unsafe choice that the schema knows, by its key; a list element is written `[]`. */
const rows = {
  'listen.unsafePlaintext': {
    gives: 'whoever reaches the check port is believed to be Envoy',
    inForce: ({ listen }) => listen.unsafePlaintext,
  },
  'identity.unsafeTrustEnvoyValidation': {
    gives: 'a caller is believed without a certificate, on the word of Envoy',
    inForce: ({ identity }) => identity.unsafeTrustEnvoyValidation,
  },
  'task.issuers[].unsafeBearer': {
    gives: 'task tokens that are bound to nobody are accepted, so a thief can use them',
    inForce: ({ task }) => task.issuers.some(({ unsafeBearer }) => unsafeBearer),
  },
  'state.unsafePlaintext': {
    gives: 'whoever is on the way to the store can answer in its place, and read its password',
    inForce: ({ state }) => state.unsafePlaintext,
  },
  'state.unsafeMaxStale': {
    gives: 'a sidecar that does not reach the store goes on without new revocations for longer than a minute',
    inForce: ({ state }) => state.unsafeMaxStale,
  },
  'policy.unsafeIgnoreWarnings': {
    gives: 'policies that can never apply are loaded',
    inForce: ({ policy }) => policy.unsafeIgnoreWarnings,
  },
  'policy.unsafeObserveOnly': {
    gives: 'what policies refuse is allowed, and only recorded',
    inForce: ({ policy }) => policy.unsafeObserveOnly,
  },
  'tracing.otlp.unsafePlaintext': {
    gives: 'whoever is on the way to the collector reads ids and reasons of decisions and the headers of `headersFile`',
    inForce: ({ tracing }) => tracing?.otlp.unsafePlaintext === true,
  },
  'audit.onFailure': {
    gives: 'an allow that cannot be recorded is answered all the same',
    inForce: ({ audit }) => audit.onFailure === 'unsafeAllow',
  },
} as const satisfies Readonly<Record<string, UnsafeRow>>;

export type UnsafeSetting = keyof typeof rows;

/** The keys of all unsafe choices, whether or not they are in force. */
export const unsafeSettings = Object.keys(rows) as readonly UnsafeSetting[];

/** The unsafe choices that a configuration makes, each with what it gives away. */
export function unsafeInForce(config: Config): readonly { readonly setting: UnsafeSetting; readonly gives: string }[] {
  return unsafeSettings
    .filter((setting) => rows[setting].inForce(config))
    .map((setting) => ({ setting, gives: rows[setting].gives }));
}
