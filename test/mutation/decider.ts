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
  ['project.ts', '      addNeed(before.need, need);\n', ''],
  // What is remembered, and put together.
  ['decider.ts', ' || answer.errors.length > 0', ''],
  ['decider.ts', 'if (!holdsExtensions(call)) return null;', ''],
  ['decider.ts', 'denials.length > 0 ? denials : ', ''],
  ['decider.ts', "decision === 'deny' && reasons.length > 0", "decision === 'deny'"],
  ['decider.ts', '[uid, ...parents].map', '[uid].map'],
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
  tests,
  near: () => tests.slice(0, 2),
  explained: {},
});
