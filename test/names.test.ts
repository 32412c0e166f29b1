import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { withoutComments } from './support/comments.ts';

const root = join(import.meta.dirname, '..', 'src');

/** Words that have no meaning to a reader of the field; docs/glossary.md has those that take their place. */
const words: Readonly<Record<string, string>> = {
  Why: 'TaskContext',
  Told: 'RawRequestSummary',
  toldBy: 'RawRequestSummary',
  Stated: 'Scenario',
  questionsOf: 'questionsFor',
  Asking: 'ChallengeContext',
  Candidate: 'VerifiedTaskToken',
  Occasion: 'CheckContext, CheckResult',
  Concluded: 'CheckResult',
  Admission: 'HeaderMutations',
  admit: 'HeaderMutations',
  Stamp: 'AuditReference',
  Line: 'AuditReference',
  vet: 'validate',
  Vetted: 'ValidatedPolicies',
  tryOut: 'dryRun',
  Uid: 'EntityUid',
  CedarCall: 'AuthorizationCall',
  HostBook: 'HostRoutes',
  lie: 'covers',
  most: 'highestSensitivity',
  carelessly: 'foldLoosely',
  Surroundings: 'ProcessPorts',
  PendingClaim: 'Redemption',
};

/** Names of files that do not say what is in them. */
const vague = 'told stated named split place texts fold agree wake shape report plain vocabulary'.split(' ');

/** Names that more than one file of src exports, each with the reason. */
const shared: Readonly<Record<string, string>> = {};

/** Each exported name of src with the files that declare it. */
const declared = new Map<string, string[]>();
for (const path of globSync('**/*.ts', { cwd: root }).filter((name) => !name.endsWith('.test.ts'))) {
  const code = withoutComments(readFileSync(join(root, path), 'utf8'));
  for (const name of exportsOf(code)) declared.set(name, [...(declared.get(name) ?? []), path.replaceAll('\\', '/')]);
}

test('an exported name is a word of the field', () => {
  const found = Object.entries(words).filter(([name]) => declared.has(name));
  assert.deepEqual(
    found.map(([name, now]) => `${declared.get(name)!.join(', ')}: ${name}; write ${now}`),
    [],
  );
});

test('the name of a file says what is in it', () => {
  const found = globSync('**/*.ts', { cwd: root }).filter((path) => vague.includes(basename(path).split('.')[0]!));
  assert.deepEqual(found, []);
});

test('an exported name means one thing in src, or is listed with the reason', () => {
  const twice = [...declared].filter(([name, files]) => files.length > 1 && shared[name] === undefined);
  assert.deepEqual(Object.fromEntries(twice), {});
  const single = Object.keys(shared).filter((name) => (declared.get(name) ?? []).length < 2);
  assert.deepEqual(single, [], 'listed, and exported once or never');
});

test('the scanner sees every form of declaration, and no re-export', () => {
  const code = `export const a = 1; export async function b() {} export class C {} export abstract class D {}
    export interface E {} export type F = 1; export function* g() {} export let h = 1;
    export { i, type J, k as l }; export { m } from './m.ts'; export * from './n.ts'; const o = 1;`;
  assert.deepEqual(exportsOf(code), ['a', 'b', 'C', 'D', 'E', 'F', 'g', 'h', 'i', 'J', 'l']);
});

/** The names that a file declares and exports; what it hands on from another file is that file's. */
function exportsOf(code: string): string[] {
  const declaration =
    /\bexport\s+(?:(?:async|abstract|declare)\s+)*(?:const|let|function\*?|class|interface|type|enum)\s+(\w+)/g;
  const list = /\bexport\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/g;
  return [
    ...[...code.matchAll(declaration)].map((match) => match[1]!),
    ...[...code.matchAll(list)].flatMap((match) =>
      match[1]!.split(',').flatMap((item) => /(\w+)\s*$/.exec(item)?.[1] ?? []),
    ),
  ];
}
