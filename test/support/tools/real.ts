import { Refusal } from '../../../src/base/outcome.ts';
import { refused } from '../../../src/check/answer.ts';
import { check } from '../../../src/check/check.ts';
import type { Decision } from '../../../src/check/decision.ts';
import { recall } from '../../../src/check/recall.ts';
import { toRecord } from '../../../src/check/record.ts';
import type { Stages } from '../../../src/check/stages.ts';
import { readRequest } from '../../../src/envoy/request.ts';
import { type Credential, provenCaller } from '../../../src/identity/caller.ts';
import { credentialReader } from '../../../src/identity/credentials.ts';
import type { Inventory } from '../../../src/inventory/inventory.ts';
import type { Workload } from '../../../src/inventory/model.ts';
import { placed } from '../../../src/observe/line.ts';
import { auditBody } from '../../../src/observe/record.ts';
import type { Snapshot } from '../../../src/policy/decide/snapshot.ts';
import type { Chain, Task } from '../../../src/task/model.ts';
import type { TaskResource } from '../../../src/task/resources.ts';
import { TokenVerifier } from '../../../src/token/verifier.ts';
import { received, requestOptions } from '../check-request.ts';
import { idOf } from '../inventory.ts';
import { task } from '../policy.ts';
import { untouching } from '../untouching.ts';
import { hostNames, PARTNER, purposes, workloadIds } from './estates.ts';
import type { Random } from './random.ts';

export const NOW = Date.UTC(2026, 10, 25, 10);
const STRANGER = `spiffe://${PARTNER}/nobody`;

/** One request and what is proven of it: what a client sends, and what its credentials hold. */
export interface Ask {
  readonly method: string;
  readonly host: string;
  /** As it is sent, with the query. */
  readonly target: string;
  readonly upgrade: boolean;
  readonly caller: string;
  readonly through: readonly string[];
  readonly credential: Credential;
  readonly task: Pick<Task, 'purpose' | 'assurance' | 'scopes' | 'resources'> | null;
  readonly headers: { readonly 'x-data-class'?: string; readonly 'x-amount'?: number };
  readonly client: string;
}

const pathWords = ['a', 'b', 'c', 'd', 'any', 'A', 'b%3Bx', 'a%20b', 'caf%C3%A9'];
const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'QUERY'];
const hostile = ['%2f', 'a;b', '..', '', '%00', '%5C', 'a%25', '%ff', 'é'];

/** A request about an estate; some are such that no server should take them. */
export function anyAsk(random: Random, inventory: Inventory): Ask {
  const known = workloadIds.filter((id) => !(inventory.workload(idOf(id)) instanceof Refusal));
  const anyWorkload = (): string => random.pick(known.length > 0 && random.chance(90) ? known : workloadIds);
  const hosts = [...inventory.hosts.keys()];
  const host = random.pick(random.chance(90) ? hosts : hostNames);
  const words = random.chance(40) ? wordsOfApi(inventory, host, random) : anyWords(random);
  const end = random.chance(8) ? '/' : '';
  const through = random.chance(30) ? [anyWorkload()] : [];
  if (random.chance(10)) through.push(random.chance(20) ? STRANGER : anyWorkload());
  return {
    method: random.chance(5) ? random.pick(['CONNECT', 'TRACE']) : random.pick(methods),
    host: random.chance(4) ? 'three.internal' : random.chance(4) ? 'ONE.internal.' : host,
    target: `/${words.join('/')}${words.length > 0 ? end : ''}${random.pick(['', '', '', '?q=x', '?q=y', '?q=y&r=x'])}`,
    upgrade: random.chance(8),
    caller: random.chance(4) ? STRANGER : anyWorkload(),
    through,
    credential: random.pick(['x509-svid', 'x509-svid', 'jwt-svid', 'oidc']),
    task:
      through.length > 0 || random.chance(50)
        ? {
            purpose: random.pick([...purposes, ...purposes, ...purposes, 'unknown']),
            assurance: random.pick([1, 2, 3]),
            scopes: random.pick([[], ['s'], ['t'], ['s', 't']]),
            resources: anyResources(random, inventory, host, words),
          }
        : null,
    headers: {
      ...random.maybe(30, () => ({ 'x-data-class': random.pick(['low', 'high']) })),
      ...random.maybe(30, () => ({ 'x-amount': random.pick([0, 11, Number.MAX_SAFE_INTEGER]) })),
    },
    client: random.pick(['10.2.0.9', '192.0.2.1']),
  };
}

/** Nothing, or apis of which many are that of the request, with the values that it has or others. */
function anyResources(
  random: Random,
  { hosts, known }: Inventory,
  host: string,
  words: readonly string[],
): readonly TaskResource[] | null {
  if (random.chance(60)) return null;
  const apis = hosts.get(host)?.apis ?? [];
  const others = [...known.apis];
  return Array.from({ length: random.below(3) }, () => {
    const api = apis.length > 0 && random.chance(80) ? random.pick(apis) : null;
    const parameters = (api?.template.segments ?? []).flatMap((segment, at) => {
      if (!('param' in segment) || random.chance(30)) return [];
      return [[segment.param, random.chance(80) ? decodeURIComponent(clean(words[at])) : 'else'] as const];
    });
    const name = api?.id ?? (others.length > 0 ? random.pick(others) : null);
    return name === null ? [] : [{ api: name, parameters: Object.fromEntries(parameters) }];
  }).flat();
}

/** A segment that can be decoded. */
const clean = (word = 'else'): string => (/%(?:ff|00|$)/.test(word) ? 'else' : word);

function anyWords(random: Random): readonly string[] {
  return Array.from({ length: random.below(5) }, () =>
    random.chance(3)
      ? random.pick(hostile)
      : random.chance(85)
        ? random.pick(pathWords.slice(0, 4))
        : random.pick(pathWords),
  );
}

/** Segments that an api takes, or two of them together, and sometimes one more. */
function wordsOfApi({ hosts }: Inventory, host: string, random: Random): readonly string[] {
  const apis = hosts.get(host)?.apis ?? [];
  if (apis.length === 0) return anyWords(random);
  const [one, another] = [random.pick(apis), random.pick(apis)].map(({ template }) => template.segments);
  const length = Math.max(one?.length ?? 0, another?.length ?? 0) + (random.chance(20) ? 1 : 0);
  return Array.from({ length }, (_, at) => {
    const literals = [one?.[at], another?.[at]].flatMap((part) =>
      part !== undefined && 'literal' in part ? [part.literal] : [],
    );
    return literals.length > 0 ? random.pick(literals) : random.pick(pathWords.slice(0, 4));
  });
}

/** What the sidecar decided about a request, and the audit line that it wrote. */
export interface Checked {
  readonly decided: Decision;
  readonly result: 'allow' | 'deny';
  readonly reason: string;
  readonly record: ReturnType<typeof toRecord>;
  readonly line: string;
  /** The line holds digests where the query has values. */
  readonly hidden: boolean;
}

let checks = 0;

/**
 * The check itself: reading, locating, judging, recording. Only the proofs are taken as given. `shown` is
 * `audit.queryParameters`.
 */
export async function reallyCheck(
  ask: Ask,
  snapshot: Snapshot<Inventory>,
  shown: ReadonlySet<string>,
): Promise<Checked> {
  const { headers, host } = ask;
  const shape = {
    method: ask.method,
    host,
    path: ask.target,
    headers: {
      ...(ask.upgrade ? { upgrade: 'websocket' } : {}),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    },
    attributes: {
      source: { address: { socket_address: { address: ask.client, port_value: 40_000 } } },
      context_extensions: { host: host.toLowerCase().replace(/\.$/, '') },
    },
  };
  const options = { ...requestOptions, singleHeaders: [...requestOptions.singleHeaders, 'x-data-class', 'x-amount'] };
  const input = readRequest(received(shape), { checkPeer: null }, options);
  const context = { decision: `decision-${++checks}`, deadline: NOW + 60_000, gaveUp: () => false };
  const decided: Decision =
    input instanceof Refusal ? refused(input) : await check(input, snapshot, stagesFor(ask), context, NOW);
  const concluded = {
    decision: context.decision,
    time: NOW,
    microseconds: 1,
    input: input instanceof Refusal ? null : input,
    raw: input instanceof Refusal ? { id: '1', from: ask.client, method: ask.method, host, path: ask.target } : null,
    decided,
    trace: null,
  };
  const record = toRecord(concluded, { label: null, unsafe: [], queryParameters: shown });
  const line = placed(NOW, { boot: 'soak', seq: checks, prev: null }, auditBody(record).json);
  const parameters = ask.target.split('?', 2)[1]?.split('&') ?? [];
  const hidden = parameters.some((parameter) => !shown.has(parameter.split('=', 1)[0] ?? ''));
  return { decided, result: record.result, reason: record.reason, record, line, hidden };
}

/** Identity and task as they come out of verified credentials. */
function stagesFor(ask: Ask): Stages {
  const found = (known: Pick<Inventory, 'workload'>, id: string) => known.workload(idOf(id));
  return {
    hosts: [],
    enforcement: 'enforce',
    taskHeaders: [],
    keyHeaders: [],
    readCredentials: credentialReader({ tokens: new TokenVerifier(), issuers: new Set(), keyHeader: null }),
    identify: async (_input, _credentials, _target, known) => {
      const workload = found(known, ask.caller);
      if (workload instanceof Refusal) return workload;
      const issuedAt = NOW / 1000 - 60;
      const times = { issuedAt, expiresAt: NOW / 1000 + 3600, token: null, proxy: null, proxies: [] };
      return provenCaller({ workload, credential: ask.credential, thumbprint: null, ...times });
    },
    readTask: async (_input, _credentials, target, caller, known) => {
      const ids = [...ask.through, ask.caller];
      if (new Set(ids).size < ids.length) return new Refusal('chain_cycle', 'a workload stands in the chain twice');
      const earlier: Workload[] = [];
      for (const id of ask.through) {
        const workload = found(known, id);
        if (workload instanceof Refusal) return new Refusal('chain_unregistered', `${id} is not in the inventory`);
        earlier.push(workload);
      }
      if (ask.task !== null && known.widerPurposes(ask.task.purpose) === null)
        return new Refusal('task_purpose', `${ask.task.purpose} is no purpose of the inventory`);
      return {
        task: ask.task === null ? null : task({ ...ask.task, expiresAt: NOW / 1000 + 300 }),
        declared: null,
        chain: [...earlier, caller.workload] as unknown as Chain,
        backing: [],
        keys: [],
        consumed: [],
        redemptions: [],
        challenge: { scheme: 'bearer', host: target.resource.host, dpopAlgorithms: [], resourceMetadata: false },
        responseHeaders: [],
      };
    },
    recall,
    budgets: () => [],
    touched: untouching(),
    redeem: async () => () => {},
    approvals: null,
    behaviour: null,
  };
}
