import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Condition, weakenedGuards, withoutComplaints } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of policies and of the inventory have a test: lint, limits, reload, what inherits, what never loosens,
 * routes? In a copy of the sources, one guard or complaint after another is deleted, and one condition after another is
 * weakened; the tests must notice. `node test/mutation/policy.ts [WORD]` takes the files whose path holds the word.
 */

const [, , word = ''] = process.argv;
const sources = globSync(
  ['src/{policy/text,policy/decide,policy/load,policy/lint,inventory}/*.ts', 'src/source/yaml.ts'],
  {
    cwd: root,
  },
).filter((file) => !file.endsWith('.test.ts') && file.includes(word));
const all = globSync(
  ['src/{inventory,tools}/*.test.ts', 'src/policy/*/*.test.ts', 'test/{guardrails,example}.test.ts'],
  {
    cwd: root,
  },
);
/** Last, and only where all others are content: they take most of the time. */
const slow = all.filter((file) => /differential|hostile|property|holder/.test(file));
const quick = all.filter((file) => !slow.includes(file));
const own = (file: string): readonly string[] => all.filter((test) => test === file.replace(/\.ts$/, '.test.ts'));
const beside = (file: string): readonly string[] =>
  quick.filter((test) => dirname(test).startsWith(dirname(file).split('/').slice(0, 2).join('/')));

const conditions: readonly Condition[] = [
  ['entry-rules.ts', 'stated.external === false && outerExternal', 'false'],
  ['entry-rules.ts', 'stated.relay === false && shorter.relay === true', 'false'],
  ['entry-rules.ts', "(outerKind === 'agent' || outerKind === 'legacy')", "outerKind === 'agent'"],
  ['entry-rules.ts', "(outerKind === 'agent' || outerKind === 'legacy')", "outerKind === 'legacy'"],
  ['inventory/workloads.ts', '!own.has(id.trustDomain) || ', ''],
  ['inventory/workloads.ts', "entry.external ?? kind === 'agent'", 'entry.external ?? false'],
  ['inventory/workloads.ts', "entry.kind ?? 'agent'", "entry.kind ?? 'job'"],
  ['entry-rules.ts', '!covers(outer, stated.networks)', 'false'],
  ['inventory/workloads.ts', '(shorter?.networks ?? null)', 'null'],
  ['inventory/workloads.ts', 'stated.relay ?? shorter?.relay', 'stated.relay'],
  ['inventory/workloads.ts', 'stated.external ?? shorter?.external', 'stated.external'],
  ['inventory/workloads.ts', 'stated.kind ?? shorter?.kind', 'stated.kind'],
  ['inventory/host.ts', 'highestSensitivity([base, ...apis.map((api) => api.sensitivity)])', 'base'],
  ['inventory/host.ts', 'entry.scopes === undefined && asks ? UNNAMED_SCOPES : this.#scopes', 'this.#scopes'],
  ['inventory/host.ts', 'common.length > 0 ? common : CROSSING_SCOPES', 'common'],
  ['inventory/host.ts', 'entry.caseInsensitive === false ? lenientlyCased : leniently', 'leniently'],
  ['inventory/host.ts', 'own.readsByPost && ', ''],
  ['inventory/host.ts', ' && own.template.segments.length === depth', ''],
  ['inventory/host.ts', "external ? 'app' : (entry.authorization ?? 'ours')", "entry.authorization ?? 'ours'"],
  ['apis.ts', 'outerWrites || ', ''],
  ['networks.ts', 'width?.family === family && ', 'width !== undefined && '],
  ['networks.ts', 'width.bits <= bits && ', ''],
  ['vouch.ts', 'served.length === 1 && ', ''],
  ['vouch.ts', 'hosts.length === 1 && ', ''],
  ['permit.ts', "byPolicy && enforcement === 'unsafeObserveOnly'", "enforcement === 'unsafeObserveOnly'"],
  ['permit.ts', "|| verdicts.some((verdict) => verdict.result === 'error')", ''],
  [
    'permit.ts',
    'denied.every((verdict) => verdict.approvals.length > 0)',
    'denied.some((verdict) => verdict.approvals.length > 0)',
  ],
  ['snapshot.ts', "errors.length > 0 ? 'error' : answer.decision", 'answer.decision'],
  ['snapshot.ts', ' || wanted.includes(undefined)', ''],
  ['shadow.ts', "(result === 'deny' && forbids.length === 0 && ", "(result === 'deny' && "],
  ['engine.ts', 'isFatal(error) || ', ''],
  ['engine.ts', ' || this.#throws > (this.#options.throwBudget ?? THROW_BUDGET)', ''],
  ['decide/call.ts', 'Number.isSafeInteger(value) ? null', 'true ? null'],
  ['decide/call.ts', 'value.isWellFormed() ? null', 'true ? null'],
  ['tokens.ts', '[^\\n\\r]*(?:[\\n\\r]|$)', '[^\\n]*(?:\\n|$)'],
  ['literals.ts', 'policy.json.annotations?.id !== policy.id', 'false'],
  ['lint/teams.ts', "(effect === 'forbid' && isIn(principal, team))", 'isIn(principal, team)'],
  ['sources.ts', '    sources.schema.text,\n', ''],
  ['sources.ts', 'sources.guardrails, ', ''],
  ['sources.ts', ' sources.schemas,', ''],
  ['sources.ts', ' sources.policies,', ''],
  ['sources.ts', ', sources.tests]', ']'],
  ['sources.ts', '    sources.inventory.text,\n', ''],
  ['sources.ts', '    settings.headers.map(({ name, type }) => [name, type]).toSorted(byName),\n', ''],
  ['sources.ts', '    settings.trustDomains.toSorted(),\n', ''],
  ['sources.ts', '    settings.ownTrustDomains.toSorted(),\n', ''],
  ['sources.ts', '    settings.allowWarnings,\n', ''],
];

/** What no test can notice, each with its reason. */
const explained: Readonly<Record<string, string>> = {
  'inventory/routes.ts: if (PLAIN.test(segment)) return segment;': 'a shortcut: the encoding leaves it as it is',
  'source/yaml.ts: if (!isScalar(key)) return [];': 'a key that is no text is a problem by itself',
  "source/yaml.ts: problems.push({ ...place(start(node)), message: 'an alias; write the value out, aliases are not read' });":
    'an alias needs an anchor, which is a problem, or the parser complains',
  'source/yaml.ts: if (!isNode(node) || start(node) === 0) return isNode(pair.key) ? start(pair.key) : offset;':
    'it keeps the place of a problem from pointing at the beginning of the file, for shapes that the schema cannot name',
  'source/yaml.ts: if (!isNode(node)) return offset;': 'the same',
  'policy/text/source-file.ts: if (known !== undefined) return known;': 'a shortcut: the lines are found again',
  'policy/text/sources.ts: if (left === right) return 0;': 'names of files, headers and guardrails are unique',
};

process.exitCode = await runMutation({
  name: 'policy',
  mutants: sources.flatMap((file) => [...weakenedGuards(root, file, conditions), ...withoutComplaints(root, file)]),
  conditions: word === '' ? conditions : [],
  tests: [...quick, ...slow],
  near: (file) => [...new Set([...own(file), ...beside(file)])],
  explained: Object.fromEntries(Object.entries(explained).filter(([name]) => `src/${name}`.includes(word))),
});
