import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

/** The parts of the house, each with all that it may import besides itself. Type imports count. */
const base = ['outcome', 'spiffe-id', 'strict-json', 'input', 'redact'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  outcome: [],
  'spiffe-id': ['outcome'],
  'strict-json': ['outcome'],
  input: ['outcome'],
  redact: [],
  observe: ['outcome', 'redact'],
  // The one reader of YAML.
  config: [...base, 'inventory'],
  inventory: base,
  state: [...base, 'inventory'],
  identity: [...base, 'inventory', 'state'],
  task: [...base, 'inventory', 'state', 'identity'],
  policy: [...base, 'inventory', 'state', 'identity', 'task'],
  check: [...base, 'inventory', 'state', 'identity', 'task', 'policy'],
  envoy: [...base, 'inventory', 'state', 'identity', 'task', 'policy', 'check', 'observe'],
  control: [...base, 'inventory', 'state', 'identity', 'task', 'policy', 'check', 'observe'],
  app: [...base, 'inventory', 'state', 'identity', 'task', 'policy', 'check', 'observe', 'envoy', 'control', 'config'],
  cli: [...base, 'inventory', 'state', 'identity', 'task', 'policy', 'check', 'observe', 'config'],
  main: [...base, 'inventory', 'identity', 'policy', 'observe', 'config', 'app', 'cli'],
};

/** Readers of one text of a request, without the wire: tools must read what people write as a check reads it. */
const readers: ReadonlySet<string> = new Set(['envoy/request-line.ts']);

/** Files beside `check.ts` and `app.ts` that are steps of them. */
const partOf: Readonly<Record<string, string>> = {
  admission: 'check',
  facts: 'check',
  judge: 'check',
  record: 'check',
  stopwatch: 'check',
  'app-changes': 'app',
  'app-identity': 'app',
  'app-spiffe': 'app',
  'app-places': 'app',
  'app-task': 'app',
  'app-telemetry': 'app',
};

/** Packages that only some files may import. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  jose: ['identity/', 'task/'],
  '@cedar-policy/cedar-wasm': ['policy/engine.ts'],
  '@grpc/grpc-js': ['envoy/', 'identity/workload-api'],
  '@grpc/proto-loader': ['envoy/messages.ts', 'identity/workload-api'],
  'prom-client': ['observe/'],
};

/** Makers of proofs, each with the only files that may call it. */
const makers: Readonly<Record<string, readonly string[]>> = {
  'Caller.proven': ['identity/identify.ts'],
  'Permit.from': ['judge.ts'],
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

test('every part of src imports only what lies before it', () => {
  const wrong = sources.flatMap(({ path, code }) =>
    specifiers(code)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => normalize(join(dirname(path), specifier)).replaceAll('\\', '/'))
      .filter((target) => !allowed(path, target))
      .map((target) => `${path} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
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

function allowed(from: string, to: string): boolean {
  const [source, target] = [partName(from), partName(to)];
  if (source === 'policy' && readers.has(to)) return true;
  return source === target || (mayImport[source]?.includes(target) ?? false);
}

/** `identity/caller.ts` is `identity`; `check.ts` and its steps are `check`. */
function partName(path: string): string {
  const first = path.split('/')[0]!.replace(/\.ts$/, '');
  return partOf[first] ?? first;
}

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

/** The code with comments blanked; strings and templates stay, so that `//` inside one is no comment. */
function withoutComments(code: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return code.replace(token, (text) => (text.startsWith('/') ? ' ' : text));
}
