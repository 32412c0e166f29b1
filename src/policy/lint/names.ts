import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { HostRoutes } from '../../inventory/host.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readActions, writeActions } from '../../inventory/model.ts';
import type { Problem } from '../../source/problem.ts';
import type { PolicySettings } from '../text/sources.ts';
import { faultIn, problemAtString } from '../text/split-policies.ts';
import { type Literal, literals } from '../text/tokens.ts';
import type { ParsedPolicy } from './parsed.ts';
import { type ClosedList, MAX_FAULTS, type Names, stringProblems, unlisted } from './strings.ts';

/**
 * Names that are nowhere listed. Strict validation accepts any id of an entity and any string, so a misspelt one makes a
 * policy that never applies, and a forbid that never applies is a hole.
 */
export function nameProblems(policy: ParsedPolicy, names: Names): Problem[] {
  const problems = literalNameProblems(policy, names);
  const { approval } = policy.json.annotations ?? {};
  // A guardrail may name an approval that this estate cannot give: then nothing lifts it, which denies.
  if (approval && !policy.guardrail && !names.inventory.known.approvals.has(approval)) {
    problems.push(problemAtString(policy, approval, unlisted('approval', approval, 'approvals')));
  }
  return [...problems, ...stringProblems(policy, names)];
}

/** Those of its entity literals alone. */
export function literalNameProblems(policy: ParsedPolicy, names: Names): Problem[] {
  const problems: Problem[] = [];
  for (const literal of literals(policy.tokens)) {
    if (problems.length === MAX_FAULTS) break;
    problems.push(...faultIn(policy, literal.offset, literalFault(literal, names)));
  }
  return problems;
}

/** What the inventory lists by name. */
const LISTS: ReadonlyMap<string, ClosedList> = new Map<string, ClosedList>([
  ['Team', { kind: 'team', names: 'teams', where: 'teams' }],
  ['Group', { kind: 'group', names: 'groups', where: "a workload's groups" }],
  ['Purpose', { kind: 'purpose', names: 'purposes', where: 'purposes' }],
  ['Host', { kind: 'host', names: 'hosts', where: 'resources' }],
  ['Api', { kind: 'api', names: 'apis', where: "the host's apis, and write it host/name" }],
]);

/** Types of control policies whose entities nothing lists. */
const UNLISTED: ReadonlySet<string> = new Set(['Person', 'Task', 'Credential', 'Approval']);

/** What is wrong with an entity literal, and what to do; null when it names something. */
function literalFault({ type, id }: Literal, { inventory, settings }: Names): string | null {
  const [, namespace = '', name = ''] = /^(Mesh|Control)::(\w+)$/.exec(type) ?? [];
  if (namespace === 'Control' && UNLISTED.has(name)) {
    return `no ${name.toLowerCase()} is listed, so none can be named; write is ${type}, and compare its attributes`;
  }
  const list = LISTS.get(name);
  if (list !== undefined) return inventory.known[list.names].has(id) ? null : unlisted(list.kind, id, list.where);
  switch (name) {
    case 'TrustDomain':
      return trustDomainFault(id, settings);
    case 'SpiffePath':
      return spiffePathFault(id, namespace, { inventory, settings });
    case 'Workload':
      return workloadFault(id, inventory);
    case 'Path':
      return pathFault(id, inventory, 'prefix');
    case 'Endpoint':
      return pathFault(id, inventory, 'whole');
    case 'Headers':
    case 'Numbers':
      return 'headers are reached through context.headers and context.numbers only';
    default:
      return null;
  }
}

function trustDomainFault(name: string, { trustDomains }: PolicySettings): string | null {
  if (trustDomains.includes(name)) return null;
  return `no trust domain is called '${name}'; configure its bundle under identity.trustDomains, or correct it`;
}

function spiffePathFault(text: string, namespace: string, { inventory, settings }: Names): string | null {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return `'${text}' is not canonical: ${id.detail}; write spiffe://trust-domain/path`;
  if (id.path === '') return `'${text}' is a trust domain; write ${namespace}::TrustDomain::"${id.trustDomain}"`;
  const domain = trustDomainFault(id.trustDomain, settings);
  if (domain !== null) return domain;
  if (inventory.lists(text) || !(inventory.workload(id) instanceof Refusal)) return null;
  return `no workload of the inventory is '${text}' or below it; list one, or correct it`;
}

function workloadFault(text: string, inventory: Inventory): string | null {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return `'${text}' is not canonical: ${id.detail}; write spiffe://trust-domain/path`;
  if (!(inventory.workload(id) instanceof Refusal)) return null;
  return `no workload entry of the inventory holds for '${text}'; list it, or correct it`;
}

/** Characters that a decoded path never holds: what decodes to them is refused before policy. */
const NEVER_IN_PATH = /[\u0000-\u001f\u007f-\u009f%\\]/;

/** What a template or a pattern is written with, and a request's path is not. */
const PATTERN = /\{[^}/]*\}?|\*/;

function pathFault(text: string, inventory: Inventory, kind: 'prefix' | 'whole'): string | null {
  const slash = text.indexOf('/');
  const name = slash === -1 ? text : text.slice(0, slash);
  const host = inventory.hosts.get(name);
  if (host === undefined) return unlisted('host', name, 'resources');
  const path = slash === -1 ? '' : text.slice(slash);
  if (kind === 'prefix' && (path === '' || path === '/')) return `'${text}' is a host; write Mesh::Host::"${name}"`;
  const pattern = PATTERN.exec(path)?.[0];
  if (pattern !== undefined) {
    return `'${pattern}' is no pattern in a path; write Mesh::Api::"${name}/NAME" for a route with parameters, or resource.path like "…*"`;
  }
  const canonical = canonicalPath(host, path);
  if (canonical === null || NEVER_IN_PATH.test(path) || (kind === 'prefix' && path.endsWith('/'))) {
    return `'${text}' is not canonical; write host/segment/segment, decoded, without a trailing slash or dot segments`;
  }
  if (canonical !== path) return `'${text}' is not canonical; write '${name}${canonical}'`;
  return null;
}

/** The path as the host reads it, by whichever method some api takes there; null when it reads none. */
function canonicalPath(host: HostRoutes, path: string): string | null {
  for (const method of [...readActions, ...writeActions]) {
    const target = host.target({ host: host.host.name, path, method, upgrade: false, grpc: false });
    if (!(target instanceof Refusal)) return target.resource.path;
  }
  return null;
}
