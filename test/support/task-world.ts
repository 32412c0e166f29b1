import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Refusal } from '../../src/base/outcome.ts';
import type { JsonValue } from '../../src/base/strict-json.ts';
import { guardHeaders } from '../../src/http/guard.ts';
import type { CheckInput, Headers } from '../../src/http/input.ts';
import { type Caller, type Credential, provenCaller } from '../../src/identity/caller.ts';
import { credentialReader } from '../../src/identity/credentials.ts';
import type { Inventory } from '../../src/inventory/inventory.ts';
import type { TaskContext } from '../../src/task/model.ts';
import type {
  AccessTokenIssuer,
  IssuerScope,
  JwtSvidIssuer,
  TaskOptions,
  TxnTokenIssuer,
} from '../../src/task/options.ts';
import { taskReader } from '../../src/task/read-task.ts';
import { standardAlgorithms } from '../../src/token/jws-algorithms.ts';
import { TokenFault } from '../../src/token/jws-fault.ts';
import { KeySet } from '../../src/token/key-set.ts';
import type { KeySource } from '../../src/token/key-source.ts';
import { TokenVerifier } from '../../src/token/verifier.ts';
import { estate, loadedInventory, targetOf, workloadOf } from './inventory.ts';
import { AS, TaskIssuer, TTS } from './task-issuer.ts';
import { jwk, jwtSvid, type Mutation, makeKey, type SigningKey, sha256 } from './tokens.ts';

export { AS, TTS };

/** The workloads of the estate. */
export const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
export const ORCHESTRATOR = 'spiffe://prod.example/ns/agents/sa/orchestrator';
export const THIEF = 'spiffe://prod.example/ns/agents/sa/thief';
export const PARTNER = 'spiffe://partner.example/ns/shop';

export const NOW = Date.parse('2026-11-25T10:00:00Z');
export const AUDIENCE = 'spiffe://prod.example/ns/payments/sa/api';
export const ORIGIN = 'https://api.example';
export const PATH = '/api/invoices/42';
export const TARGET_URI = ORIGIN + PATH;

export const inventory: Inventory = loadedInventory(estate);

/** Keys of issuers and workloads. */
export const keys = {
  tts: makeKey('ES256', 'tts-1'),
  as: makeKey('ES256', 'as-1'),
  domain: makeKey('ES256', 'domain-1'),
  wit: makeKey('ES256', 'wit-1'),
  agent: makeKey('ES256', 'agent'),
  thief: makeKey('ES256', 'thief'),
} as const;

/** A source that holds just this key. */
export function sourceOf(key: SigningKey): KeySource {
  const set = keySetOf(key);
  return { current: () => set, refreshSoon: () => {} };
}

export function keySetOf(key: SigningKey, members = {}): KeySet {
  const set = KeySet.of([jwk(key, members) as JsonValue], 'jwks');
  assert.equal(set.ignored.length, 0);
  return set;
}

export const INVOICES = 'payments.internal/invoices';

const scope: IssuerScope = {
  trustDomains: ['prod.example'],
  purposes: ['finance'],
  maxLifetimeSeconds: 600,
  maxAssurance: 3,
  propagation: 'exchanged',
  unsafeBearer: false,
  resources: null,
};

export const txnIssuer: TxnTokenIssuer = {
  ...scope,
  kind: 'txn-token',
  issuer: TTS,
  audience: 'prod.example',
  keys: sourceOf(keys.tts),
  algorithms: standardAlgorithms,
  purposeClaim: ['tctx', 'purpose'],
  legacyClaimNames: false,
  resources: { claim: ['tctx', 'resources'], types: null },
};

export const accessIssuer: AccessTokenIssuer = {
  ...scope,
  kind: 'access-token',
  issuer: AS,
  keys: sourceOf(keys.as),
  algorithms: standardAlgorithms,
  idClaim: ['task', 'id'],
  purposeClaim: ['task', 'purpose'],
  resources: {
    claim: ['authorization_details'],
    types: [{ type: 'invoice', api: INVOICES, parameters: { invoice: 'identifier' }, ignore: ['locations'] }],
  },
};

export const svidIssuer: JwtSvidIssuer = {
  ...scope,
  kind: 'jwt-svid',
  authorities: { jwtKeys: () => keySetOf(keys.domain) },
  idClaim: ['task_id'],
  purposeClaim: ['task_purpose'],
  resources: { claim: ['task_resources'], types: null },
};

/** Shared by all situations: what it remembers of one must not make another good. */
const tokens = new TokenVerifier();

export const options = {
  headers: { id: 'x-task-id', purpose: 'x-task-purpose' },
  issuers: [txnIssuer, accessIssuer, svidIssuer],
  identityIssuers: new Set(['https://idp.example']),
  tokens,
  history: () => ({ id: '', sinceMs: NOW - 3_600_000 }),
  maxDepth: 4,
  dpop: {
    algorithms: standardAlgorithms,
    maxAgeSeconds: 60,
    nonce: { required: false, secrets: () => [Buffer.alloc(32, 7)], lifetimeSeconds: 300 },
  },
  wimse: {
    witKeys: (domain: string) =>
      domain === 'prod.example' ? keySetOf(keys.wit) : new TokenFault('key_unknown', 'no such trust domain'),
    algorithms: standardAlgorithms,
    maxWitLifetimeSeconds: 86_400,
    maxProofLifetimeSeconds: 60,
  },
  resourceMetadata: false,
} satisfies TaskOptions;

const issuer = new TaskIssuer('prod.example', keys);

/** A Transaction Token for the agent: good, but for the mutation. */
export const agentTxn = (mutation: Mutation = {}): string => issuer.txnToken({ workload: AGENT, now: NOW, mutation });

/** An access token for the agent. */
export const agentAccess = (mutation: Mutation = {}): string =>
  issuer.accessToken(AUDIENCE, { workload: AGENT, now: NOW, mutation });

/** A JWT-SVID of the agent with a task in it. */
export function agentSvid(mutation: Mutation = {}): string {
  const claims = { task_id: 't-42', task_purpose: 'reconcile-invoices', ...mutation.claims };
  return jwtSvid({ key: keys.domain, now: NOW, sub: AGENT, aud: AUDIENCE }, { ...mutation, claims });
}

/** One request. What is left out is a GET of an invoice by the agent, who showed its X.509-SVID. */
export interface Situation {
  readonly caller?: string;
  readonly credential?: Credential;
  readonly thumbprint?: string;
  readonly host?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly options?: Partial<TaskOptions>;
  readonly now?: number;
}

export const CERTIFICATE = sha256('the certificate of the agent');

/** What the stage that reads tasks makes of a request. */
export function readWhy(situation: Situation = {}): Promise<TaskContext | Refusal> {
  const { host = 'payments.internal', method = 'GET', path = PATH, now = NOW } = situation;
  const used = { ...options, ...situation.options };
  const read = taskReader(used);
  const input = inputOf(situation);
  const asked = targetOf(inventory, `${method} ${host}${path}`);
  const guarded = guardHeaders(input.headers, Object.values(used.headers ?? {}), false);
  if (guarded !== null) return Promise.resolve(guarded);
  const issuers = new Set(used.issuers.flatMap((one) => (one.kind === 'jwt-svid' ? [] : [one.issuer])));
  const readCredentials = credentialReader({
    tokens,
    keyHeader: null,
    issuers: { has: (issuer) => issuers.has(issuer) || used.identityIssuers.has(issuer) },
  });
  const credentials = readCredentials(input.headers, asked.resource.host);
  return Promise.resolve(read(input, credentials, asked, callerOf(situation), inventory, now));
}

/** The same, which must be a TaskContext. */
export async function taskContext(situation: Situation = {}): Promise<TaskContext> {
  const outcome = await readWhy(situation);
  if (outcome instanceof Refusal) assert.fail(`${outcome.reason}: ${outcome.detail}`);
  return outcome;
}

/** The same, which must be a refusal. */
export async function refusal(situation: Situation = {}): Promise<Refusal> {
  const outcome = await readWhy(situation);
  assert.ok(outcome instanceof Refusal, 'the request was not refused');
  return outcome;
}

/** Asserts that this request is refused for this reason, with a detail that tells the check. */
export async function refuses(situation: Situation, reason: string, detail: RegExp = /./): Promise<void> {
  const outcome = await refusal(situation);
  assert.equal(outcome.reason, reason, outcome.detail);
  assert.match(outcome.detail, detail);
}

export function callerOf({ caller = AGENT, credential = 'x509-svid', thumbprint = CERTIFICATE }: Situation): Caller {
  const seconds = Math.floor(NOW / 1000);
  return provenCaller({
    workload: workloadOf(inventory, caller),
    credential,
    thumbprint,
    issuedAt: seconds - 600,
    expiresAt: seconds + 3000,
    token: null,
    proxy: null,
    proxies: [],
  });
}

export function headersOf(values: Situation['headers'] = {}): Headers {
  const map = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) map.set(name, typeof value === 'string' ? [value] : value);
  }
  const unclean = new Set(
    [...map].filter(([, all]) => all.some((value) => value.includes('\ufffd'))).map(([name]) => name),
  );
  return { all: (name) => map.get(name) ?? [], names: [...map.keys()], unclean };
}

function inputOf({ host = 'payments.internal', method = 'GET', path = PATH, headers }: Situation): CheckInput {
  return {
    id: randomUUID(),
    method,
    scheme: 'https',
    host,
    path,
    rawPath: path,
    query: null,
    upgrade: false,
    grpc: false,
    headers: headersOf(headers),
    body: new Uint8Array(),
    connection: {
      checkPeer: null,
      digest: sha256(randomUUID()),
      source: { address: '10.0.0.9', principal: '', certificate: '' },
      forwarded: { element: null, nearer: [] },
      destinationPrincipal: '',
      extensions: new Map(),
    },
  };
}
