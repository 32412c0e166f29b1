import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Would a wrong fast path be noticed? Each mutant forgets something that the verdict rests on: a parent, an attribute, a
 * boundary, an error, a forbid. The comparison with whole calls must find each.
 */
const conditions: readonly Condition[] = [
  // What the footprint reads.
  ['abstract.ts', 'for (const element of value.elements) whole(element);', ''],
  ['abstract.ts', 'for (const record of value.records) for (const part of record.values()) whole(part);', ''],
  ['abstract.ts', 'if (keys === null) place.anyAncestor = true;', 'if (keys === null) place.ancestors ??= new Set();'],
  ['abstract.ts', 'if (cuts.length !== other.literals.length) continue;', ''],
  ['footprint.ts', 'this.read(parts.if);', ''],
  ['footprint.ts', 'for (const place of left.places) place.anyTag = true;', ''],
  ['footprint.ts', 'for (const one of body) this.read(one);', ''],
  ['footprint.ts', "if (operator === 'datetime' && body.length === 1) {", 'if (body.length === 1) {'],
  // What is sent.
  ['project.ts', 'if (need.anyAncestor || need.ancestors?.has(key))', 'if (need.ancestors?.has(key))'],
  ['project.ts', 'return need.anyTag ? tags : this.#fields(tags, need.tags);', 'return this.#fields(tags, need.tags);'],
  ['project.ts', 'if (value === cut) return cut;', ''],
  ['project.ts', 'below === null ? cut - 1 : below + 1', 'below === null ? cut - 1 : below'],
  ['project.ts', 'return (below ?? 0) + 1;', 'return below ?? 0;'],
  ['project.ts', 'if (this.#using.footprint.named.has(key)) return uid;', ''],
  ['project.ts', '{this.#names.size}`', '{0}`'],
  ['project.ts', "if (fn === 'datetime') this.#lasting = false;", ''],
  ['project.ts', '      if (!addNeed(before.need, need)) return;\n', ''],
  // What is remembered, and put together.
  ['decider.ts', ' || answer.errors.length > 0', ''],
  ['decider.ts', 'if (!holdsExtensions(call)) return null;', ''],
  ['decider.ts', 'denials.length > 0 ? denials : ', ''],
  ['decider.ts', "decision === 'deny' && reasons.length > 0", "decision === 'deny'"],
  ['decider.ts', '[uid, ...parents].map', '[uid].map'],
  // What a question's key holds, and what is never remembered by it.
  [
    'question-key.ts',
    "if (reads.has('declared')) key += declared === null ? '-' : text(declared.id) + text(declared.purpose);",
    '',
  ],
  ['question-key.ts', "if (reads.has('client')) key += text(question.client);", ''],
  ['question-key.ts', "if (reads.has('query')) key += text(question.query);", ''],
  ['question-key.ts', 'key += this.#now(Math.trunc(question.now));', ''],
  ['question-key.ts', "if (typeof value === 'boolean') key +=", "if (typeof value === 'boolean') key ="],
  ['question-key.ts', 'list(value, value.size) : part(value)', 'list([], 0) : part(value)'],
  ['question-key.ts', 'list(value, value.size) : part(value)', 'list(value, value.size) : 0'],
  ['question-key.ts', 'if (this.#readsHeaders) key += entries(question.headers);', ''],
  ['question-key.ts', 'if (this.#readsNumbers) key += entries(question.numbers);', ''],
  ['question-key.ts', '{question.role} ', '{1} '],
  ['question-key.ts', '{question.credential} ', '{1} '],
  ['question-key.ts', '{target.action} ', '{1} '],
  ['question-key.ts', 'for (const link of chain) key', 'for (const link of [question.hop]) key'],
  ['question-key.ts', 'key += list(prefixes, prefixes.length);', ''],
  ['question-key.ts', 'if (this.#readsId) key += text(resource.id);', ''],
  ['question-key.ts', 'if (this.#readsPath) key += text(path);', ''],
  ['question-key.ts', "if (reads.has('scopes')) key += list(task.scopes, task.scopes.length);", ''],
  ['question-key.ts', "if (reads.has('id')) key += text(task.id);", ''],
  ['question-key.ts', "if (reads.has('subject')) key += text(task.subject);", ''],
  ['question-key.ts', '{coversResource(task.resources, target.resource)} ', '{1} '],
  ['question-key.ts', 'this.#secondsLeft(Math.floor(task.expiresAt - now / 1000))', "''"],
  ['question-key.ts', '{value === null ? value : representative(value, cuts)}', '{1}'],
  ['question-key.ts', "key += text(params.get(name.slice('param.'.length)) ?? null)", "key += ''"],
  ['question-key.ts', 'if (!(now >= 0 && now <= LAST_INSTANT)) return false;', ''],
  ['question-key.ts', "if (client !== null && (client.includes('%') || isIP(client) === 0)) return false;", ''],
  ['question-key.ts', 'if (!isText(id) || !isText(path) || (query !== null && !isText(query))) return false;', ''],
  ['question-key.ts', 'if (task !== null && !isPlainTask(task, now)) return false;', ''],
  [
    'question-key.ts',
    'if (!arePlain(params) || !arePlain(labels) || !arePlain(headers) || !arePlain(numbers)) return false;',
    '',
  ],
  ['question-key.ts', 'for (const name of factNames) if (!isPlainFact(question[name])) return false;', ''],
  ['question-key.ts', "context.whole || context.fields?.get('now')?.whole || task?.whole", 'false'],
  ['snapshot.ts', 'if (key !== null && lasting)', 'if (key !== null)'],
];
const sources = [...new Set(conditions.map(([file]) => `src/policy/decide/${file}`))];
const tests = [
  'src/policy/decide/decider.test.ts',
  'src/policy/decide/snapshot.test.ts',
  'src/policy/decide/differential.test.ts',
];

process.exitCode = await runMutation({
  name: 'decider',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: () => tests.slice(0, 2),
  explained: {},
});
