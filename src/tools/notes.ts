import { SpiffeId } from '../base/spiffe-id.ts';
import type { HostRoutes } from '../inventory/host.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { contains } from '../inventory/template.ts';
import { optionalFacts, unsuppliedFacts } from '../policy/decide/facts.ts';
import { expressions, type Node, nodeOf, operand, pathOf, stringsOf } from '../policy/lint/ast.ts';
import { factsThatOpenByAbsence } from '../policy/lint/presence.ts';
import type { PolicySettings } from '../policy/text/sources.ts';
import { problemIn } from '../policy/text/split-policies.ts';
import { type Literal, literals, wordOffset } from '../policy/text/tokens.ts';
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
      ...literals(policy.text.tokens).flatMap((literal) => literalNote(policy, literal, inventory)),
      ...comparisonNotes(policy, inventory, settings),
      ...factNotes(policy),
      ...(policy.json.effect === 'permit' ? permitNotes(policy) : []),
    ]);
}

function literalNote(policy: ReadPolicy, { type, id, offset }: Literal, inventory: Inventory): Problem[] {
  const note =
    type === 'Mesh::Api'
      ? nestedNote(policy, id, inventory)
      : type === 'Mesh::Path' || type === 'Mesh::Endpoint'
        ? pathNote(id, inventory)
        : type === 'Mesh::Workload'
          ? workloadNote(id, inventory)
          : type === 'Mesh::Credential' && id === 'api-key'
            ? 'nothing authenticates by api-key: no request has this credential'
            : null;
  return note === null ? [] : [problemIn(policy.text, offset, note)];
}

/** An api holds for all below its path, so a permit for it covers the apis there. */
function nestedNote({ json, text }: ReadPolicy, id: string, inventory: Inventory): string | null {
  if (json.effect !== 'permit') return null;
  const apis = inventory.hosts.get(id.slice(0, id.lastIndexOf('/')))?.apis ?? [];
  const api = apis.find((one) => one.id === id);
  if (api === undefined) return null;
  const stated = new Set(literals(text.tokens).map((literal) => literal.id));
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
  if (inventory.entries.some(({ entry, scope }) => scope === 'id' && entry === id)) return null;
  const spiffeId = SpiffeId.parse(id);
  const found = spiffeId instanceof SpiffeId ? inventory.workload(spiffeId) : null;
  if (found === null || !('entry' in found)) return null;
  return `${id} has no entry of its own: that of all below ${found.entry} holds for it, however it is spelt`;
}

/** Strings that are compared with what tokens and callers state, and ranges that hold nothing. */
function comparisonNotes({ json, text }: ReadPolicy, inventory: Inventory, settings: PolicySettings): Problem[] {
  const issuers = settings.taskIssuers ?? null;
  return [...expressions(json)].flatMap((node) => {
    const range = emptyRange(node);
    if (range !== null) return [problemIn(text, wordOffset(text.tokens, range.word), range.note)];
    const found: Problem[] = [];
    for (const value of comparedWith(node, 'context.declared.purpose')) {
      if (inventory.known.purposes.has(value)) continue;
      const note = `no purpose is called '${value}', though a caller may declare it; correct it, or list it under purposes`;
      found.push(problemIn(text, stringOffset(text.tokens, value), note));
    }
    for (const value of comparedWith(node, 'context.task.issuer')) {
      if (issuers === null || issuers.includes(value)) continue;
      const note = `no issuer of tasks is called '${value}'; correct it, or configure it under task.issuers`;
      found.push(problemIn(text, stringOffset(text.tokens, value), note));
    }
    return found;
  });
}

const COMPARING: ReadonlySet<string> = new Set(['==', '!=', 'contains', 'containsAny', 'containsAll']);

function comparedWith(node: Node, path: string): readonly string[] {
  if (!COMPARING.has(node.operator)) return [];
  const sides = [operand(node, 'left'), operand(node, 'right')];
  return sides.some((side) => pathOf(side) === path) ? sides.flatMap(stringsOf) : [];
}

/** Facts that this release gets from nowhere. */
function factNotes({ json, text }: ReadPolicy): Problem[] {
  const read = new Set([...expressions(json)].flatMap(contextRead));
  return unsuppliedFacts
    .filter((fact) => read.has(fact))
    .map((fact) =>
      problemIn(
        text,
        wordOffset(text.tokens, fact),
        `nothing supplies context.${fact} yet: ${optionalFacts.includes(fact) ? 'it is always absent' : 'it is always empty'}`,
      ),
    );
}

/** What callers write as they like. */
const WRITTEN: ReadonlyMap<string, string> = new Map([
  ['headers', 'headers'],
  ['numbers', 'headers'],
  ['declared', 'a declared task'],
  ['query', 'the query'],
]);

function permitNotes(policy: ReadPolicy): Problem[] {
  const { id, json, text } = policy;
  const notes: Problem[] = [];
  const read = [...expressions(json)].flatMap(contextRead);
  const written = new Set(read.flatMap((fact) => WRITTEN.get(fact) ?? []));
  if (written.size > 0) {
    const word = read.find((fact) => WRITTEN.has(fact)) ?? '';
    const what = [...written].join(' and ');
    notes.push(
      problemIn(text, wordOffset(text.tokens, word), `${id} rests on ${what}: any caller may write what it asks for`),
    );
  }
  if (json.principal.op === 'All' && json.action.op === 'All' && json.resource.op === 'All') {
    const speaks = json.conditions.some(({ body }) => mentions(body, ['principal', 'action', 'resource', 'context']));
    if (!speaks) notes.push(policy.remark(`${id} permits everything to every workload of the inventory`));
  } else if (json.principal.op === 'All' && !json.conditions.some(({ body }) => mentions(body, WHO))) {
    notes.push(policy.remark(`${id} permits this to every workload of the inventory, foreign ones included`));
  }
  for (const fact of factsThatOpenByAbsence(json)) {
    notes.push(
      policy.remark(`${id} permits more to a request without context.${fact}, which any caller can leave out`),
    );
  }
  return notes;
}

/** What can say who asks. */
const WHO = ['principal', 'context'];

/** The field of the context that a node reads or asks for. */
function contextRead(node: Node): string[] {
  if (node.operator !== '.' && node.operator !== 'has') return [];
  const { attr } = node.body as { readonly attr: string | readonly string[] };
  const left = nodeOf(operand(node, 'left'));
  return left?.operator === 'Var' && left.body === 'context' ? [typeof attr === 'string' ? attr : (attr[0] ?? '')] : [];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

type Tokens = ReadPolicy['text']['tokens'];

function stringOffset(tokens: Tokens, value: string): number {
  return tokens.find(({ text, kind }) => kind === 'string' && text === JSON.stringify(value))?.start ?? 0;
}
