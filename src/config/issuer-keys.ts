import { isFetchable } from '../token/fetch-url.ts';
import type { KeyOrigin } from '../token/jwks-document.ts';
import { jwsAlgorithms, standardAlgorithms } from '../token/jws-algorithms.ts';
import { type Context, contradiction } from './contradiction.ts';
import * as s from './values/scalars.ts';

/** Signature algorithms, of which at least one is needed. */
export const algorithms = () =>
  s
    .list(s.word(jwsAlgorithms), 16, s.self)
    .min(1, { error: 'is empty, so no token could be accepted; leave the key out for the default' })
    .prefault([...standardAlgorithms])
    .describe('Signature algorithms that are accepted');

/** The keys of the configuration that say where an issuer's keys are, and which of them count. */
export const keyShape = (folder: string) => ({
  jwks: s
    .optional(
      s
        .section({
          file: s.optional(s.path(folder)).describe('A file with the JWK Set; read again when it changes'),
          url: s.optional(s.fetchUrl()).describe('A URL of the JWK Set; refreshed in the background'),
        })
        .check((ctx) => {
          if ((ctx.value.file === null) === (ctx.value.url === null))
            contradiction(ctx, [], 'needs exactly one of file, url');
        }),
    )
    .describe('Where the issuer’s keys are'),
  discovery: s.flag().describe('Find the keys through the issuer’s OpenID or OAuth metadata'),
  ca: s
    .optional(s.path(folder))
    .describe(
      'With jwks.url or discovery: PEM file of the authorities that verify the server, instead of the system’s',
    ),
  maxStale: s
    .duration('1s')
    .prefault('24h')
    .describe('Age since the last successful read of the keys beyond which tokens of this issuer are refused'),
  required: s.flag(true).describe('Not ready without these keys'),
  algorithms: algorithms(),
});

interface KeyChoice {
  readonly issuer: string;
  readonly jwks: { readonly file: string | null; readonly url: string | null } | null;
  readonly discovery: boolean;
  readonly ca: string | null;
}

/** An issuer names exactly one origin of its keys, and discovery needs an address. */
export function checkKeys(ctx: Context & { value: KeyChoice }): void {
  const { issuer, jwks, discovery, ca } = ctx.value;
  if ((jwks !== null) === discovery) contradiction(ctx, [], 'needs exactly one of jwks, discovery: true');
  if (discovery && !isFetchable(issuer)) {
    contradiction(ctx, ['issuer'], 'cannot be discovered: it is not an https URL; name the keys with jwks');
  }
  if (ca !== null && jwks?.file != null)
    contradiction(ctx, ['ca'], 'proves a server, and the keys are in a file; drop it');
}

function keyOrigin({ jwks, ca }: KeyChoice): KeyOrigin {
  if (jwks?.file != null) return { from: 'file', path: jwks.file };
  if (jwks?.url != null) return { from: 'url', url: jwks.url, ca };
  return { from: 'discovery', ca };
}

/** An issuer as the parts want it: one origin of its keys, and units in the names. */
export function withKeys<I extends KeyChoice & { readonly maxStale: number; readonly maxLifetime: number }>(issuer: I) {
  const { jwks, discovery, ca, maxStale, maxLifetime, ...rest } = issuer;
  return { ...rest, keys: keyOrigin(issuer), maxStaleMs: maxStale, maxLifetimeMs: maxLifetime };
}
