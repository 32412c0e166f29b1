import { type PeerDomains, strayPeers } from './peers.ts';
import type { Config } from './schema.ts';

/** The sections that could be read; a section with faults of its own is absent. */
export type Readable = { readonly [K in keyof Config]?: Config[K] };

/** A contradiction, at a key of the document. */
export interface KeyProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What two sections say against each other. Contradictions inside one section stand with it in the schema. */
export function contradictions(config: Readable): KeyProblem[] {
  return [
    ...unknownTrustDomains(config),
    ...sharedTrustDomains(config),
    ...sharedIssuers(config),
    ...strayProxies(config),
    ...strayPeersOf(config),
  ];
}

function unknownTrustDomains({ task, identity }: Readable): KeyProblem[] {
  if (task === undefined || identity === undefined) return [];
  const faults: KeyProblem[] = [];
  for (const [at, issuer] of task.issuers.entries()) {
    for (const [which, domain] of issuer.trustDomains.entries()) {
      if (Object.hasOwn(identity.trustDomains, domain)) continue;
      const message =
        'is not under identity.trustDomains, so none of its workloads can be a caller; add it there, or drop it here';
      faults.push({ path: ['task', 'issuers', at, 'trustDomains', which], message });
    }
  }
  return faults;
}

/** JWT-SVIDs name no issuer, so the trust domain alone says which entry holds. */
function sharedTrustDomains({ task }: Readable): KeyProblem[] {
  const faults: KeyProblem[] = [];
  const taken = new Set<string>();
  for (const [at, issuer] of (task?.issuers ?? []).entries()) {
    if (issuer.kind !== 'jwt-svid') continue;
    for (const [which, domain] of issuer.trustDomains.entries()) {
      const message =
        'stands under another jwt-svid issuer too, so which one holds would be a matter of order; drop one';
      if (taken.has(domain)) faults.push({ path: ['task', 'issuers', at, 'trustDomains', which], message });
      taken.add(domain);
    }
  }
  return faults;
}

/** A token in `Authorization` says who or why by its issuer: one that did both would be read in two ways. */
function sharedIssuers({ task, identity }: Readable): KeyProblem[] {
  const identityIssuers = new Set(identity?.oidc.map(({ issuer }) => issuer));
  const faults: KeyProblem[] = [];
  for (const [at, issuer] of (task?.issuers ?? []).entries()) {
    if (issuer.kind !== 'access-token' || !identityIssuers.has(issuer.issuer)) continue;
    const message = 'stands under identity.oidc too, so its tokens could say who as well as why; drop one';
    faults.push({ path: ['task', 'issuers', at, 'issuer'], message });
  }
  return faults;
}

function strayProxies({ identity }: Readable): KeyProblem[] {
  const faults: KeyProblem[] = [];
  for (const [at, proxy] of (identity?.forwarded.trustedProxies ?? []).entries()) {
    if (Object.hasOwn(identity!.trustDomains, proxy.id.trustDomain)) continue;
    const message = 'lies in a trust domain that is not under identity.trustDomains, so it could never prove itself';
    faults.push({ path: ['identity', 'forwarded', 'trustedProxies', at, 'id'], message });
  }
  return faults;
}

function strayPeersOf({ listen, identity }: Readable): KeyProblem[] {
  if (listen === undefined || identity === undefined || listen.tls === null) return [];
  const faults: KeyProblem[] = [];
  const { files } = listen.tls;
  if (files === null && identity.workloadApi.socket === null) {
    const message =
      'needs a certificate; set listen.tls.files, or the SPIFFE agent by identity.workloadApi.socket or SPIFFE_ENDPOINT_SOCKET';
    faults.push({ path: ['listen', 'tls'], message });
  }
  const domains = peerDomains({ listen, identity });
  if (files?.ca != null && domains.names.size > 1) {
    const message =
      'speaks for the local trust domain, and several are local; leave it out, and state a bundle for each under identity.trustDomains';
    return [...faults, { path: ['listen', 'tls', 'files', 'ca'], message }];
  }
  const stray = strayPeers(listen.peers, domains);
  return [...faults, ...stray.map((at) => ({ path: ['listen', 'peers', at], message: domains.message }))];
}

/** The trust domains that clients of the check port may be of: with `listen.tls.files.ca`, what is local alone. */
export function peerDomains({ listen, identity }: Pick<Config, 'listen' | 'identity'>): PeerDomains {
  const all = Object.entries(identity.trustDomains);
  const ca = listen.tls?.files?.ca ?? null;
  if (ca === null) {
    return {
      names: new Set(all.map(([name]) => name)),
      message: 'lies in a trust domain that is not under identity.trustDomains, so it could never prove itself',
    };
  }
  return {
    names: new Set(all.flatMap(([name, { local }]) => (local ? [name] : []))),
    message:
      'lies in a trust domain that is not local, for which listen.tls.files.ca does not speak; leave ca out, and state the bundle under identity.trustDomains',
  };
}
