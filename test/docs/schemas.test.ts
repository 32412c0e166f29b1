import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { peersFile } from '../../src/config/peers.ts';
import { configSchema } from '../../src/config/schema.ts';
import { inventorySchema } from '../../src/inventory/schema.ts';
import { casesSchema } from '../../src/policy/load/cases.ts';
import { readYamlRevocations } from '../../src/state/file/revocation-yaml.ts';
import { editorSchemas, judgedByEditor } from '../support/editor-schemas.ts';
import { blocks, pages, repository } from './markdown.ts';

/** The JSON Schemas for editors: in step with the program, and right about every file that is shipped or shown, and its faults. */

type Value = Readonly<Record<string, unknown>>;

/** What a schema says of a file, and what the program does. */
interface Kind {
  readonly editor: (value: unknown) => boolean;
  readonly program: (value: unknown) => boolean;
  readonly files: ReadonlyMap<string, Value>;
}

for (const [name, text] of editorSchemas()) {
  test(`docs/${name} is what the code reads (UPDATE=1 writes it anew)`, () => {
    const file = join(repository, 'docs', name);
    if (process.env.UPDATE === '1') writeFileSync(file, text);
    assert.equal(readFileSync(file, 'utf8'), text);
  });
}

const shipped = (...patterns: readonly string[]): ReadonlyMap<string, Value> =>
  new Map(
    globSync(patterns, { cwd: repository }).map((file) => [file, parse(readFileSync(join(repository, file), 'utf8'))]),
  );

/** The blocks of pages that `fits` takes, each under its page and number. */
const shown = (fits: (value: Value, info: string) => boolean): ReadonlyMap<string, Value> =>
  new Map(
    pages().flatMap(({ file, text }) =>
      blocks(text)
        .filter(({ info }) => /^yaml\b/.test(info))
        .flatMap(({ info, text: yaml }, n) =>
          parseAllDocuments(yaml).map((one, at): [string, Value, string] => [`${file} ${n}.${at}`, one.toJS(), info]),
        )
        .filter(([, value, info]) => typeof value === 'object' && value !== null && fits(value, info))
        .map(([name, value]) => [name, value] as const),
    ),
  );

const config = configSchema('/');
/** A part of a configuration, such as pages show, with what every one needs. */
const identity = { trustDomains: { 'prod.example': { local: true, bundle: { file: './bundle.json' } } } };
const configurations = shown(
  (value, info) =>
    !/\benvoy\b/.test(info) &&
    Object.entries(value).every(
      ([key, section]) => key in config.shape && !(key === 'revocations' && Array.isArray(section)),
    ),
);

const kinds: Readonly<Record<string, Kind>> = {
  configuration: {
    editor: judgedByEditor('configuration'),
    program: (value) => config.safeParse(value).success,
    files: new Map(
      [...configurations].map(([name, value]) => [
        name,
        { hosts: ['a.example'], ...value, identity: { ...identity, ...(value.identity as Value | undefined) } },
      ]),
    ),
  },
  inventory: {
    editor: judgedByEditor('inventory'),
    program: (value) => inventorySchema.safeParse(value).success,
    files: new Map([
      ...shipped('cedar/example/inventory.yaml'),
      ...shown((_, info) => info === 'yaml shop/inventory.yaml'),
    ]),
  },
  peers: {
    editor: judgedByEditor('peers'),
    program: (value) => peersFile.safeParse(value).success,
    files: shown(({ peers }, info) => info === 'yaml peers' && peers !== undefined),
  },
  'policy-tests': {
    editor: judgedByEditor('policy-tests'),
    program: (value) => casesSchema.safeParse(value).success,
    files: new Map([
      ...shipped('cedar/example/policies/**/tests/*.yaml'),
      ...shown((_, info) => /^yaml .*tests\/.*\.yaml$/.test(info)),
    ]),
  },
  revocations: {
    editor: judgedByEditor('revocations'),
    program: (value) => {
      const read = readYamlRevocations(JSON.stringify(value), 'revocations.yaml');
      return 'problems' in read && read.problems.length === 0;
    },
    files: shown((_, info) => info === 'yaml revocations'),
  },
};

for (const [name, kind] of Object.entries(kinds)) {
  suite(`the schema of ${name}`, () => {
    for (const [file, value] of kind.files) {
      test(`takes ${file}, and no key or value that the program does not know`, () => {
        assert.equal(kind.editor(value), true, JSON.stringify((kind.editor as { errors?: unknown }).errors));
        const wrong = [...mutated(value)].filter(([, changed, structural]) => {
          const [program, told] = [kind.program(changed), kind.editor(changed)];
          return program ? !told : structural && told;
        });
        assert.deepEqual(
          wrong.map(([what]) => what),
          [],
        );
      });
    }
    test('was tried on a file', () => assert.ok(kind.files.size > 0));
  });
}

/**
 * A value with one thing changed, each with what was changed: a key more, a key or an item less, or something of another shape. A key
 * less is for the schema to notice where it says which keys are needed; the other two it has to notice wherever the program does.
 */
function* mutated(value: unknown, at = ''): Generator<readonly [what: string, changed: unknown, structural: boolean]> {
  yield [`${at}: another shape`, { nosuchkey: [[]] }, true];
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield [`${at}: a key more`, { ...value, nosuchkey: [[]] }, true];
  for (const key of Object.keys(value)) {
    const [copy, less] = [structuredClone(value), structuredClone(value)] as [
      Record<string, unknown>,
      Record<string, unknown>,
    ];
    if (Array.isArray(less)) less.splice(Number(key), 1);
    else delete less[key];
    yield [`${at}.${key}: left out`, less, false];
    for (const [what, changed, structural] of mutated((value as Value)[key], `${at}.${key}`)) {
      yield [what, { ...copy, [key]: changed }, structural];
    }
  }
}

suite('single mistakes that an editor tells', () => {
  const least = { hosts: ['a.example'], identity };
  const mistakes: Readonly<Record<string, Value>> = {
    'a duration without a unit': { limits: { deadline: '250' } },
    'a size in a unit that there is not': { limits: { requestBytes: '1GB' } },
    'half a stream': { limits: { streams: 1.5 } },
    'more than the most': { chain: { maxDepth: 17 } },
    'a word that there is not': { behaviour: { mode: 'learning' } },
    'no SPIFFE ID': { listen: { tls: { svid: 'prod.example/ns/a' } } },
    'a number as a text': { chain: { maxDepth: 'four' } },
  };
  const from = (variable: string) => `\${${variable}}`;
  const right: Readonly<Record<string, Value>> = {
    'a duration': { limits: { deadline: '250ms' } },
    'a number in quotes': { chain: { maxDepth: '4' } },
    'a placeholder for a duration': { limits: { deadline: from('DEADLINE') } },
    'a placeholder for a word': { behaviour: { mode: from('MODE') } },
    'a placeholder for a number': { chain: { maxDepth: from('DEPTH') } },
    'a placeholder for a flag': { request: { mergeSlashes: from('MERGE') } },
    'a placeholder for off': { tokenService: from('TOKENS') },
  };
  const env = { DEADLINE: '250ms', MODE: 'act', DEPTH: '4', MERGE: 'true', TOKENS: 'off' };
  const told = judgedByEditor('configuration');
  const read = (more: Value) => isConfig(loadConfig(JSON.stringify({ ...least, ...more }), 'config.yaml', env));
  for (const [what, more] of Object.entries(mistakes)) {
    test(what, () => assert.deepEqual([read(more), told({ ...least, ...more })], [false, false]));
  }
  for (const [what, more] of Object.entries(right)) {
    test(`none: ${what}`, () => assert.deepEqual([read(more), told({ ...least, ...more })], [true, true]));
  }
});

test('an editor tells a revocation of nothing, and one of two things', () => {
  const { editor: told, program } = kinds.revocations!;
  const about = { id: 'a', until: '2027-01-01T00:00:00Z', reason: 'b', by: 'c' };
  const of = (...subjects: readonly string[]) => ({
    revocations: [{ ...about, ...Object.fromEntries(subjects.map((subject) => [subject, 'spiffe://prod.example/a'])) }],
  });
  const tried = [of('workload'), of(), of('workload', 'under')];
  assert.deepEqual(tried.map(program), [true, false, false]);
  assert.deepEqual(tried.map(told), [true, false, false]);
});
