import { isIP } from 'node:net';
import type { Workload } from '../../inventory/model.ts';
import { pathPrefixes } from '../../inventory/prefixes.ts';
import type { Touched } from '../../state/bounded/touched.ts';
import { coversResource } from '../../task/resources.ts';
import type { NamedEntities } from './cedar-request.ts';
import { type FactName, facts } from './facts.ts';
import type { Footprint, Need } from './need.ts';
import { inOrder, representative } from './project.ts';
import type { Question } from './question.ts';
import { touchedKey } from './touched.ts';

/** The last instant that a call can state (cedar-request.ts). */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** In UTF-16 units, as in call.ts. */
const MAX_STRING = 65_536;
/** Of each list of a question: far from what all of them together may hold. */
const MAX_VALUES = 256;

const factNames = Object.keys(facts) as FactName[];
/** What is known here of the parts of a call. A policy that reads another one is asked each time. */
const KNOWN = {
  context: new Set<string>([
    ...['now', 'credential', 'role', 'chain', 'headers', 'numbers', 'client', 'query', 'declared', 'task', 'touched'],
    ...factNames,
  ]),
  task: new Set([
    ...['id', 'purpose', 'assurance', 'scopes', 'issuer', 'subject', 'secondsLeft', 'coversResource', 'touched'],
  ]),
  resource: new Set(['host', 'path', 'sensitivity', 'external', 'scopes', 'owner']),
} as const;

/** A number that policies read: itself, or the interval between two literals that it is in. */
type NumberPart = (value: number | null) => string;

/**
 * The key by which the verdict about a question is remembered, made of the question itself, before a call is built. Questions
 * with one key make calls of which no policy of the snapshot can tell the one from the other: all that policies read is in
 * it, by what footprints say, and all that is cheap besides. It distinguishes more than the projected call does, so that
 * it has to rest on nothing but "read or not".
 */
export class QuestionKeys {
  readonly #numbers = new WeakMap<Workload, number>();
  #workloads = 0;
  /** What of each resource is in the key; an inventory has one object for those that are asked for again. */
  readonly #resources = new WeakMap<Question['target']['resource'], string>();
  readonly #paths: ReadonlySet<string> | null;
  readonly #readsId: boolean;
  readonly #readsPath: boolean;
  /** Tags of the resource; null: all of them. */
  readonly #tags: readonly string[] | null;
  readonly #task: ReadonlySet<string>;
  readonly #context: ReadonlySet<string>;
  readonly #readsHeaders: boolean;
  readonly #readsNumbers: boolean;
  readonly #now: NumberPart;
  readonly #secondsLeft: NumberPart;
  readonly #touched: ReturnType<typeof touchedKey>;
  readonly #taskTouched: ReturnType<typeof touchedKey>;
  /** The facts that policies read. */
  readonly #facts: readonly (readonly [FactName, NumberPart])[];

  private constructor({ context, resource }: Footprint, named: NamedEntities) {
    const fields = context.fields ?? new Map<string, Need>();
    const task = fields.get('task')?.fields ?? new Map<string, Need>();
    this.#paths = named.get('Mesh::Path') ?? null;
    this.#readsId = named.has('Mesh::Endpoint');
    this.#readsPath = this.#readsId || resource.fields?.has('path') === true;
    this.#tags = this.#readsId || resource.anyTag ? null : [...(resource.tags?.keys() ?? [])];
    this.#task = new Set(task.keys());
    this.#context = new Set(fields.keys());
    this.#readsHeaders = fields.has('headers') || named.has('Mesh::Headers');
    this.#readsNumbers = fields.has('numbers') || named.has('Mesh::Numbers');
    this.#now = numberPart(fields.get('now'));
    this.#secondsLeft = numberPart(task.get('secondsLeft'));
    this.#touched = touchedKey(fields.get('touched'), numberPart);
    this.#taskTouched = touchedKey(task.get('touched'), numberPart);
    this.#facts = factNames
      .filter((name) => fields.has(name))
      .map((name) => [name, numberPart(fields.get(name))] as const);
  }

  /**
   * Null where there is no such key: a policy is not understood, or reads the instant, the context or a task as a whole, or
   * something that is not known here.
   */
  static of(footprint: Footprint | null, named: NamedEntities): QuestionKeys | null {
    if (footprint === null) return null;
    const { context, resource } = footprint;
    const task = context.fields?.get('task');
    if (context.whole || context.fields?.get('now')?.whole || task?.whole) return null;
    const read = { context: context.fields, task: task?.fields, resource: resource.fields };
    const parts = ['context', 'task', 'resource'] as const;
    const known = parts.every((part) => [...(read[part]?.keys() ?? [])].every((name) => KNOWN[part].has(name)));
    return known ? new QuestionKeys(footprint, named) : null;
  }

  /** Null where the question holds what Cedar might not take: that is to be found out the long way. */
  of(question: Question): string | null {
    if (!isPlain(question)) return null;
    const { target, task, declared, chain } = question;
    let key = `${this.#number(question.hop)} ${question.role} ${question.credential} ${target.action} ${chain.length} `;
    for (const link of chain) key += `${this.#number(link)} `;
    key += this.#keyOf(target.resource);
    key += task === null ? '-' : this.#taskKey(task, question) + this.#taskTouched(question.touched?.task ?? null);
    key += this.#touched(question.touched?.chain ?? null);
    const reads = this.#context;
    if (reads.has('declared')) key += declared === null ? '-' : text(declared.id) + text(declared.purpose);
    if (reads.has('client')) key += text(question.client);
    if (reads.has('query')) key += text(question.query);
    key += this.#now(Math.trunc(question.now));
    for (const [name, part] of this.#facts) {
      const value = question[name];
      if (typeof value === 'boolean') key += `${value} `;
      else key += typeof value === 'object' && value !== null ? list(value, value.size) : part(value);
    }
    if (this.#readsHeaders) key += entries(question.headers);
    if (this.#readsNumbers) key += entries(question.numbers);
    return key;
  }

  #keyOf(resource: Question['target']['resource']): string {
    let key = this.#resources.get(resource);
    if (key === undefined) {
      key = this.#resourceKey(resource);
      this.#resources.set(resource, key);
    }
    return key;
  }

  #resourceKey(resource: Question['target']['resource']): string {
    const { host, owner, sensitivity, external, apis, scopes, labels, params, path } = resource;
    let key = `${text(host.name)}${text(owner)}${sensitivity} ${external} ${list(apis, apis.length)}`;
    key += list(scopes, scopes.length);
    if (this.#paths !== null) {
      const prefixes = pathPrefixes(host.name, path, this.#paths);
      key += list(prefixes, prefixes.length);
    }
    if (this.#readsId) key += text(resource.id);
    if (this.#readsPath) key += text(path);
    if (this.#tags === null) return key + entries(labels) + entries(params);
    for (const name of this.#tags) {
      key += text(labels.get(name) ?? null);
      if (name.startsWith('param.')) key += text(params.get(name.slice('param.'.length)) ?? null);
    }
    return key;
  }

  #taskKey(task: NonNullable<Question['task']>, { now, target }: Question): string {
    const reads = this.#task;
    let key = `${text(task.purpose)}${task.assurance} `;
    if (reads.has('scopes')) key += list(task.scopes, task.scopes.length);
    if (reads.has('id')) key += text(task.id);
    if (reads.has('issuer')) key += text(task.issuer);
    if (reads.has('subject')) key += text(task.subject);
    if (reads.has('coversResource')) key += `${coversResource(task.resources, target.resource)} `;
    return key + this.#secondsLeft(Math.floor(task.expiresAt - now / 1000));
  }

  /** Workloads are told apart by the object, which is frozen: whatever an inventory says of one is in it. */
  #number(workload: Workload): number {
    let number = this.#numbers.get(workload);
    if (number === undefined) {
      number = this.#workloads++;
      this.#numbers.set(workload, number);
    }
    return number;
  }
}

function numberPart(need: Need | undefined): NumberPart {
  if (need === undefined) return () => '';
  if (need.whole || need.cuts === undefined) return (value) => `${value} `;
  const cuts = inOrder(need.cuts);
  return (value) => `${value === null ? value : representative(value, cuts)} `;
}

/** With its length in front, so that no text can look like the end of it and the beginning of the next. */
const text = (value: string | null): string => (value === null ? '-' : `${value.length}:${value}`);

function list(values: Iterable<string>, size: number): string {
  let key = `${size} `;
  for (const value of values) key += text(value);
  return key;
}

function entries(map: ReadonlyMap<string, string | number>): string {
  let key = `${map.size} `;
  for (const [name, value] of map) key += text(name) + text(String(value));
  return key;
}

/**
 * Nothing of the question makes a call that cannot be represented (`unrepresentable`) or that the schema refuses, as far as it
 * is not in the key: what no policy reads is asked about all the same.
 */
function isPlain(question: Question): boolean {
  const { now, target, chain, task, declared, client, query, headers, numbers } = question;
  const { id, path, params, labels } = target.resource;
  if (!(now >= 0 && now <= LAST_INSTANT)) return false;
  if (client !== null && (client.includes('%') || isIP(client) === 0)) return false;
  if (chain.length > MAX_VALUES) return false;
  if (!isText(id) || !isText(path) || (query !== null && !isText(query))) return false;
  if (declared !== null && !(isText(declared.id) && isText(declared.purpose))) return false;
  if (task !== null && !isPlainTask(task, now)) return false;
  if (!arePlain(params) || !arePlain(labels) || !arePlain(headers) || !arePlain(numbers)) return false;
  for (const name of factNames) if (!isPlainFact(question[name])) return false;
  return question.touched === null || (isPlainTouched(question.touched.chain) && isPlainTouched(question.touched.task));
}

const isPlainTouched = ({ apis }: Touched): boolean => apis === 'all' || (apis.size <= MAX_VALUES && areTexts(apis));

function isPlainFact(value: Question[FactName]): boolean {
  if (value === null || typeof value === 'boolean') return true;
  return typeof value === 'number' ? Number.isSafeInteger(value) : value.size <= MAX_VALUES && areTexts(value);
}

function isPlainTask({ id, issuer, subject, scopes, expiresAt }: NonNullable<Question['task']>, now: number): boolean {
  if (!Number.isSafeInteger(Math.floor(expiresAt - now / 1000)) || scopes.length > MAX_VALUES) return false;
  return isText(id) && isText(issuer) && (subject === null || isText(subject)) && areTexts(scopes);
}

function arePlain(map: ReadonlyMap<string, string | number>): boolean {
  if (map.size > MAX_VALUES) return false;
  for (const [name, value] of map) {
    if (!isText(name) || !(typeof value === 'string' ? isText(value) : Number.isSafeInteger(value))) return false;
  }
  return true;
}

function areTexts(values: Iterable<string>): boolean {
  for (const value of values) if (!isText(value)) return false;
  return true;
}

const isText = (value: string): boolean => value.length <= MAX_STRING && value.isWellFormed();
