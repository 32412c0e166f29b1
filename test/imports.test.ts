import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { withoutComments } from './support/comments.ts';

const root = join(import.meta.dirname, '..');

/** The folders of src, each above those that may import it. A folder imports only itself and what stands before it. */
const order = [
  'base/secrets',
  'base',
  'source',
  'http',
  'x509',
  'token',
  'trust',
  'behaviour',
  'inventory/table',
  'inventory/legacy',
  'inventory',
  'state/bounded',
  'state',
  'state/tasks',
  'state/approvals',
  'state/file',
  'state/redis',
  'state/redis/tasks',
  'state/redis/approvals',
  'state/activity',
  'state/sessions',
  'identity',
  'task',
  'policy/text',
  'policy/decide',
  'policy/lint',
  'policy/control',
  'policy/load',
  'tools',
  'tools/prove',
  'check',
  'observe/messages',
  'observe/tables',
  'observe',
  'observe/merged',
  'observe/tracing',
  'config/values',
  'config',
  'doctor',
  'envoy',
  'control',
  'control/events',
  'control/http',
  'control/sign-in',
  'control/console',
  'control/notices',
  'control/api/tasks',
  'control/api/approvals',
  'control/token-service',
  'control/api',
  'app/behaviour',
  'app/tracing',
  'app/control',
  'app/tasks',
  'app/approvals',
  'app/legacy',
  'app/emergency',
  'app/tracing',
  'app',
  'cli',
  'cli/legacy',
  'cli/policy',
  'cli/control',
  'cli/doctor',
  '.',
];

/** Doors and outputs that know nothing of each other, though one stands before the other. */
const apart: readonly (readonly [from: string, to: string])[] = [
  ['envoy', 'config'],
  ['control', 'config'],
  ['control', 'envoy'],
  ['control/events', 'config'],
  ['control/events', 'envoy'],
  ['control/http', 'config'],
  ['control/http', 'envoy'],
  ['control/sign-in', 'config'],
  ['control/sign-in', 'envoy'],
  ['control/console', 'config'],
  ['control/console', 'envoy'],
  ['control/notices', 'config'],
  ['control/notices', 'envoy'],
  ['control/api/tasks', 'config'],
  ['control/api/tasks', 'envoy'],
  ['control/api/approvals', 'config'],
  ['control/api/approvals', 'envoy'],
  ['control/token-service', 'config'],
  ['control/token-service', 'envoy'],
  ['control/api', 'config'],
  ['control/api', 'envoy'],
  ['config', 'observe'],
  ['cli', 'envoy'],
  ['cli', 'control'],
  ['cli', 'control/api'],
  ['cli', 'app'],
  ['cli/policy', 'envoy'],
  ['cli/policy', 'control'],
  ['cli/policy', 'app'],
  ['cli/control', 'envoy'],
  ['cli/control', 'control'],
  ['cli/control', 'app'],
  ['cli/doctor', 'envoy'],
  ['cli/doctor', 'control'],
  ['cli/doctor', 'app'],
  ['observe', 'check'],
];

const MAX_FILES = 20;
const MAX_LINES = 300;

/** Packages that only some files may import. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  jose: ['token/', 'task/'],
  '@cedar-policy/cedar-wasm': ['policy/decide/engine.ts'],
  '@grpc/grpc-js': ['envoy/', 'trust/workload-api'],
  '@grpc/proto-loader': ['envoy/messages.ts', 'trust/workload-api'],
  'prom-client': ['observe/'],
  '@redis/client': ['state/redis/link.ts'],
  'openid-client': ['control/sign-in/'],
};

/** Packages, and sources of ours, that a process which does without them never loads: they are imported late. */
const late: Readonly<Record<string, string>> = {
  'openid-client': 'control/sign-in/provider.ts',
  '@redis/client': 'state/redis/link.ts',
  './console.ts': 'app/control/control.ts',
};

/** Makers of proofs, each with the only files that may write it. */
const makers: Readonly<Record<string, readonly string[]>> = {
  'provenCaller(': ['identity/identify.ts'],
  'provenPerson(': ['control/sign-in/sessions.ts'],
  'as Person;': ['identity/person.ts'],
  'permitFrom(': ['policy/decide/permit.ts', 'check/judge.ts'],
  'as Permit;': ['policy/decide/permit.ts'],
  'as VerifiedSvid;': ['trust/x509-svid.ts'],
};

interface Source {
  /** Path below src, with forward slashes. */
  readonly path: string;
  readonly code: string;
}

const isTest = (path: string): boolean => path.endsWith('.test.ts');

const sources: readonly Source[] = globSync('src/**/*.ts', { cwd: root })
  .map((path) => path.replaceAll('\\', '/').slice('src/'.length))
  .filter((path) => !isTest(path))
  .map((path) => ({ path, code: withoutComments(readFileSync(join(root, 'src', path), 'utf8')) }));

/** Imports of one source by another, types too. */
const imports: readonly (readonly [from: string, to: string])[] = sources.flatMap(({ path, code }) =>
  specifiers(code)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => [path, normalize(join(dirname(path), specifier)).replaceAll('\\', '/')] as const),
);

test('every folder of src is one of those that have a place in the order', () => {
  assert.deepEqual(
    [...new Set(sources.map(({ path }) => dirname(path)))].filter((folder) => !order.includes(folder)),
    [],
  );
});

test('every folder of src imports only what stands before it', () => {
  const wrong = imports.filter(([from, to]) => {
    const [source, target] = [dirname(from), dirname(to)];
    return order.indexOf(target) > order.indexOf(source) || apart.some(([a, b]) => a === source && b === target);
  });
  assert.deepEqual(wrong, []);
});

test('no source imports itself, by whatever way, types included', () => {
  const targets = new Map<string, string[]>();
  for (const [from, to] of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) cycles.push([...way.slice(at), path].join(' → '));
    if (at >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

test(`no folder of src holds more than ${MAX_FILES} sources, and none of them more than ${MAX_LINES} lines`, () => {
  const byFolder = Map.groupBy(sources, ({ path }) => dirname(path));
  const full = [...byFolder].filter(([, files]) => files.length > MAX_FILES).map(([folder]) => folder);
  const long = sources
    .map(({ path }) => [path, readFileSync(join(root, 'src', path), 'utf8').split('\n').length - 1] as const)
    .filter(([, lines]) => lines > MAX_LINES);
  assert.deepEqual({ full, long }, { full: [], long: [] });
});

test('a package with one home is imported nowhere else', () => {
  const wrong = sources.flatMap(({ path, code }) =>
    specifiers(code)
      .map((specifier) => [specifier, homesOf(specifier)] as const)
      .filter(([, homes]) => homes !== null && !homes.some((home) => path.startsWith(home)))
      .map(([specifier]) => `${path} imports ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('what few processes need is loaded by those alone', () => {
  for (const [specifier, path] of Object.entries(late)) {
    const quoted = specifier.replaceAll('.', '\\.');
    const early = new RegExp(
      `(?:import|export)\\s+(?!type\\b)[^;]*?from\\s*['"]${quoted}['"]|import\\s*['"]${quoted}['"]`,
    );
    const here = (source: Source) => dirname(source.path) === dirname(path) || !specifier.startsWith('.');
    const wrong = sources.filter((source) => here(source) && early.test(source.code)).map((source) => source.path);
    assert.deepEqual(wrong, [], specifier);
    const code = sources.find((source) => source.path === path)?.code ?? '';
    assert.match(code, new RegExp(`await import\\(['"]${quoted}['"]\\)`), specifier);
  }
});

test('only main.ts touches process', () => {
  const touches = /(?<![\w.'"`])process\s*[.[?]|\bglobalThis\s*\.\s*process\b|['"](?:node:)?process['"]/;
  const wrong = sources.filter(({ path, code }) => path !== 'main.ts' && touches.test(code)).map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test('a proof is made in its one place', () => {
  const wrong = Object.entries(makers).flatMap(([maker, homes]) =>
    sources
      .filter(({ path, code }) => !homes.includes(path) && code.includes(maker))
      .map(({ path }) => `${path} calls ${maker}`),
  );
  assert.deepEqual(wrong, []);
});

test('no source of the product imports a test, and every import says its ending', () => {
  const wrong = sources.flatMap(({ path, code }) =>
    specifiers(code)
      .filter((specifier) => specifier.startsWith('.'))
      .filter((specifier) => specifier.includes('/test/') || isTest(specifier) || !/\.(ts|json)$/.test(specifier))
      .map((specifier) => `${path} imports ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('the scanner sees every form of import, and no comment', () => {
  const code = withoutComments(`
    import a from './a.ts'; import type { B } from "./b.ts";
    import {
      c,
    } from './c.ts';
    import './d.ts'; export * from './e.ts'; export type { F } from './f.ts';
    const g = await import('./g.ts'); // import './not.ts'
    /* import './nor.ts' */ type H = import('./h.ts').H;
    const url = 'https://i.example'; import i from './i.ts';
  `);
  assert.deepEqual(
    specifiers(code).sort(),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => `./${name}.ts`),
  );
});

function homesOf(specifier: string): readonly string[] | null {
  const found = Object.entries(packageHomes).find(([name]) => specifier === name || specifier.startsWith(`${name}/`));
  return found?.[1] ?? null;
}

function specifiers(code: string): string[] {
  const forms = [
    /\bfrom\s*(['"])([^'"\n]+)\1/g,
    /\bimport\s*(['"])([^'"\n]+)\1/g,
    /\bimport\s*\(\s*(['"])([^'"\n]+)\1/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[2]!));
}
