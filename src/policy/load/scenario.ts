import { z } from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { readRequestLine } from '../../http/request-line.ts';
import { credentials } from '../../identity/caller.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { Workload } from '../../inventory/model.ts';
import { inNetworks } from '../../inventory/networks.ts';
import { sensitivities } from '../../inventory/schema.ts';
import { type Touched, together } from '../../state/bounded/touched.ts';
import type { Assurance, Chain, Task } from '../../task/model.ts';
import { MAX_RESOURCES } from '../../task/resources.ts';
import { unmapped } from '../decide/cedar-request.ts';
import { factsOf, factsOfEarlierHop, statedShape } from '../decide/facts.ts';
import { bareQuestion, type Question } from '../decide/question.ts';
import type { TouchedFacts } from '../decide/touched.ts';
import type { DeclaredHeader } from '../text/sources.ts';

const text = z.string().min(1);
const ids = z.array(text);

/** What was opened before, as a person writes it. */
const touched = z.strictObject({
  sensitivity: z.enum(sensitivities).optional().describe('Default: public.'),
  apis: z
    .union([ids, z.literal('all')])
    .optional()
    .describe('Names of apis as `host/name`, or `all`; default none.'),
});
type StatedTouched = z.output<typeof touched>;

/** The facts of one request as a person writes them: of a policy test, or of a question on the command line. */
export const scenarioSchema = z.strictObject({
  caller: text.optional().describe('The SPIFFE ID of the workload that calls; the inventory must know it.'),
  request: text
    .optional()
    .describe(
      '`GET payments.internal/api/invoices/7?page=2`: method, host, and the path as a client sends it, percent-encoded.',
    ),
  through: ids.optional().describe('The workloads that handed the task on to the caller, the originator first.'),
  credential: z.enum(credentials).optional().describe('How the caller proved who it is. Default: x509-svid.'),
  task: z
    .strictObject({
      purpose: text,
      assurance: z.literal([1, 2, 3]).optional().describe('Default: 2, bound to its caller.'),
      scopes: ids.optional(),
      resources: z
        .array(z.strictObject({ api: text, parameters: z.record(text, z.string()).default({}) }))
        .max(MAX_RESOURCES)
        .optional()
        .describe('What it is about: apis as `host/name`, and values of their parameters. Default: it names nothing.'),
      id: text.optional(),
      issuer: text.optional(),
      subject: text.optional(),
      secondsLeft: z.int().min(1).optional().describe('Default: 300.'),
      touched: touched.optional().describe('What was opened in it before; default nothing.'),
    })
    .nullable()
    .optional()
    .describe('What a verified task token says. Without it there is no task.'),
  declared: z.strictObject({ id: text, purpose: text }).nullable().optional().describe('A task that is merely said.'),
  headers: z
    .record(text, z.union([z.string(), z.int()]))
    .optional()
    .describe('Headers that the config lets through; a number where it declares a number.'),
  client: z
    .union([z.ipv4(), z.ipv6()], 'write one IPv4 or IPv6 address')
    .optional()
    .describe('The address that the caller calls from.'),
  upgrade: z.boolean().optional().describe('The request asks for a WebSocket or another tunnel.'),
  grpc: z.boolean().optional(),
  at: z.iso.datetime().optional().describe('When; default 2026-11-25T10:00:00Z.'),
  touched: touched
    .optional()
    .describe('What the workloads of the chain opened before, beside what was opened in the task; default nothing.'),
  ...statedShape,
});

/** What is asked for, as a check reads it: a canonical host and a decoded path. */
export interface RequestLine {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: string | null;
}

/** The facts of one request. What is left out is not known, or has the default that the schema tells. */
export type Scenario = Omit<z.output<typeof scenarioSchema>, 'request'> & {
  readonly request?: string | RequestLine | undefined;
  /** Nobody knows what was opened before. */
  readonly unread?: true | undefined;
};

/** When a request is judged that states no time. */
export const NOON = '2026-11-25T10:00:00Z';

/**
 * One question for each hop of the request, why a check refuses it before policies are asked, or what the statement says wrongly (in words for
 * whoever wrote it). Workloads, purpose and headers must be known to the inventory and the config: a misspelt one would
 * prove nothing.
 */
export function questionsFor(
  stated: Scenario,
  inventory: Inventory,
  declared: readonly DeclaredHeader[],
): Question[] | Refusal | string {
  if (stated.caller === undefined) return 'no caller; state the SPIFFE ID of the workload that calls';
  if (stated.request === undefined) return 'no request; write it like GET host/path';
  const chain: Workload[] = [];
  for (const id of [...(stated.through ?? []), stated.caller]) {
    const workload = knownWorkload(id, inventory);
    if (typeof workload === 'string') return workload;
    chain.push(workload);
  }
  const line = typeof stated.request === 'string' ? requestLine(stated.request) : stated.request;
  if (line === null) return `'${stated.request}' is no request; write it like GET host/path`;
  const now = Date.parse(stated.at ?? NOON);
  const task = taskOf(stated, inventory, now);
  if (typeof task === 'string') return task;
  const headers = headersOf(stated.headers ?? {}, declared);
  if (typeof headers === 'string') return headers;
  if (line instanceof Refusal) return line;
  const { query, ...access } = line;
  const target = inventory.target({ ...access, upgrade: stated.upgrade ?? false, grpc: stated.grpc ?? false });
  if (target instanceof Refusal) return target;
  if (new Set(chain.map(({ id }) => id.text)).size < chain.length) {
    return new Refusal('chain_cycle', 'a workload stands in the chain twice');
  }
  const touchedBefore = stated.unread ? null : touchedOf(stated);
  const client = stated.client === undefined ? null : unmapped(stated.client);
  return chain.map((hop, index) => {
    const isCaller = index === chain.length - 1;
    const facts = { ...factsOf(stated), inNetworks: inNetworks(hop, client) };
    return {
      ...bareQuestion(hop, target),
      now,
      role: isCaller ? 'caller' : index === 0 ? 'originator' : 'intermediary',
      credential: isCaller ? (stated.credential ?? 'x509-svid') : 'delegated',
      chain: chain as unknown as Chain,
      task,
      declared: stated.declared ?? null,
      client,
      query,
      ...headers,
      touched: touchedBefore,
      // What is known of the caller's own connection is known of the caller alone.
      ...(isCaller ? facts : factsOfEarlierHop(facts)),
    };
  });
}

/**
 * What a person misspelt among the approvals and signals, in words for them; null when all are known. Policies name none
 * but those of the inventory, so another would stand there for nothing. An audit line may tell of some that are gone.
 */
export function misspelt({ approvals, signals, touched, task }: Scenario, { known }: Inventory): string | null {
  const fault = (kind: string, list: ReadonlySet<string>, names: readonly string[] = []): string | null => {
    const unknown = names.find((name) => !list.has(name));
    return unknown === undefined ? null : `no ${kind} is called '${unknown}'; list it in the inventory, or correct it`;
  };
  const opened = [touched?.apis, task?.touched?.apis].flatMap((apis) => (apis === 'all' ? [] : (apis ?? [])));
  return (
    fault('approval', known.approvals, approvals) ??
    fault('signal', known.signals, signals) ??
    fault(
      'api',
      known.apis,
      (task?.resources ?? []).map(({ api }) => api),
    ) ??
    fault('api', known.apis, opened)
  );
}

/**
 * The request line as a check would read it behind the Envoy of the shipped configuration (raw headers, TLS), or its
 * refusal; null for a text that is no request line.
 */
function requestLine(text: string): RequestLine | Refusal | null {
  const parts = /^([A-Z][A-Z0-9_-]*) ([^/?#]+)(\/.*)$/.exec(text);
  if (parts === null) return null;
  const [, method = '', authority = '', target = ''] = parts;
  const read = readRequestLine(
    { method, scheme: 'https', authority, target },
    { mergeSlashes: false, bangIsReplacement: false },
  );
  if (read instanceof Refusal) return read;
  const { host, path, query } = read;
  return { method, host, path, query };
}

/** The workload of a SPIFFE ID, or why there is none in words for whoever wrote it. */
export function knownWorkload(text: string, inventory: Inventory): Workload | string {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return `'${text}' is no SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`;
  const workload = inventory.workload(id);
  return workload instanceof Refusal ? `the inventory knows no '${text}'; list it, or correct it` : workload;
}

function taskOf({ task: stated }: Scenario, inventory: Inventory, now: number): Task | null | string {
  if (stated === undefined || stated === null) return null;
  if (!inventory.known.purposes.has(stated.purpose)) {
    return `no purpose is called '${stated.purpose}'; list it in the inventory, or correct it`;
  }
  return {
    source: 'txn-token',
    id: stated.id ?? 'task',
    purpose: stated.purpose,
    assurance: (stated.assurance ?? 2) as Assurance,
    scopes: stated.scopes ?? [],
    resources: stated.resources ?? null,
    issuer: stated.issuer ?? 'https://issuer.example',
    subject: stated.subject ?? null,
    issuedAt: Math.floor(now / 1000),
    // Rounded up, so that the seconds that are left at `now` are those stated.
    expiresAt: Math.ceil(now / 1000) + (stated.secondsLeft ?? 300),
    token: 'sha256:',
    jti: null,
  };
}

function touchedOf({ touched: byChain, task }: Scenario): TouchedFacts {
  const read = ({ sensitivity = 'public', apis = [] }: StatedTouched = {}): Touched => ({
    sensitivity: sensitivities.indexOf(sensitivity),
    apis: apis === 'all' ? apis : new Set(apis),
  });
  const byTask = read(task?.touched);
  return { chain: together([read(byChain), byTask]), task: byTask };
}

function headersOf(
  stated: Readonly<Record<string, string | number>>,
  declared: readonly DeclaredHeader[],
): Pick<Question, 'headers' | 'numbers'> | string {
  const headers = new Map<string, string>();
  const numbers = new Map<string, number>();
  for (const [name, value] of Object.entries(stated)) {
    const header = declared.find((candidate) => candidate.name === name);
    if (header === undefined) return `the config lets no header '${name}' through; add it to policy.headers`;
    if (header.type === 'string' && typeof value === 'string') headers.set(name, value);
    else if (header.type === 'long' && typeof value === 'number' && value >= 0) numbers.set(name, value);
    else
      return `the header '${name}' is declared as ${header.type}; write ${header.type === 'long' ? '100' : '"text"'}`;
  }
  return { headers, numbers };
}
