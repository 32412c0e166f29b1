import type { Headers } from './input.ts';

/**
 * The headers in which a caller presents credentials, in lower case, and who else uses them: `mesh` nobody, `shared` the
 * application too, where its host says so. Every part that treats such a header in a way of its own reads this table.
 */
const table = {
  authorization: 'shared',
  dpop: 'shared',
  'txn-token': 'mesh',
  'workload-identity-token': 'mesh',
  'workload-proof-token': 'mesh',
} as const;

export type CredentialHeader = keyof typeof table;

export const credentialHeaders = Object.freeze(Object.keys(table)) as readonly CredentialHeader[];
/** Those that an application uses too. */
export const sharedCredentialHeaders = credentialHeaders.filter((name) => table[name] === 'shared');
/** Those that carry credentials of the mesh alone. */
export const meshCredentialHeaders = credentialHeaders.filter((name) => table[name] === 'mesh');
/** What proxies say about the certificate of a client: theirs, and never presented by a caller. */
export const FORWARDED_HEADER = 'x-forwarded-client-cert';

/** RFC 6750 section 2.1 and RFC 9449 section 7.1: scheme, spaces, token68 (RFC 9110 sections 11.2 and 11.4). */
const ONE_TOKEN = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i;

/** An `Authorization` header, read once. */
export interface Authorization {
  /** Null: neither Bearer nor DPoP with one token. */
  readonly scheme: 'bearer' | 'dpop' | null;
  /** What follows the scheme, whatever the scheme is: a `Basic` credential, too, is one that a proof must cover. */
  readonly text: string;
}

/** The texts of the credentials of a request. Nothing in them is verified. */
export type CredentialTexts = { readonly authorization: Authorization | null } & {
  readonly [name in Exclude<CredentialHeader, 'authorization'>]: string | null;
};

/** Reads the one value of each header of the table. Only behind the guard, which refuses repeated and unclean ones. */
export function readCredentialTexts(headers: Headers): CredentialTexts {
  const authorization = guardedValue(headers, 'authorization');
  return {
    authorization: authorization === null ? null : readAuthorization(authorization),
    dpop: guardedValue(headers, 'dpop'),
    'txn-token': guardedValue(headers, 'txn-token'),
    'workload-identity-token': guardedValue(headers, 'workload-identity-token'),
    'workload-proof-token': guardedValue(headers, 'workload-proof-token'),
  };
}

/** The value of a header that the guard let pass, null when it is absent. Throws where the guard cannot have seen it. */
export function guardedValue(headers: Headers, name: string): string | null {
  const values = headers.all(name);
  const value = values[0];
  if (value === undefined) return null;
  if (values.length > 1 || headers.unclean.has(name)) throw new Error(`${name} was not guarded`);
  return value;
}

function readAuthorization(value: string): Authorization {
  const [, scheme, token] = ONE_TOKEN.exec(value) ?? [];
  if (scheme !== undefined && token !== undefined)
    return { scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', text: token };
  // Split at the first space: a regex that looks for the end of the spaces could be made to look again and again.
  return { scheme: null, text: value.slice(value.indexOf(' ') + 1).trim() };
}
