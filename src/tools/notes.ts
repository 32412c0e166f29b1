import { SpiffeId } from '../base/spiffe-id.ts';
import type { HostRoutes } from '../inventory/host.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { contains } from '../inventory/template.ts';
import { optionalFacts, unsuppliedFacts } from '../policy/decide/facts.ts';
import { attributesOf, comparedWith, expressions, type Node, nodeOf, operand } from '../policy/lint/ast.ts';
import { factsThatOpenByAbsence } from '../policy/lint/presence.ts';
import type { PolicySettings } from '../policy/text/sources.ts';
import { faultIn, problemAtString, problemAtWord } from '../policy/text/split-policies.ts';
import { literals } from '../policy/text/tokens.ts';
import type { Problem } from '../source/problem.ts';
import { emptyRange } from './empty-range.ts';
import type { ReadPolicy } from './read-policies.ts';
import { mentions } from './unknown.ts';

/** Names in one note; of the others only how many they are is shown. */
const MAX_NAMES = 5;

/**
 * What is valid, does what it says, and is perhaps not what its author believes: one note for each such part of the
 * operators' own policies, at its place. Nothing here is refused.
 */
export function noteworthy(
  policies: readonly ReadPolicy[],
  inventory: Inventory,
  settings: PolicySettings,
): readonly Problem[] {
  return policies
    .filter(({ guardrail }) => !guardrail)
    .flatMap((policy) => [
      ...literalNotes(policy, inventory),
      ...comparisonNotes(policy, inventory, settings),
      ...factNotes(policy),
      ...(policy.json.effect === 'permit' ? permitNotes(policy) : []),
    ]);
}

/** The same of control policies. */
export function noteworthyControl(
  policies: readonly ReadPolicy[],
  inventory: Inventory,
  settings: PolicySettings,
): readonly Problem[] {
  return policies
    .filter(({ guardrail }) => !guardrail)
    .flatMap((policy) => {
      const { principal, conditions, effect } = policy.json;
      const ofType = principal.op === 'is' && !('in' in principal) ? principal.entity_type : null;
      const whom = principal.op === 'All' ? `${EVERY_WORKLOAD}, and to ${EVERY_PERSON}` : EVERYONE.get(ofType ?? '');
      const isOpen = whom !== undefined && !conditions.some(({ body }) => mentions(body, ['principal']));
      return [
        ...literalNotes(policy, inventory),
        ...[...expressions(policy.json)].flatMap((node) => issuerNotes(policy, node, 'context.issuer', settings)),
        ...(effect === 'permit' && isOpen ? [policy.remark(`${policy.id} permits this to ${whom}`)] : []),
      ];
    });
}

function literalNotes(policy: ReadPolicy, inventory: Inventory): Problem[] {
  return literals(policy.tokens).flatMap(({ type, id, offset }) =>
    faultIn(policy, offset, LITERAL_NOTES.get(type)?.(id, inventory, policy) ?? null),
  );
}

/** What is noted of an entity literal, by its type. */
const LITERAL_NOTES = new Map<string, (id: string, inventory: Inventory, policy: ReadPolicy) => string | null>([
  ['Mesh::Api', nestedNote],
  ['Mesh::Path', pathNote],
  ['Mesh::Endpoint', pathNote],
  ['Mesh::Workload', workloadNote],
  ['Control::Workload', workloadNote],
  [
    'Mesh::Credential',
    (id, inventory) =>
      id === 'api-key' && inventory.legacyAccounts('key').next().value === undefined
        ? 'no account of the inventory has an API key: no request has this credential'
        : null,
  ],
]);

/** An api holds for all below its path, so a permit for it covers the apis there. */
function nestedNote(id: string, inventory: Inventory, { json, tokens }: ReadPolicy): string | null {
  if (json.effect !== 'permit') return null;
  const apis = inventory.hosts.get(id.slice(0, id.lastIndexOf('/')))?.apis ?? [];
  const api = apis.find((one) => one.id === id);
  if (api === undefined) return null;
  const stated = new Set(literals(tokens).map((literal) => literal.id));
  const nested = apis.flatMap((one) => (contains(api.template, one.template) && !stated.has(one.id) ? [one.id] : []));
  return nested.length === 0
    ? null
    : `${id} also covers ${listed(nested.toSorted())}: an api holds for all below its path`;
}

/** On a host whose apis are listed, a path that none of them names, and none lies below, is perhaps misspelt. */
function pathNote(id: string, inventory: Inventory): string | null {
  const slash = id.indexOf('/');
  const book = inventory.hosts.get(id.slice(0, slash));
  if (book === undefined || book.apis.length === 0 || namesApi(book, id.slice(slash))) return null;
  return `no api of ${book.host.name} is at '${id.slice(slash)}', above it or below it; list one, or correct the path`;
}

function namesApi(book: HostRoutes, path: string): boolean {
  const segments = path.split('/').filter((segment) => segment !== '');
  return book.apis.some(({ template }) =>
    template.segments.every((own, i) => {
      const segment = segments[i];
      return segment === undefined || 'param' in own || own.literal === segment;
    }),
  );
}

function workloadNote(id: string, inventory: Inventory): string | null {
  const spiffeId = SpiffeId.parse(id);
  const found = spiffeId instanceof SpiffeId ? inventory.workload(spiffeId) : null;
  if (found === null || !('entry' in found) || found.entry === id) return null;
  return `${id} has no entry of its own: that of all below ${found.entry} holds for it, however it is spelt`;
}

/** Strings that are compared with what tokens and callers state, and ranges that hold nothing. */
function comparisonNotes(policy: ReadPolicy, { known }: Inventory, settings: PolicySettings): Problem[] {
  return [...expressions(policy.json)].flatMap((node) => {
    const range = emptyRange(node);
    if (range !== null) return [problemAtWord(policy, [range.word], range.note)];
    const purposes = comparedWith(node, 'context.declared.purpose').filter((name) => !known.purposes.has(name));
    const purposeNote = (name: string): string =>
      `no purpose is called '${name}', though a caller may declare it; correct it, or list it under purposes`;
    return [
      ...purposes.map((name) => problemAtString(policy, name, purposeNote(name))),
      ...issuerNotes(policy, node, 'context.task.issuer', settings),
    ];
  });
}

/** Issuers of tasks that this fact is compared with, and that are not configured. */
function issuerNotes(policy: ReadPolicy, node: Node, fact: string, { taskIssuers }: PolicySettings): Problem[] {
  const unknown = comparedWith(node, fact).filter((name) => taskIssuers?.includes(name) === false);
  return unknown.map((name) =>
    problemAtString(
      policy,
      name,
      `no issuer of tasks is called '${name}'; correct it, or configure it under task.issuers`,
    ),
  );
}

/** Facts that depend on a setting which is not the default. */
function factNotes(policy: ReadPolicy): Problem[] {
  const read = new Set(expressions(policy.json).flatMap(contextRead));
  const found = unsuppliedFacts.filter((fact) => read.has(fact));
  return found.map((fact) => {
    const without = optionalFacts.includes(fact) ? 'absent' : 'empty';
    return problemAtWord(
      policy,
      [fact],
      `context.${fact} is supplied with behaviour.mode: act; without, it is always ${without}`,
    );
  });
}

/** What callers write as they like. */
const WRITTEN: ReadonlyMap<string, string> = new Map(
  Object.entries({ headers: 'headers', numbers: 'headers', declared: 'a declared task', query: 'the query' }),
);

const EVERY_WORKLOAD = 'every workload of the inventory, foreign ones included';
const EVERY_PERSON = 'every person who signs in';
/** Whom a control policy is for that names nothing but their type. */
const EVERYONE: ReadonlyMap<string, string> = new Map([
  ['Control::Workload', EVERY_WORKLOAD],
  ['Control::Person', EVERY_PERSON],
]);

function permitNotes(policy: ReadPolicy): Problem[] {
  const { id, json, remark } = policy;
  const read = [...expressions(json)].flatMap(contextRead);
  const written = new Set(read.flatMap((fact) => WRITTEN.get(fact) ?? []));
  const rests = `${id} rests on ${[...written].join(' and ')}: any caller may write what it asks for`;
  const [anyone, anything] = [json.principal.op === 'All', json.action.op === 'All' && json.resource.op === 'All'];
  // What can say who asks; where anything is permitted, whatever narrows that too.
  const narrowing = anything ? ['principal', 'action', 'resource', 'context'] : ['principal', 'context'];
  const what = anything ? 'everything to every workload of the inventory' : `this to ${EVERY_WORKLOAD}`;
  const isOpen = anyone && !json.conditions.some(({ body }) => mentions(body, narrowing));
  return [
    ...(written.size > 0 ? [problemAtWord(policy, read.filter((fact) => WRITTEN.has(fact)).slice(0, 1), rests)] : []),
    ...(isOpen ? [remark(`${id} permits ${what}`)] : []),
    ...factsThatOpenByAbsence(json).map((fact) =>
      remark(`${id} permits more to a request without context.${fact}, which any caller can leave out`),
    ),
  ];
}

/** The field of the context that a node reads or asks for. */
function contextRead(node: Node): string[] {
  if (node.operator !== '.' && node.operator !== 'has') return [];
  const left = nodeOf(operand(node, 'left'));
  return left?.operator === 'Var' && left.body === 'context' ? attributesOf(node).slice(0, 1) : [];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}
