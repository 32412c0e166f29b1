import { SpiffeId } from '../base/spiffe-id.ts';
import type { DataPath } from '../source/yaml.ts';
import { kindOf, type Revocation, subjectParts } from './revocation.ts';

/** What a revocation can name that must be known, since no credential of a stranger is ever accepted. */
export interface RevocableNames {
  /** Of the inventory. */
  readonly teams: ReadonlySet<string>;
  /** `iss` of the configured issuers. */
  readonly issuers: ReadonlySet<string>;
  /** That are configured. */
  readonly trustDomains: ReadonlySet<string>;
}

/** A team, an issuer or a trust domain that a revocation names. */
export interface RevocationName {
  readonly kind: 'team' | 'issuer' | 'trust domain';
  readonly name: string;
  /** Where it stands in the entry. */
  readonly path: DataPath;
}

/** The team, issuer or trust domain that a revocation names; null where it names a key, a certificate or a digest alone. */
export function revokedName({ subject }: Pick<Revocation, 'subject'>): RevocationName | null {
  const kind = kindOf(subject);
  const [first = '', ...more] = subjectParts(subject);
  switch (kind) {
    case 'workload':
    case 'under':
      return { kind: 'trust domain', name: trustDomainOf(first), path: [kind] };
    case 'owner':
      return { kind: 'team', name: first, path: ['owner'] };
    case 'task':
    case 'token':
    case 'subject':
      return more.length === 0 ? null : { kind: 'issuer', name: first, path: [kind, 'issuer'] };
    case 'key':
    case 'certificate':
      return null;
  }
}

/**
 * What is wrong with a name: null where it is known. A revocation of something unknown hits nothing, and is most likely
 * misspelt. Whether a workload, a token or a key exists is not asked.
 */
export function unknownName({ kind, name }: Omit<RevocationName, 'path'>, known: RevocableNames): string | null {
  if (isKnownName({ kind, name }, known)) return null;
  const quoted = JSON.stringify(name.length <= MAX_SHOWN ? name : `${name.slice(0, MAX_SHOWN)}…`);
  switch (kind) {
    case 'team':
      return `hits nothing: the inventory lists no team ${quoted}; correct it, or list the team`;
    case 'trust domain':
      return `hits nothing: identity.trustDomains has no ${quoted}; correct it, or add the trust domain`;
    case 'issuer':
      return `hits nothing, most likely: neither identity.oidc nor task.issuers has the issuer ${quoted}; correct it, or write spiffe://TRUST-DOMAIN for JWT-SVIDs`;
  }
}

/** Whether a name is one that exists. */
export function isKnownName({ kind, name }: Omit<RevocationName, 'path'>, known: RevocableNames): boolean {
  switch (kind) {
    case 'team':
      return known.teams.has(name);
    case 'trust domain':
      return known.trustDomains.has(name);
    case 'issuer':
      return known.issuers.has(name) || isKnownDomain(name, known);
  }
}

const MAX_SHOWN = 200;

/** JWT-SVIDs need no `iss`: the trust domain of their subject names who issued them. */
function isKnownDomain(issuer: string, { trustDomains }: RevocableNames): boolean {
  const id = SpiffeId.parse(issuer);
  return id instanceof SpiffeId && id.path === '' && trustDomains.has(id.trustDomain);
}

/** Of the text of a SPIFFE ID. */
const trustDomainOf = (text: string): string => text.split('/', 3)[2] ?? '';
