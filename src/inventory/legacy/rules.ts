import type { DataPath } from '../../source/yaml.ts';
import type { LegacyKind } from '../table/entry-table.ts';
import type { LegacyCertificateEntry, LegacyEntry } from './schema.ts';

const DAY_MS = 86_400_000;
/** From when a key was made to the end of its last day. */
const LONGEST_KEY_MS = 367 * DAY_MS;

type Found = readonly [path: DataPath, message: string];

/** Where the credentials of this kind stand in their entry. */
export const legacyPath = (kind: LegacyKind): DataPath => ['legacy', kind === 'key' ? 'keys' : 'certificates'];

/** What is wrong with a legacy credential that the account `id` has already. */
export const repeatedLegacy = (kind: LegacyKind, id: string): string =>
  kind === 'key'
    ? `this key is one of ${id} already; one key names one account, so make a new one with 'cedar-ext-authz key new'`
    : `this certificate is of ${id} already; one certificate names one account`;

/** How the table finds a certificate that an entry names. */
export const certificateKey = (named: LegacyCertificateEntry): readonly [kind: LegacyKind, value: string] =>
  'sha256' in named ? ['certificate', named.sha256] : ['name', certificateName(named.authority, named.dnsName)];

/** No DNS name holds a blank. */
export const certificateName = (authority: string, dnsName: string): string => `${dnsName} ${authority}`;

/** The last moment of a day (2026-11-01, in UTC) is before this, in milliseconds since the epoch. */
export const endOfDayMs = (day: string): number => Date.parse(`${day}T00:00:00Z`) + DAY_MS;

/**
 * What is wrong with the legacy credentials of an entry: they belong to a workload of the kind legacy that states its
 * networks, are good for hosts that are listed, and a key is to be rotated within 366 days, after it was made.
 */
export function legacyFaults(
  legacy: LegacyEntry,
  kind: string | undefined,
  networks: readonly string[] | null,
  hosts: ReadonlySet<string>,
): readonly Found[] {
  const found: Found[] = [];
  if (kind !== 'legacy')
    found.push([['legacy'], "only an account of the kind legacy has these; add 'kind: legacy', or remove them"]);
  if (networks === null) found.push([['legacy'], "its credentials would be good from anywhere; state 'networks'"]);
  for (const [at, host] of legacy.hosts.entries())
    if (!hosts.has(host))
      found.push([['legacy', 'hosts', at], `no host '${host}' is listed under resources; list it, or correct it`]);
  if (legacy.keys === undefined && legacy.certificates === undefined)
    found.push([['legacy'], "proves nothing; state 'keys' or 'certificates'"]);
  return [...found, ...keyFaults(legacy)];
}

function keyFaults({ keys = [] }: LegacyEntry): readonly Found[] {
  return keys.flatMap(({ created, rotateBy }, at): Found[] => {
    const livesMs = endOfDayMs(rotateBy) - Date.parse(created);
    const path = ['legacy', 'keys', at, 'rotateBy'];
    if (livesMs <= 0) return [[path, 'lies before the key was created; correct one of them']];
    if (livesMs > LONGEST_KEY_MS)
      return [[path, 'lies more than 366 days after the key was created; name an earlier day']];
    return [];
  });
}
