import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cached } from '../support/cache.ts';
import { ALL_TO_OPERATOR, OPERATOR, startControlWorld } from '../support/control-world.ts';
import { finish, run } from '../support/run.ts';

const VERSION = '4.32.5';
/** The same requests in each run. */
const SEED = '16';
const EXAMPLES = '25';
const OPEN_API = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json');

/** Schemathesis makes requests of an OpenAPI document, good and bad ones, and holds the answers to it. */
const installed = (): Promise<string> =>
  cached('schemathesis', VERSION, async (into) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', into, `schemathesis==${VERSION}`]);
  });

/** Among the answers to bad requests, its own list lacks that to a target that is too long for any header. */
const CONFIG = `[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429, 431]
`;

async function fuzz(dir: string, url: string, checks: readonly string[], token: string | null) {
  const folder = await installed();
  const code = 'from schemathesis.cli import schemathesis; schemathesis()';
  const options = ['--url', url, '--seed', SEED, '--max-examples', EXAMPLES, '--checks', checks.join(',')];
  const header = token === null ? [] : ['--header', `Authorization: Bearer ${token}`];
  // A stream has no end to wait for; where nobody may have one, it is an answer like the others.
  const endless = token !== null && checks.includes('negative_data_rejection') ? ['--exclude-path', '/events'] : [];
  const quiet = ['--generation-database', 'none', '--warnings', 'off', '--continue-on-failure', '--no-color'];
  const config = join(dir, 'schemathesis.toml');
  writeFileSync(config, CONFIG);
  return finish(
    'python3',
    ['-c', code, '--config-file', config, 'run', OPEN_API, ...options, ...header, ...endless, ...quiet],
    {
      env: { ...process.env, PYTHONPATH: folder },
    },
  );
}

/** What holds for every answer, whoever asks. */
const CONFORMANCE = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'allow_header_conformance',
  'unsupported_method',
];

test('a fuzz of the control API by its own OpenAPI document finds no answer that is not in it, and no 500', async (t) => {
  const world = await startControlWorld({ policies: ALL_TO_OPERATOR });
  t.after(() => world.stop());
  const hour = { claims: { exp: Math.floor(Date.now() / 1000) + 3000 } };
  const token = world.token(OPERATOR, hour);
  for (const [checks, by] of [
    [[...CONFORMANCE, 'negative_data_rejection'], token],
    [CONFORMANCE, null],
    [CONFORMANCE, world.token('/ns/support/sa/reader', hour)],
  ] as const) {
    const { code, stdout, stderr } = await fuzz(world.folder, world.control ?? '', checks, by);
    assert.equal(
      code,
      0,
      `${stdout}${stderr}`.replace(/[^\n]{400,}/g, (line) => `${line.slice(0, 400)}…`),
    );
  }
  const { json } = await world.ask({ path: '/revocations', token: world.token('/ns/support/sa/reader') });
  assert.equal(json.code, 'not_permitted');
  assert.deepEqual(
    world.log.filter((line) => line.includes('"bug')),
    [],
  );
});
