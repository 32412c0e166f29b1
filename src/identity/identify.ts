import { Refusal } from '../base/outcome.ts';
import { after, afterGood, type Soon } from '../base/soon.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import type { CheckInput } from '../http/input.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Host, Target } from '../inventory/model.ts';
import { TokenFault } from '../token/jws-fault.ts';
import type { TokenFacts } from '../token/verified-token.ts';
import type { TokenVerifier } from '../token/verifier.ts';
import type { BundleSnapshot } from '../trust/bundle.ts';
import type { VerifiedSvid } from '../trust/x509-svid.ts';
import { verifyApiKey } from './api-key.ts';
import { type Caller, type CallerFacts, type Credential, type OnVerified, provenCaller } from './caller.ts';
import { type ChallengeRules, credentialMissing, withTokenChallenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { authoritiesOf } from './jwt-authorities.ts';
import { verifyJwtSvid } from './jwt-svid.ts';
import type { LegacyCertificates, VerifiedLegacyCertificate } from './legacy-certificate.ts';
import { type OidcIssuer, verifyOidcToken } from './oidc.ts';
import { type PeerIdentity, type PeerRules, presentedSvid } from './peer.ts';
import { identityRefusal } from './token-refusal.ts';
import { type Waypoints, waypointsWord } from './waypoint.ts';

export interface IdentityRules extends PeerRules {
  readonly bundles: () => BundleSnapshot;
  /** Issuers of workload tokens, by their exact `iss`. Without an audience of its own, the host's is asked for. */
  readonly oidc: ReadonlyMap<string, OidcIssuer & { readonly audience: string | null }>;
  readonly tokens: TokenVerifier;
  readonly maxTokenLifetimeSeconds: number;
  /** Certificates without a SPIFFE ID; null: none is accepted. */
  readonly legacyCertificates: LegacyCertificates | null;
  readonly challenge: ChallengeRules;
  /** `source.principal` alone names the caller where Envoy sends no certificate. */
  readonly unsafeTrustEnvoyValidation: boolean;
  /** Clients of the check port whose bare word names a caller, within what they speak for. */
  readonly waypoints: Waypoints;
}

const NOBODY: PeerIdentity = Object.freeze({ svid: null, proxies: [] });

/** A token that named a workload. */
interface Named {
  readonly id: SpiffeId;
  readonly credential: Credential;
  readonly facts: TokenFacts;
}

/** A credential that named a workload, of whatever kind. */
interface Shown extends Pick<CallerFacts, 'credential' | 'thumbprint' | 'issuedAt' | 'expiresAt'> {
  readonly id: SpiffeId;
  /** For whoever reads of two that disagree. */
  readonly what: string;
}

/**
 * Who calls: the one maker of a Caller. Two credentials that name different workloads refuse, and so does a
 * workload that the inventory does not know: every machine consumer has an owner. A refusal with 401 has its challenges.
 * `onVerified` learns what was verified, of a refusal too.
 */
export function identify(
  input: CheckInput,
  credentials: Credentials,
  target: Target,
  known: Inventory,
  rules: IdentityRules,
  now: number,
  onVerified: OnVerified = () => {},
): Soon<Caller | Refusal> {
  return after(findCaller(input, credentials, target, known, rules, now, onVerified), (outcome) =>
    outcome instanceof Refusal ? withTokenChallenge(outcome, target.resource.host, rules.challenge) : outcome,
  );
}

function findCaller(
  input: CheckInput,
  { authorization, apiKey }: Credentials,
  { resource }: Target,
  known: Inventory,
  rules: IdentityRules,
  now: number,
  onVerified: OnVerified,
): Soon<Caller | Refusal> {
  const bundles = rules.bundles();
  const presented = presentedSvid(input.connection, rules, bundles, now, onVerified);
  // Only what claims no SPIFFE ID at all may be a certificate of a legacy account.
  const claimsNone = presented instanceof Refusal && presented.reason === 'identity_svid_uri_count';
  const legacy = claimsNone
    ? (rules.legacyCertificates?.verify(input.connection, resource.host, known, now, onVerified) ?? null)
    : null;
  if (legacy instanceof Refusal) return legacy;
  if (presented instanceof Refusal && legacy === null) return presented;
  const { svid, proxies } = presented instanceof Refusal ? NOBODY : presented;
  const word = waypointsWord(input, rules.waypoints, rules.trustedProxies);
  if (word instanceof Refusal) return word;
  const proxy = proxies[0]?.id ?? word?.waypoint ?? null;
  if (svid !== null) onVerified({ id: svid.id, credential: 'x509-svid', thumbprint: svid.thumbprint, proxy });
  const onToken: OnVerified = (one) => (svid === null && legacy === null ? onVerified({ ...one, proxy }) : undefined);
  const audience = (own: string | null) => own ?? resource.host.audience ?? '';
  const named = namedByToken(authorization, audience, known, rules, bundles, svid, now, onToken);
  return afterGood(named, (token) => {
    const onKey: OnVerified = (one) => (token === null ? onToken(one) : undefined);
    // What a proxy says of its own client is not what an address proves.
    const client = proxy === null ? input.connection.source.address : null;
    const key =
      apiKey === null || apiKey instanceof Refusal
        ? apiKey
        : verifyApiKey(apiKey, resource.host, client, known, now, onKey);
    if (key instanceof Refusal) return key;
    const otherwise = () => envoysWord(input, rules, proxy) ?? word?.why ?? missing(input, resource.host, rules);
    const byKey: Shown | null = key && { ...key, credential: 'api-key', what: 'API key' };
    const byWaypoint = shownByWaypoint(word?.id ?? null);
    const shown = [shownBySvid(svid), shownByLegacy(legacy), shownByToken(token), byKey, byWaypoint];
    return callerOf(shown, token, { proxy, proxies }, known, otherwise);
  });
}

/** A client that connected to this process itself. */
export interface DirectClient {
  /** What its certificate says, verified; null where it showed none. */
  readonly svid: VerifiedSvid | null;
  readonly authorization: Credentials['authorization'];
}

/**
 * Who asks at a port of our own, with no Envoy between: the workload of the certificate, of the token, or of both, where
 * they name the same. A token must name `audience`, whoever issued it; null accepts none. A trusted proxy is transport,
 * never a caller. Refusals as for `identify`, without challenges.
 */
export function identifyClient(
  { svid, authorization }: DirectClient,
  audience: string | null,
  known: Inventory,
  rules: IdentityRules,
  now: number,
  onVerified: OnVerified = () => {},
): Soon<Caller | Refusal> {
  const nobody = new Refusal('identity_missing', 'neither a certificate nor a token names a workload');
  if (svid !== null) onVerified({ id: svid.id, credential: 'x509-svid', thumbprint: svid.thumbprint, proxy: null });
  if (svid !== null && rules.trustedProxies.has(svid.id.text))
    return new Refusal('identity_missing', `${svid.id.text} is a trusted proxy, and never a caller`);
  const onToken: OnVerified = (one) => (svid === null ? onVerified(one) : undefined);
  const bundles = rules.bundles();
  const named = namedByToken(authorization, () => audience ?? '', known, rules, bundles, svid, now, onToken);
  return afterGood(named, (token) => {
    if (authorization !== null && token === null)
      return identityRefusal(new TokenFault('issuer', 'the token is of an issuer of tasks, and names no caller'));
    const direct = { proxy: null, proxies: [] };
    return callerOf([shownBySvid(svid), shownByToken(token)], token, direct, known, () => nobody);
  });
}

/** The workload that all credentials name, of which the first counts. Without one it is who `otherwise` says. */
function callerOf(
  shown: readonly (Shown | null)[],
  token: Named | null,
  way: Pick<CallerFacts, 'proxy' | 'proxies'>,
  known: Inventory,
  otherwise: () => SpiffeId | Refusal,
): Caller | Refusal {
  const [first, ...others] = shown.filter((one) => one !== null);
  const other = others.find(({ id }) => id.text !== first?.id.text);
  if (first !== undefined && other !== undefined)
    return new Refusal(
      'identity_conflict',
      `the ${first.what} says ${first.id.text}, the ${other.what} ${other.id.text}`,
    );
  const id = first?.id ?? otherwise();
  if (id instanceof Refusal) return id;
  const workload = known.workload(id);
  if (workload instanceof Refusal) return workload;
  const { credential, thumbprint, issuedAt, expiresAt } = first ?? BY_ENVOYS_WORD;
  return provenCaller({ workload, ...way, credential, thumbprint, issuedAt, expiresAt, token: token?.facts ?? null });
}

/** Envoy's word alone says nothing of the credential that it saw. */
const BY_ENVOYS_WORD = { credential: 'x509-svid', thumbprint: null, issuedAt: null, expiresAt: null } as const;

function shownBySvid(svid: VerifiedSvid | null): Shown | null {
  if (svid === null) return null;
  const { id, thumbprint, notBefore: issuedAt, notAfter: expiresAt } = svid;
  return { id, credential: 'x509-svid', thumbprint, issuedAt, expiresAt, what: 'certificate' };
}

function shownByLegacy(certificate: VerifiedLegacyCertificate | null): Shown | null {
  if (certificate === null) return null;
  const { id, thumbprint, notBefore: issuedAt, notAfter: expiresAt } = certificate;
  return { id, credential: 'legacy-certificate', thumbprint, issuedAt, expiresAt, what: 'certificate' };
}

function shownByToken(token: Named | null): Shown | null {
  if (token === null) return null;
  const { thumbprint, issuedAt, expiresAt } = token.facts;
  return { id: token.id, credential: token.credential, thumbprint, issuedAt, expiresAt, what: 'token' };
}

const shownByWaypoint = (id: SpiffeId | null): Shown | null =>
  id && { id, credential: 'waypoint', thumbprint: null, issuedAt: null, expiresAt: null, what: 'waypoint' };

/**
 * The workload that an identity token names; null where there is none, or where it is the application's. `audienceBeside`:
 * the audience that a token must name, given that of its issuer.
 */
function namedByToken(
  presented: Credentials['authorization'],
  audienceBeside: (own: string | null) => string,
  known: Inventory,
  rules: IdentityRules,
  bundles: BundleSnapshot,
  svid: VerifiedSvid | null,
  now: number,
  onVerified: OnVerified,
): Soon<Named | null | Refusal> {
  if (presented === null || presented instanceof Refusal) return presented;
  const { scheme, token, issuer } = presented;
  if (issuer !== null && !rules.oidc.has(issuer)) return null;
  if (scheme !== 'bearer') return identityRefusal(new TokenFault('type', 'an identity token is a Bearer token'));
  const { tokens } = rules;
  const common = { tokens, audience: audienceBeside(null), now, certificateThumbprint: svid?.thumbprint ?? null };
  const oidc = issuer === null ? undefined : rules.oidc.get(issuer);
  if (oidc === undefined) {
    const maxLifetimeSeconds = rules.maxTokenLifetimeSeconds;
    const svidRules = { ...common, maxLifetimeSeconds };
    return afterGood(verifyJwtSvid(token, authoritiesOf(bundles), svidRules), (verified): Named => {
      const { id, thumbprint } = verified;
      onVerified({ id, credential: 'jwt-svid', thumbprint, proxy: null });
      return { id, credential: 'jwt-svid', facts: verified };
    });
  }
  const oidcRules = { ...common, audience: audienceBeside(oidc.audience) };
  return afterGood(verifyOidcToken(token, oidc, oidcRules), (verified): Named | Refusal => {
    const { issuer: by, subject, thumbprint } = verified;
    const id = known.credential(by, subject);
    onVerified({ id, credential: 'oidc', thumbprint, proxy: null });
    if (id === null) return new Refusal('caller_unregistered', `no workload has the subject ${subject} of ${by}`);
    return { id, credential: 'oidc', facts: verified };
  });
}

/** What Envoy says of the peer without showing a certificate: believed only under the unsafe choice, and never of a proxy. */
function envoysWord(input: CheckInput, rules: IdentityRules, proxy: SpiffeId | null): SpiffeId | null | Refusal {
  const { principal, certificate } = input.connection.source;
  if (!rules.unsafeTrustEnvoyValidation || proxy !== null || certificate !== '' || principal === '') return null;
  const id = SpiffeId.parse(principal);
  if (id instanceof Refusal) return id;
  return rules.trustedProxies.has(id.text) ? null : id;
}

function missing(input: CheckInput, host: Host, { challenge }: IdentityRules): Refusal {
  const { source } = input.connection;
  if (source.certificate === '' && source.principal !== '') {
    return new Refusal(
      'identity_certificate_missing',
      'Envoy sends no certificate: set include_peer_certificate: true',
    );
  }
  return credentialMissing(input, host, challenge);
}
