import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Json, KEYCLOAK_VERSION, Keycloak } from '../../support/keycloak.ts';
import { AUDIENCE, TARGET_URI } from '../../support/task-world.ts';
import { dpopProof, makeKey } from '../../support/tokens.ts';

/**
 * `node test/tools/keycloak/record.ts` starts a real Keycloak, lets it issue tokens, and keeps its answers in
 * test/cases/issuers/keycloak.json, where unit tests judge them at the time of their making. No secret is kept: the key of
 * the proof and the passwords end with the run.
 */

const HOSTNAME = 'https://sso.prod.example';
const REALM = 'prod';
const SECRET = 'only-for-this-run';
const file = join(import.meta.dirname, '..', '..', 'cases', 'issuers', 'keycloak.json');

const mapper = (name: string, protocolMapper: string, config: Json): Json => ({
  name,
  protocol: 'openid-connect',
  protocolMapper,
  config: { ...config, 'access.token.claim': 'true' },
});
const client = (clientId: string, scopes: readonly string[], attributes: Json, mappers: readonly Json[]): Json => ({
  clientId,
  secret: SECRET,
  publicClient: false,
  serviceAccountsEnabled: true,
  standardFlowEnabled: false,
  attributes: { 'access.token.signed.response.alg': 'ES256', ...attributes },
  defaultClientScopes: scopes,
  optionalClientScopes: [],
  protocolMappers: [mapper('audience', 'oidc-audience-mapper', { 'included.custom.audience': AUDIENCE }), ...mappers],
});
const task = mapper('task', 'oidc-hardcoded-claim-mapper', {
  'claim.name': 'task',
  'claim.value': JSON.stringify({ id: 't-42', purpose: 'reconcile-invoices' }),
  'jsonType.label': 'JSON',
});
const accessToken = { 'access.token.header.type.rfc9068': 'true' };

const keycloak = await Keycloak.start(HOSTNAME);
try {
  await keycloak.create('', {
    realm: REALM,
    enabled: true,
    defaultSignatureAlgorithm: 'ES256',
    accessTokenLifespan: 300,
  });
  await keycloak.create(`/${REALM}/client-scopes`, {
    name: 'invoices',
    protocol: 'openid-connect',
    attributes: { 'include.in.token.scope': 'true' },
  });
  const bound = { ...accessToken, 'dpop.bound.access.tokens': 'true' };
  await keycloak.create(`/${REALM}/clients`, client('billing-agent', ['basic', 'invoices'], bound, [task]));
  await keycloak.create(`/${REALM}/clients`, client('unscoped-agent', ['basic'], accessToken, [task]));
  await keycloak.create(`/${REALM}/clients`, client('ledger', ['basic'], {}, []));

  const key = makeKey();
  const proof = (method: string, uri: string, accessToken?: string) =>
    dpopProof({ key, now: Date.now(), method, uri, ...(accessToken === undefined ? {} : { accessToken }) });
  const issue = async (id: string, headers = {}) => {
    const form = { grant_type: 'client_credentials', client_id: id, client_secret: SECRET };
    return (await keycloak.token(REALM, form, headers)).access_token;
  };
  const token = await issue('billing-agent', { dpop: proof('POST', keycloak.tokenEndpoint(REALM)) });
  const recorded = {
    version: KEYCLOAK_VERSION,
    issuer: `${HOSTNAME}/realms/${REALM}`,
    at: Date.now(),
    dpop: { token, proof: proof('GET', TARGET_URI, token) },
    unscoped: await issue('unscoped-agent'),
    identity: await issue('ledger'),
    metadata: await keycloak.json(`/realms/${REALM}/.well-known/openid-configuration`),
    // The keys of an algorithm appear with the first token of it.
    jwks: await keycloak.json(`/realms/${REALM}/protocol/openid-connect/certs`),
  };
  writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`);
} finally {
  await keycloak.stop();
}
