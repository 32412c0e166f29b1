import { Fault } from '../../base/fault.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { peerDomains } from '../../config/between-sections.ts';
import { isProblems, loadPeers, type PeerEntry, readPeersFile } from '../../config/peers.ts';
import type { Config } from '../../config/schema.ts';
import { ProductView, type ServedHosts } from '../../doctor/against-product.ts';
import { checks } from '../../doctor/checks.ts';
import { type Diagnosis, examineEnvoy } from '../../doctor/diagnose.ts';
import { type Finding, placeText } from '../../doctor/findings.ts';
import { xdsResources } from '../../doctor/resources.ts';
import { EnvoySources } from '../../doctor/sources.ts';
import { loadInventory } from '../../inventory/load.ts';
import { readBounded } from '../../source/bounded.ts';
import { formatProblem } from '../../source/problem.ts';
import { command } from '../commands.ts';
import { readConfig } from '../config.ts';
import { DONE, FAILED, type Io, UNREAD } from '../io.ts';
import { indentedJson, plainOutput } from '../printable.ts';

const USAGE = `doctor ENVOY [--config FILE [--inventory FILE]] [--skip LISTENER …] [--accept CODE …] [--json]
  what Envoy's configuration lacks, or lets past the sidecar: 0 if nothing, 1 with each finding, its place, the line to write
  and the page with the reason
  ENVOY              a bootstrap, a file of xDS resources or a config dump (YAML or JSON), or the URL of Envoy's admin port,
                     such as http://127.0.0.1:9901; a bootstrap leads to the files that it subscribes to, from this folder
  --config FILE      the sidecar's configuration: hosts, peers, forwarded mode, limits and the check port are compared
  --inventory FILE   the inventory beside it: which hosts servedBy assigns to this Envoy, and to the peers
  --skip LISTENER    do not look at this listener, whose requests nobody has to judge: its name, or HOST:PORT
  --accept CODE      findings of this code are counted, and do not fail
  --json             as JSON
`;

const OPTIONS = {
  config: { type: 'string' },
  inventory: { type: 'string' },
  skip: { type: 'string', multiple: true },
  accept: { type: 'string', multiple: true },
  json: { type: 'boolean' },
} as const;

const TIMEOUT_MS = 10_000;
/** Of the file of an inventory, as the sidecar reads it. */
const MAX_INVENTORY_BYTES = 4 * 1024 * 1024;

/** `doctor ENVOY`: 0 when nothing is wrong with Envoy's configuration, 1 with each finding, 2 when it cannot be read. */
export const doctor = plainOutput(
  command(USAGE, OPTIONS, async (line, io) => {
    const [target, ...more] = line.positionals;
    if (target === undefined || more.length > 0)
      return line.misuse('name one configuration of Envoy, or the URL of its admin port');
    const { config: file, inventory, skip = [], accept = [], json = false } = line.values;
    if (inventory !== undefined && file === undefined) return line.misuse('--inventory goes with --config');
    const unknown = accept.find((code) => !Object.hasOwn(checks, code));
    if (unknown !== undefined) return line.misuse(`--accept: there is no finding ${JSON.stringify(unknown)}`);
    const product = file === undefined ? null : await readProduct(file, inventory ?? null, io);
    if (typeof product === 'number') return product;
    const resources = await xdsResources(target, '.', new EnvoySources());
    if (resources instanceof Fault) {
      io.err(`${resources.detail}\n`);
      return UNREAD;
    }
    const { findings, seen } = examineEnvoy(resources, product, new Set(skip));
    const accepted = new Set(accept);
    const left = findings.filter(({ code }) => !accepted.has(code));
    const summary = { findings: left, accepted: findings.length - left.length, seen };
    if (json) io.out(`${indentedJson(summary)}\n`);
    else io.out(inWords(target, summary));
    return left.length > 0 ? FAILED : DONE;
  }),
);

async function readProduct(file: string, inventory: string | null, io: Io): Promise<ProductView | number> {
  const config = await readConfig(file, io);
  if (typeof config === 'number') return config;
  const peers = await peersOf(config);
  const served = inventory === null ? null : await servedHosts(inventory, config);
  if (!(peers instanceof Fault) && !(served instanceof Fault)) return new ProductView(config, peers, served);
  for (const fault of [peers, served]) if (fault instanceof Fault) io.err(`${fault.detail}\n`);
  return UNREAD;
}

async function servedHosts(file: string, config: Config): Promise<ServedHosts | Fault> {
  const bytes = await readBounded(file, MAX_INVENTORY_BYTES, AbortSignal.timeout(TIMEOUT_MS));
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  if (text instanceof Fault) return new Fault(`${file}: ${text.detail}`);
  const domains = Object.entries(config.identity.trustDomains).filter(([, { local }]) => local);
  const inventory = loadInventory(text, file, { ownTrustDomains: new Set(domains.map(([name]) => name)) });
  if (Array.isArray(inventory)) return new Fault(inventory.map(formatProblem).join('\n'));
  return new Map([...inventory.hosts].map(([host, { servedBy }]) => [host, servedBy]));
}

async function peersOf(config: Config): Promise<readonly PeerEntry[] | Fault> {
  const { peers, peersFile } = config.listen;
  if (peersFile === null) return peers;
  const text = await readPeersFile(peersFile, AbortSignal.timeout(TIMEOUT_MS));
  if (text instanceof Fault) return text;
  const loaded = loadPeers(text, peersFile, peerDomains(config));
  return isProblems(loaded) ? new Fault(loaded.map(formatProblem).join('\n')) : loaded;
}

type Summary = Diagnosis & { readonly accepted: number };

function inWords(target: string, { findings, accepted, seen }: Summary): string {
  const looked = `${many(seen.listeners, 'listener')}, ${many(seen.chains, 'filter chain')}, ${many(seen.routes, 'route')}`;
  const tail = accepted === 0 ? '' : `; ${accepted} accepted`;
  if (findings.length === 0) return `${target}: good: ${looked}${tail}\n`;
  const count = `${target}: ${many(findings.length, 'finding')} in ${looked}${tail}\n`;
  return `${findings.map(findingText).join('\n')}\n\n${count}`;
}

function findingText({ file, line, column, path, code, effect, place, message, write, reason }: Finding): string {
  const at = line === null ? `${file}: ${path}` : `${file}:${line}:${column}`;
  return [`${at}: ${effect}: ${code}: ${placeText(place)}: ${message}`, `  write: ${write}`, `  why:   ${reason}`].join(
    '\n',
  );
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
