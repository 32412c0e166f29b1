import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/source/problem.ts';
import { finish } from '../support/run.ts';
import { type Block, blocks, type Page, page, pages, prose, repository } from './markdown.ts';

/** Which file plays the fenced blocks of a page: those that are no drawing. */
const played: readonly { readonly page: string; readonly info: RegExp; readonly by: string }[] = [
  { page: 'README.md', info: /^(sh|cedar|json|text)$/, by: 'test/docs/readme.test.ts' },
  { page: 'README.md', info: /^yaml$/, by: 'test/docs/attach.test.ts' },
  { page: 'docs/agents.md', info: /^((sh|python|ts) agent|sh next)$/, by: 'test/docs/agents.test.ts' },
  { page: 'docs/alerts.md', info: /^sh look$/, by: 'test/docs/alerts.test.ts' },
  { page: 'docs/approvals.md', info: /^yaml (filter|virtual-host|route)$/, by: 'test/e2e/envoy-config.test.ts' },
  { page: 'docs/approvals.md', info: /^cedar control$/, by: 'test/control/approvals/break-glass.test.ts' },
  { page: 'docs/approvals.md', info: /^cedar example$/, by: 'test/docs/snippets.test.ts' },
  { page: 'docs/approvals.md', info: /^json denial$/, by: 'test/cases/approvals.test.ts' },
  { page: 'docs/audit.md', info: /^sh$/, by: 'test/docs/audit.test.ts' },
  { page: 'docs/audit-shipping.md', info: /^(|yaml)$/, by: 'test/tools/shippers.check.ts' },
  { page: 'docs/audit-shipping.md', info: /^sh$/, by: 'test/docs/audit.test.ts' },
  { page: 'docs/behaviour.md', info: /^json line$/, by: 'src/behaviour/assess.test.ts' },
  { page: 'docs/behaviour.md', info: /^sh behaviour-orders$/, by: 'test/control/baseline.test.ts' },
  { page: 'docs/ci.md', info: /^(sh install|yaml (schema-line|github|gitlab))$/, by: 'test/package.test.ts' },
  { page: 'docs/ci.md', info: /^yaml pre-commit$/, by: 'test/tools/pre-commit.check.ts' },
  { page: 'docs/cli.md', info: /^help$/, by: 'test/cli/commands.test.ts' },
  {
    page: 'docs/control.md',
    info: /^((yaml|sh) (one|fleet)|sh task|yaml sidecar|cedar policy)$/,
    by: 'test/docs/control.test.ts',
  },
  { page: 'docs/control.md', info: /^(yaml notices|json notice)$/, by: 'test/control/notices.test.ts' },
  { page: 'docs/controls.md', info: /^yaml$/, by: 'test/docs/snippets.test.ts' },
  { page: 'docs/connections.md', info: /^yaml manager$/, by: 'test/e2e/envoy-config.test.ts' },
  { page: 'docs/drills.md', info: /^sh (audit|stolen|policy|disk)$/, by: 'test/docs/operations.test.ts' },
  { page: 'docs/doctor.md', info: /^console findings$/, by: 'test/docs/doctor.test.ts' },
  {
    page: 'docs/envoy-gateway.md',
    info: /^yaml (gateway|clients|check|patch)$/,
    by: 'test/support/meshes/fixtures.ts',
  },
  { page: 'docs/envoy-gateway.md', info: /^(yaml sidecar|sh doctor|text bare)$/, by: 'test/docs/meshes.test.ts' },
  { page: 'docs/istio.md', info: /^yaml (mesh|service|policy|filter)$/, by: 'test/support/meshes/fixtures.ts' },
  { page: 'docs/istio.md', info: /^(yaml sidecar|sh doctor|text bare)$/, by: 'test/docs/meshes.test.ts' },
  {
    page: 'docs/kubernetes.md',
    info: /^(sh (build|run|keys|console|node|ask)|json denial)$/,
    by: 'test/kubernetes/docs.check.ts',
  },
  { page: 'docs/kubernetes.md', info: /^yaml cluster$/, by: 'test/soak/rolling.ts' },
  { page: 'docs/kubernetes.md', info: /^yaml (tls|authorities)$/, by: 'test/e2e/check-port-files.test.ts' },
  { page: 'docs/kubernetes.md', info: /^yaml peers$/, by: 'test/e2e/check-port-peers.test.ts' },
  { page: 'docs/legacy.md', info: /^(sh|yaml) legacy-\w+$/, by: 'test/docs/legacy.test.ts' },
  { page: 'docs/policies.md', info: /^cedar emergency$/, by: 'src/policy/load/emergency.test.ts' },
  { page: 'docs/policies.md', info: /^(console|(yaml|cedar) \S+)$/, by: 'test/policy-tools-docs.test.ts' },
  { page: 'docs/policies.md', info: /^(yaml|json)$/, by: 'src/inventory/lines.test.ts' },
  { page: 'docs/reasons.md', info: /^$/, by: 'test/docs/readme.test.ts' },
  { page: 'docs/releasing.md', info: /^sh (dry-run|key|verify)$/, by: 'test/tools/release.check.ts' },
  { page: 'docs/reuse.md', info: /^text$/, by: 'test/e2e/reuse.test.ts' },
  { page: 'docs/revocations.md', info: /^yaml revocations$/, by: 'test/cases/revocations.test.ts' },
  { page: 'docs/rotation.md', info: /^sh (control|service|nonce|store)$/, by: 'test/docs/operations.test.ts' },
  { page: 'docs/sign-in.md', info: /^((yaml|sh) one|cedar policy)$/, by: 'test/docs/sign-in.test.ts' },
  { page: 'docs/spire.md', info: /^(sh|yaml|hcl) \w+$/, by: 'test/support/spire-docs.ts' },
  { page: 'docs/vm.md', info: /^(ini|yaml|sh) \S+$/, by: 'test/e2e/meshes/vm.test.ts' },
  { page: 'docs/state.md', info: /^yaml state$/, by: 'src/config/state.test.ts' },
  { page: 'docs/state.md', info: /^text acl$/, by: 'test/support/redis-acl.ts' },
  { page: 'docs/state.md', info: /^sh lifts$/, by: 'src/state/lift-keys.test.ts' },
  { page: 'docs/tasks.md', info: /^(yaml|json .+)$/, by: 'src/task/documented.test.ts' },
  { page: 'docs/tasks.md', info: /^((yaml|sh) token-service|yaml keys)$/, by: 'test/e2e/token-keys.test.ts' },
  { page: 'docs/tasks.md', info: /^yaml metadata-route$/, by: 'test/e2e/client-discovery.test.ts' },
  { page: 'docs/tracing.md', info: /^yaml tracing$/, by: 'src/config/tracing.test.ts' },
  { page: 'docs/tracing.md', info: /^yaml envoy$/, by: 'test/support/envoy-tracing.ts' },
];
/** Each command line of the README, and what runs it. */
const commands: ReadonlyMap<string, string> = new Map([
  ['npm ci', '.ci/run'],
  ['npm test', 'package.json'],
  ['npm run demo', 'test/docs/readme.test.ts'],
  ['npm run demo -- --keep', 'test/docs/readme.test.ts'],
  ['grep DECISION audit.jsonl', 'test/docs/readme.test.ts'],
  ['npm run authz -- audit verify audit.jsonl', 'test/docs/readme.test.ts'],
  ['npm run image -- registry.example/team/cedar-ext-authz:0.1.0 --push', 'test/kubernetes/docs.check.ts'],
  [
    'helm -n payments install authz k8s/chart --create-namespace -f k8s/examples/sidecar-injected-spire.yaml --set image.repository=registry.example/team/cedar-ext-authz',
    'test/kubernetes/docs.check.ts',
  ],
  [
    'kubectl -n payments create configmap payments --from-file=cedar/example/policies --from-file=cedar/example/inventory.yaml',
    'test/kubernetes/docs.check.ts',
  ],
  [
    'kubectl -n payments patch deployment edge -p \'{"spec":{"template":{"metadata":{"labels":{"cedar-ext-authz/inject":"authz"}}}}}\'',
    'test/kubernetes/docs.check.ts',
  ],
]);
const isDrawing = ({ info, text }: Block): boolean => info === '' && text.includes('▶');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

for (const { file, text } of pages()) {
  test(`every block of ${file} is played by a test`, () => {
    const snippets = blocks(text).filter((block) => !isDrawing(block));
    const rows = played.filter((row) => row.page === file);
    const idle = snippets.filter(({ info }) => !rows.some((row) => row.info.test(info)));
    assert.deepEqual(
      idle.map(({ info, text }) => `${info}: ${text.split('\n')[0]}`),
      [],
    );
    for (const { info, by } of rows) {
      assert.ok(read(by).includes(basename(file)), `${by} reads ${file}`);
      assert.ok(
        snippets.some((block) => info.test(block.info)),
        `${file} has a block ${info}`,
      );
    }
  });
}

test('each command line of the README is one that something runs', () => {
  const lines = blocks(page('README.md').text).flatMap(({ info, text }) =>
    info === 'sh' ? text.trim().split('\n') : [],
  );
  assert.deepEqual(
    lines.filter((line) => !commands.has(line)),
    [],
  );
  for (const [line, by] of commands) {
    assert.ok(lines.includes(line), `the README has ${line}`);
    assert.ok(existsSync(join(repository, by)), by);
  }
});

test('commands that are merely mentioned are there', async () => {
  const { stdout: usage } = await finish(process.execPath, [join(repository, 'src', 'main.ts'), '--help']);
  const absent = pages().flatMap((one) => mentions(one).filter((command) => !isThere(command, usage)));
  assert.deepEqual(absent, []);
});

test('the guardrail that docs/controls.md disables is one, and the configuration takes it', () => {
  const [snippet] = blocks(page('docs/controls.md').text).filter(({ info }) => info === 'yaml');
  const { policy } = parse(snippet?.text ?? '') as { policy: { guardrails: { disable: { id: string }[] } } };
  const identity = { trustDomains: { 'prod.example': { local: true, bundle: { file: './bundle.json' } } } };
  const whole = { hosts: ['a.internal'], identity, policy: { folder: './p', inventory: './i.yaml', ...policy } };
  const config = loadConfig(JSON.stringify(whole), 'config.yaml', {});
  assert.deepEqual(isConfig(config) ? [] : config.map(formatProblem), []);
  const guardrails = ['behaviour', 'boundaries', 'legacy', 'proof', 'writes'].map((name) =>
    read(`cedar/guardrails/${name}.cedar`),
  );
  for (const { id } of policy.guardrails.disable) assert.ok(guardrails.join('').includes(`@id("${id}")`), id);
});

test('the policy of docs/approvals.md is one of the example', () => {
  const [shown] = blocks(page('docs/approvals.md').text).filter(({ info }) => info === 'cedar example');
  assert.ok(shown !== undefined && read('cedar/example/policies/control/break-glass.cedar').includes(shown.text));
});

function read(file: string): string {
  return readFileSync(join(repository, file), 'utf8');
}

/** Commands in code letters. */
function mentions({ text }: Page): readonly string[] {
  const found = prose(text).matchAll(/`((?:[A-Z_]+=\S+ )*(?:npm|node|cedar-ext-authz) [^`]+)`/g);
  return [...found].map(([, command = '']) => command.replace(/^(?:[A-Z_]+=\S+ )+/, ''));
}

function isThere(command: string, usage: string): boolean {
  const [program, ...words] = command.split(/\s+/);
  if (program === 'node') return words.some((word) => /\.ts$/.test(word) && existsSync(join(repository, word)));
  if (program === 'cedar-ext-authz') return usage.includes(`\n${words[0]} `);
  const [script = '', dashes, name = ''] = words.filter((word) => word !== 'run' && word !== '--silent');
  if (script === 'ci') return true;
  if (scripts[script] === undefined) return false;
  if (dashes === undefined || name === '' || name === 'NAME' || name.startsWith('--')) return true;
  if (script === 'tools') return read('test/tools/build.ts').includes(`'${name}'`);
  if (script === 'authz') return usage.includes(`\n${name} `);
  return (
    ['soak', 'conformance', 'bench'].includes(script) && existsSync(join(repository, 'test', script, `${name}.ts`))
  );
}
