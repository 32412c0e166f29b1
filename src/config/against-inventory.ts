import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { dueRotations, rotationText } from '../identity/rotation.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { RevocableNames } from '../state/revocation-names.ts';
import type { PeerEntry } from './peers.ts';
import type { Config } from './schema.ts';
import { subjectAudience } from './task.ts';

/** What a look at a configuration found, one line each. */
export interface InventoryFindings {
  /** Parts that can never do what they are for. */
  readonly problems: readonly string[];
  /** What works, and is wider or emptier than anybody is likely to mean. */
  readonly notes: readonly string[];
}

const DAY_MS = 86_400_000;
/** A guardrail that is disabled for longer is disabled for ever. */
const LONGEST_DISABLED_MS = 731 * DAY_MS;

/** How far `state.touched.nothingBefore` may lie ahead of the start. */
const MAX_AHEAD_MS = 3_600_000;

type Read = Pick<Config, 'hosts' | 'identity' | 'task' | 'policy' | 'control' | 'tokenService' | 'state'>;

/** Whether an instant lies so far ahead of a start that it would let a later loss pass. Both in milliseconds since the epoch. */
export const aheadOfStart = (instantMs: number | null, startedAtMs: number): boolean =>
  instantMs !== null && instantMs > startedAtMs + MAX_AHEAD_MS;

/**
 * Holds a configuration against the inventory and the time (milliseconds): names of the one that the other does not have.
 * Each such name denies more than was meant, never less, but for a guardrail that is disabled without an end.
 */
export function againstInventory(config: Read, inventory: Inventory, nowMs: number): InventoryFindings {
  const problems = [
    ...unknownHosts(config, inventory),
    ...unknownPurposes(config, inventory),
    ...unknownResources(config, inventory),
    ...withoutAudience(config, inventory),
    ...sharedAudience(config, inventory),
    ...endlessGuardrails(config, nowMs),
    ...(aheadOfStart(config.state.touched.nothingBefore, nowMs)
      ? [
          'state.touched.nothingBefore lies more than an hour ahead, so it is as good as left out; write when nothing was opened',
        ]
      : []),
  ];
  const notes = [
    ...pastGuardrails(config, nowMs),
    ...strangeIssuers(config, inventory),
    ...unreadKeys(config, inventory),
    ...strangeAuthorities(config, inventory),
    ...dueRotations(inventory, nowMs).map((one) => rotationText(one, nowMs)),
    ...inventory.notes,
  ];
  const strangers = strangeWorkloads(config, inventory);
  // Without a token that names workloads only a proven caller is ever looked up.
  if (config.task.issuers.length === 0) problems.push(...strangers);
  else notes.push(...strangers);
  notes.push(...strangeProxies(config, inventory));
  return { problems, notes };
}

function unknownHosts({ hosts }: Read, inventory: Inventory): string[] {
  const unknown = [...hosts.entries()].filter(([, host]) => !inventory.hosts.has(host));
  return unknown.map(
    ([at, host]) => `hosts[${at}]: the inventory lists no host '${host}'; add it there, or correct it`,
  );
}

/** What clients of the check port can never ask about; `key` is where they are listed. */
export function peersAgainstInventory(peers: readonly PeerEntry[], key: string, { hosts }: Inventory): string[] {
  const serving = new Set([...hosts.values()].flatMap(({ servedBy }) => [...servedBy]));
  const servers = [...serving].map((id) => SpiffeId.parse(id)).filter((id) => id instanceof SpiffeId);
  return peers.flatMap((peer, at) => {
    if (peer.hosts === null) {
      if (serving.has(peer.pattern.text) || servers.some((id) => peer.pattern.matches(id))) return [];
      const cure = 'name it in servedBy of its hosts, or name its hosts here';
      return [`${key}[${at}]: no host of the inventory is servedBy it, so it may ask about nothing; ${cure}`];
    }
    return peer.hosts.flatMap((host, which) =>
      hosts.has(host)
        ? []
        : [`${key}[${at}].hosts[${which}]: the inventory lists no host '${host}'; add it there, or correct it`],
    );
  });
}

function unknownPurposes({ task }: Read, { known }: Inventory): string[] {
  return task.issuers.flatMap(({ purposes }, at) => {
    const unknown = [...(purposes ?? []).entries()].filter(([, purpose]) => !known.purposes.has(purpose));
    const cure = 'add it there, or correct it';
    return unknown.map(
      ([which, name]) => `task.issuers[${at}].purposes[${which}]: the inventory lists no purpose '${name}'; ${cure}`,
    );
  });
}

/** What an entry of a type is about, and is not there: it covers nothing. */
function unknownResources({ task }: Read, { hosts }: Inventory): string[] {
  const apis = new Map([...hosts.values()].flatMap((host) => host.apis.map((api) => [api.id, api.template] as const)));
  return task.issuers.flatMap(({ resources }, at) =>
    (resources?.types ?? []).flatMap(({ api, parameters }, which) => {
      const key = `task.issuers[${at}].resources.types[${which}]`;
      const template = apis.get(api);
      if (template === undefined)
        return [`${key}.api: the inventory lists no api '${api}'; add it there, or correct it`];
      const known = template.segments.map((segment) => ('param' in segment ? segment.param : null));
      const unknown = Object.keys(parameters).filter((name) => !known.includes(name));
      return unknown.map(
        (name) => `${key}.parameters: the path of ${api}, ${template.text}, has no {${name}}; correct it`,
      );
    }),
  );
}

/** A token is for the host that is called: without an audience anywhere, no host takes any. */
function withoutAudience({ identity, task }: Read, { hosts }: Inventory): string[] {
  if ([...hosts.values()].some(({ host }) => host.audience !== null)) return [];
  const keys = [
    ...identity.oidc.map(({ audience }, at) => (audience === null ? `identity.oidc[${at}]` : [])),
    ...task.issuers.map(({ kind }, at) => (kind === 'access-token' ? `task.issuers[${at}]` : [])),
  ].flat();
  const message = 'no host of the inventory states an audience, so none takes its tokens; state it where they are for';
  return keys.map((key) => `${key}: ${message}`);
}

/** A host could use the tokens that it gets at the control port, if their audience were the same. */
function sharedAudience(config: Read, { hosts }: Inventory): string[] {
  const own = [
    ['control.audience', config.control.audience, 'the control API'],
    ['tokenService.audience', subjectAudience(config), 'the token service'],
  ] as const;
  return own.flatMap(([key, audience, where]) => {
    const sharing = [...hosts].filter(([, { host }]) => host.audience !== null && host.audience === audience);
    const message = `has this audience too, and could use the tokens that it gets at ${where}; choose another one`;
    return sharing.map(([name]) => `${key}: the host '${name}' ${message}`);
  });
}

const disabledAt = (at: number): string => `policy.guardrails.disable[${at}].until:`;

function endlessGuardrails({ policy }: Read, nowMs: number): string[] {
  return policy.guardrails.disable.flatMap(({ untilMs }, at) =>
    untilMs - nowMs > LONGEST_DISABLED_MS
      ? [`${disabledAt(at)} lies more than two years ahead, which is no end; name a day on which somebody looks again`]
      : [],
  );
}

function pastGuardrails({ policy }: Read, nowMs: number): string[] {
  return policy.guardrails.disable.flatMap(({ id, untilMs }, at) =>
    untilMs <= nowMs ? [`${disabledAt(at)} is past, so ${id} is in force; remove the entry`] : [],
  );
}

/** By trust domain: there may be a million entries. */
function strangeWorkloads({ identity }: Read, { known }: Inventory): string[] {
  return [...known.trustDomains]
    .filter((domain) => !Object.hasOwn(identity.trustDomains, domain))
    .map(
      (domain) =>
        `no workload of the inventory in spiffe://${domain} can ever be a caller: identity.trustDomains has no ${domain}; add it there, or correct it`,
    );
}

/** What revocations can name, by this configuration and inventory. */
export function revocableNames(
  config: Pick<Config, 'identity' | 'task' | 'control'>,
  { known }: Inventory,
): RevocableNames {
  const trustDomains = new Set(Object.keys(config.identity.trustDomains));
  // People are subjects of their provider.
  const ofPeople = config.control.signIn === null ? [] : [config.control.signIn.issuer];
  return { teams: known.teams, issuers: new Set([...issuersOf(config), ...ofPeople]), trustDomains };
}

/** By their `iss`: those of JWT-SVIDs have none. */
function issuersOf({ identity, task }: Pick<Config, 'identity' | 'task'>): ReadonlySet<string> {
  const issuers = new Set(identity.oidc.map(({ issuer }) => issuer));
  for (const issuer of task.issuers) if (issuer.kind !== 'jwt-svid') issuers.add(issuer.issuer);
  return issuers;
}

function strangeIssuers(config: Read, { known }: Inventory): string[] {
  const issuers = issuersOf(config);
  const why = 'which neither identity.oidc nor task.issuers has: its tokens prove no caller';
  const strange = known.issuers.difference(issuers);
  return [...strange].map((issuer) => `credentials of the inventory name the issuer ${issuer}, ${why}`);
}

function unreadKeys({ identity }: Read, inventory: Inventory): string[] {
  const account = identity.legacy.keyHeader === null ? inventory.legacyAccounts('key').next().value : undefined;
  if (account === undefined) return [];
  return [`no API key of the inventory is accepted, such as that of ${account.id.text}: set identity.legacy.keyHeader`];
}

function strangeAuthorities({ identity }: Read, inventory: Inventory): string[] {
  const known = new Set(identity.legacy.authorities.map(({ name }) => name));
  const named = [...inventory.legacyAccounts('name')].flatMap(({ stated }) =>
    (stated.certificates ?? []).flatMap((one) => ('authority' in one ? [one.authority] : [])),
  );
  const why = 'which identity.legacy.authorities has not: its certificates prove no caller';
  return [...new Set(named).difference(known)].map(
    (name) => `accounts of the inventory name the authority ${name}, ${why}`,
  );
}

/** The identity of an Envoy is Envoy's word: a trust domain that is nowhere configured is unusual, not impossible. */
function strangeProxies({ identity }: Read, { hosts }: Inventory): string[] {
  return [...hosts].flatMap(([host, { servedBy }]) =>
    [...servedBy].flatMap((id) => {
      const domain = strangeDomain(id, identity);
      const why = `identity.trustDomains has no ${domain}; look whether it is misspelt`;
      return domain === null ? [] : `servedBy of ${host} names ${id}, and ${why}`;
    }),
  );
}

/** The trust domain of a SPIFFE ID, where it is not configured; null where it is, and of a text that is none. */
function strangeDomain(text: string, { trustDomains }: Config['identity']): string | null {
  const id = SpiffeId.parse(text);
  return id instanceof Refusal || Object.hasOwn(trustDomains, id.trustDomain) ? null : id.trustDomain;
}
