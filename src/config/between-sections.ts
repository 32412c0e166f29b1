import { type PeerDomains, strayPeers } from './peers.ts';
import type { ParsedConfig } from './schema.ts';
import { subjectAudience, TOKEN_SERVICES, tokenServiceDomain } from './task.ts';

/** The sections that could be read; a section with faults of its own is absent. */
export type Readable = { readonly [K in keyof ParsedConfig]?: ParsedConfig[K] };

/** A contradiction, at a key of the document. */
export interface KeyProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const NOT_OURS = 'lies in a trust domain that is not under identity.trustDomains, so it could never prove itself';

/** What two sections say against each other. Contradictions inside one section stand with it in the schema. */
export function contradictions(config: Readable): KeyProblem[] {
  return [
    ...unknownTrustDomains(config),
    ...sharedTrustDomains(config),
    ...sharedIssuers(config),
    ...strayProxies(config),
    ...sharedKeyHeader(config),
    ...strayPeersOf(config),
    ...waypointFaults(config),
    ...unsharedNonces(config),
    ...unsharedLifts(config),
    ...controlFaults(config),
    ...consoleFaults(config),
    ...tokenServiceFaults(config),
  ];
}

function* unknownTrustDomains({ task, identity }: Readable): Generator<KeyProblem> {
  if (identity === undefined) return;
  const message =
    'is not under identity.trustDomains, so none of its workloads can be a caller; add it there, or drop it here';
  for (const { domain, path } of trustDomainsOf(task, () => true))
    if (!Object.hasOwn(identity.trustDomains, domain)) yield { path, message };
}

/** JWT-SVIDs name no issuer, so the trust domain alone says which entry holds. */
function* sharedTrustDomains({ task }: Readable): Generator<KeyProblem> {
  const message = 'stands under another jwt-svid issuer too, so which one holds would be a matter of order; drop one';
  const taken = new Set<string>();
  for (const { domain, path } of trustDomainsOf(task, ({ kind }) => kind === 'jwt-svid')) {
    if (taken.has(domain)) yield { path, message };
    taken.add(domain);
  }
}

type TaskIssuerConfig = ParsedConfig['task']['issuers'][number];

/** The trust domains of these issuers of tasks, each with its place. */
function trustDomainsOf(task: Readable['task'], which: (issuer: TaskIssuerConfig) => boolean) {
  return (task?.issuers ?? []).flatMap((issuer, at) =>
    issuer.kind !== 'built-in' && which(issuer)
      ? issuer.trustDomains.map((domain, index) => ({
          domain,
          path: ['task', 'issuers', at, 'trustDomains', index],
        }))
      : [],
  );
}

/** A token in `Authorization` says who or why by its issuer: one that did both would be read in two ways. */
function* sharedIssuers({ task, identity }: Readable): Generator<KeyProblem> {
  const message = 'stands under identity.oidc too, so its tokens could say who as well as why; drop one';
  const identityIssuers = new Set(identity?.oidc.map(({ issuer }) => issuer));
  for (const [at, issuer] of (task?.issuers ?? []).entries())
    if (issuer.kind === 'access-token' && identityIssuers.has(issuer.issuer))
      yield { path: ['task', 'issuers', at, 'issuer'], message };
}

function* strayProxies({ identity }: Readable): Generator<KeyProblem> {
  for (const [at, proxy] of (identity?.forwarded.trustedProxies ?? []).entries())
    if (!Object.hasOwn(identity!.trustDomains, proxy.id.trustDomain))
      yield { path: ['identity', 'forwarded', 'trustedProxies', at, 'id'], message: NOT_OURS };
}

/** The header with keys is removed from every request, and what it holds is a secret. */
function* sharedKeyHeader({ identity, task, policy }: Readable): Generator<KeyProblem> {
  const header = identity?.legacy.keyHeader ?? null;
  const taken = [...Object.values(task?.headers ?? {}), ...(policy?.headers ?? []).map(({ name }) => name)];
  const message = 'is a header of task.headers or policy.headers too; choose another one';
  if (header !== null && taken.includes(header)) yield { path: ['identity', 'legacy', 'keyHeader'], message };
}

function strayPeersOf({ listen, identity }: Readable): KeyProblem[] {
  if (listen === undefined || identity === undefined || listen.tls === null) return [];
  const faults = certificateFaults(['listen', 'tls'], listen.tls, identity);
  if (faults.some(({ path }) => path.at(-1) === 'ca')) return faults;
  const domains = peerDomains({ listen, identity });
  const stray = strayPeers(listen.peers, domains);
  return [...faults, ...stray.map((at) => ({ path: ['listen', 'peers', at], message: domains.message }))];
}

/** A waypoint that could not prove who it is, or would name callers that nobody could be. */
function* waypointFaults({ listen, identity }: Readable): Generator<KeyProblem> {
  for (const [at, { id, trustDomains }] of (identity?.waypoints ?? []).entries()) {
    const path = ['identity', 'waypoints', at];
    if (listen !== undefined && listen.tls === null)
      yield {
        path,
        message: 'needs listen.tls and listen.peers: a waypoint is known by what it proves on the check port',
      };
    else if (listen?.peersFile === null && !listen.peers.some(({ pattern }) => pattern.matches(id)))
      yield { path: [...path, 'id'], message: 'is none of listen.peers, so it may not ask; add it there' };
    for (const [which, domain] of trustDomains.entries())
      if (!Object.hasOwn(identity!.trustDomains, domain))
        yield { path: [...path, 'trustDomains', which], message: NOT_OURS };
  }
}

/** Why the certificate of a port with TLS, or the authorities of its clients, could not be told. */
function certificateFaults(
  path: readonly string[],
  { files }: NonNullable<ParsedConfig['listen']['tls']>,
  { workloadApi, trustDomains }: ParsedConfig['identity'],
): KeyProblem[] {
  const faults: KeyProblem[] = [];
  if (files === null && workloadApi.socket === null) {
    const message = `needs a certificate; set ${path.join('.')}.files, or the SPIFFE agent by identity.workloadApi.socket or SPIFFE_ENDPOINT_SOCKET`;
    faults.push({ path, message });
  }
  if (files?.ca != null && Object.values(trustDomains).filter(({ local }) => local).length > 1) {
    const message =
      'speaks for the local trust domain, and several are local; leave it out, and state a bundle for each under identity.trustDomains';
    faults.push({ path: [...path, 'files', 'ca'], message });
  }
  return faults;
}

/** The trust domains that clients of the check port may be of: with `listen.tls.files.ca`, what is local alone. */
export function peerDomains({ listen, identity }: Pick<ParsedConfig, 'listen' | 'identity'>): PeerDomains {
  const all = Object.entries(identity.trustDomains);
  const ca = listen.tls?.files?.ca ?? null;
  if (ca === null) return { names: new Set(all.map(([name]) => name)), message: NOT_OURS };
  return {
    names: new Set(all.flatMap(([name, { local }]) => (local ? [name] : []))),
    message:
      'lies in a trust domain that is not local, for which listen.tls.files.ca does not speak; leave ca out, and state the bundle under identity.trustDomains',
  };
}

/** A nonce shows that its proof was made while its sidecar knew the store: with a memory of its own, no other may believe it. */
function unsharedNonces({ task, state }: Readable): KeyProblem[] {
  if (state?.store !== 'memory' || !task?.dpop.nonce.secretFile) return [];
  const message = 'is for sidecars that share a store; set state.store: redis, or drop it';
  return [{ path: ['task', 'dpop', 'nonce', 'secretFile'], message }];
}

/** Orders that hold in one process alone need no signature. */
function* unsharedLifts({ control, state }: Readable): Generator<KeyProblem> {
  if (control === undefined || state?.store !== 'memory') return;
  const message = 'is for lifts in a store that sidecars share; set state.store: redis, or drop it';
  if (control.key !== null) yield { path: ['control', 'key'], message };
  if (control.trustedKeys.length > 0) yield { path: ['control', 'trustedKeys'], message };
}

/** A control port that nobody could ask, and a process whose only port has nothing to say. */
function* controlFaults({ listen, identity, control, state }: Readable): Generator<KeyProblem> {
  if (listen === undefined) return;
  const { check, control: port } = listen;
  if (check === null && state?.store === 'memory') {
    const message = 'is off, so this process knows nothing but what a store tells it; set state.store: redis';
    yield { path: ['listen', 'check'], message };
  }
  if (port === null) return;
  if (port.tls !== null && identity !== undefined)
    yield* certificateFaults(['listen', 'control', 'tls'], port.tls, identity);
  if (port.tls === null && control?.audience === null) {
    const message =
      'is missing: without listen.control.tls only a token proves a caller, and none is accepted without an audience';
    yield { path: ['control', 'audience'], message };
  }
  if (isOfOidc(control?.audience ?? null, identity)) yield { path: ['control', 'audience'], message: OF_OIDC };
}

const OF_OIDC =
  'is that of an issuer under identity.oidc: whoever takes its tokens could use them here; choose another one';

/** Whether an issuer of workload tokens has this audience, whatever its tokens are for. */
const isOfOidc = (audience: string | null, identity: Readable['identity']): boolean =>
  audience !== null && identity?.oidc.some((issuer) => issuer.audience === audience) === true;

/** A console that nobody could sign in to, or that has nothing to serve. */
function* consoleFaults({ listen, control }: Readable): Generator<KeyProblem> {
  if (control === undefined) return;
  const { console, signIn } = control;
  const at = (key: string, message: string): KeyProblem => ({ path: ['control', key], message });
  if (console !== null && signIn === null)
    yield at('signIn', 'is off, so nobody could sign in at control.console; name an OpenID Connect provider');
  if (console === null && signIn !== null)
    yield at('console', 'is off, and people sign in there; set it, or drop control.signIn');
  if (console === null || listen === undefined) return;
  if (listen.control === null)
    yield at('console', 'needs listen.control: it serves the control API of this process to people');
  const { check, status, control: api } = listen;
  const taken = [check, status, api?.address].some(
    (other) => other != null && 'port' in other && other.port === console.listen.port,
  );
  if (taken && console.listen.port !== 0)
    yield at('console', 'takes the port of another listener; choose another one for control.console.listen');
}

/** What a token service, and those who believe it, need of the rest. */
function* tokenServiceFaults({
  task,
  tokenService,
  listen,
  identity,
  state,
  control,
}: Readable): Generator<KeyProblem> {
  const at = (path: readonly PropertyKey[], message: string): KeyProblem => ({ path, message });
  const SEVERAL =
    'is missing, and identity.trustDomains has no or several local ones; name the one that its tokens are for';
  const builtIn = (task?.issuers ?? []).flatMap((issuer, index) =>
    issuer.kind === 'built-in' ? [{ issuer, index }] : [],
  );
  const taken = new Set<string>();
  for (const { issuer, index } of builtIn) {
    const here = ['task', 'issuers', index];
    const domain = identity === undefined ? issuer.trustDomain : tokenServiceDomain(issuer.trustDomain, { identity });
    if (identity !== undefined && domain === null) yield at([...here, 'trustDomain'], SEVERAL);
    if (domain !== null && taken.has(domain))
      yield at(here, `stands twice: another entry is for the token service of ${domain} too; drop one`);
    if (domain !== null) taken.add(domain);
    if (issuer.jwks === null && tokenService === null)
      yield at([...here, 'jwks'], 'is missing, and this process has no tokenService; say where its public keys are');
    if (issuer.jwks !== null && tokenService != null)
      yield at([...here, 'jwks'], 'is for a token service in another process, and this one has tokenService; drop one');
  }
  for (const [index, issuer] of (task?.issuers ?? []).entries())
    if ('issuer' in issuer && issuer.issuer.startsWith(TOKEN_SERVICES))
      yield at(
        ['task', 'issuers', index, 'issuer'],
        'is the name of a token service, whose tasks begin there alone; write an entry of the kind built-in',
      );
  if (tokenService == null) return;
  if (identity !== undefined) {
    const domain = tokenServiceDomain(tokenService.trustDomain, { identity });
    if (domain === null) yield at(['tokenService', 'trustDomain'], SEVERAL);
    else if (!Object.hasOwn(identity.trustDomains, domain))
      yield at(
        ['tokenService', 'trustDomain'],
        'is not under identity.trustDomains, so none of its workloads could ask',
      );
    const audience = subjectAudience({ tokenService, identity });
    if (isOfOidc(audience, identity)) yield at(['tokenService', 'audience'], OF_OIDC);
    if (audience !== null && audience === control?.audience)
      yield at(
        ['tokenService', 'audience'],
        'is control.audience too: whoever is handed a token to begin a task with could give orders by it; choose another one',
      );
  }
  if (listen !== undefined && (listen.control === null || listen.control.tls === null))
    yield at(['tokenService'], 'needs listen.control.tls: who asks for a token proves itself by a certificate');
  if (state?.store === 'redis' && control !== undefined && control.key === null)
    yield at(['tokenService'], 'needs control.key: in a store that others share, the beginning of a task is signed');
}
