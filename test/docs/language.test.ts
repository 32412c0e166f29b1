import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withoutComments } from '../support/comments.ts';
import { repository } from './markdown.ts';

/** What users no longer read, each with the words that took its place. */
const replaced: readonly (readonly [was: RegExp, now: string])[] = [
  [/is that of another workload/, 'belongs to another workload'],
  [/is meant for somebody else/, 'has a different audience'],
  [/does not speak of/, 'is not trusted for, does not cover'],
  [/is not one that its issuer may state/, 'the issuer may not assert it'],
  [/used only once cannot be remembered/, 'the single-use store is unavailable or full'],
  [/signature (of the token )?does not hold/, 'the signature is invalid'],
  [/says in two ways what it asks for/, 'is inconsistent'],
  [/Envoy does not send all headers/, 'the request headers are incomplete'],
  [/no line has the hash|it was written, and is gone/, 'not found: that line has been removed'],
  [/Nothing, whatever else is true/, 'no request by this workload can be allowed'],
  [/changed although nothing did|their lines lack something/, 'decisions differ under identical policies'],
  [/say nothing here/, 'do not apply'],
  [/\berrs( at)?\b/, 'fails to evaluate'],
  [/context\.\S+ is not there/, 'is absent'],
  [/no new trust bundle came/, 'trust bundle refresh failed, keeping the last good one'],
  [/no new SVID of our own came/, 'SVID renewal failed, using the current one until it expires'],
  [/a policy snapshot is in force/, 'policy snapshot loaded'],
  [/\bit is (stopping|starting)\b/, 'shutting down, starting'],
  [/the keys of \S+ are (not there|absent|stale)/, 'no keys for issuer'],
  [/neither the route's context_extensions/, 'is not assigned to this Envoy'],
  [/they break the engine/, 'these policies crash the Cedar engine'],
  [/cannot be judged safely/, 'policy validation failed'],
  [/who may attack it how/, 'the threat model'],
  [/merely says yes/, 'allows everything'],
  [/\bare let pass\b/, 'are tolerated'],
];

/** Public words of earlier versions. */
const oldWords: readonly RegExp[] = [
  /\boldNames\b/,
  /\blower: true\b/,
  /\bours: (true|false)\b/,
  /\bserves: ?[[{]|\bserves\[|`serves`/,
  /'serves'|remove 'lower'/,
  /--ours\b/,
];

/** Where the old words are refused. */
const refusing: ReadonlySet<string> = new Set(['src/source/renamed.ts', 'src/cli/arguments.ts']);

interface Text {
  readonly file: string;
  readonly text: string;
}

/** Pages and shipped files as they are, sources without their comments: what is left of those is what users may read. */
const texts: readonly Text[] = globSync(
  [
    'src/**/*.ts',
    '{README,SECURITY}.md',
    'docs/**/*.{md,json}',
    '{cedar,envoy,k8s}/**/*.{cedar,yaml,json,md,tpl,txt}',
    'test/demo/*.ts',
  ],
  { cwd: repository },
)
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => {
    const text = readFileSync(join(repository, file), 'utf8');
    return { file: file.replaceAll('\\', '/'), text: file.endsWith('.ts') ? withoutComments(text) : text };
  });

test('no message, page or help holds words that were replaced', () => {
  assert.ok(texts.length > 100);
  const found = texts.flatMap(({ file, text }) =>
    replaced.flatMap(([was, now]) => {
      const [match] = was.exec(text) ?? [];
      return match === undefined ? [] : [`${file}: '${match}'; write '${now}'`];
    }),
  );
  assert.deepEqual(found, []);
});

test('no message, page or help holds a public word of an earlier version, but where it is refused', () => {
  const found = texts.flatMap(({ file, text }) =>
    refusing.has(file)
      ? []
      : oldWords.flatMap((word) => {
          const [match] = word.exec(text) ?? [];
          return match === undefined ? [] : [`${file}: '${match}'`];
        }),
  );
  assert.deepEqual(found, []);
});
