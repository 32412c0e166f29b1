import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Issued, pemBundle } from '../support/ca.ts';
import { ask } from '../support/client.ts';
import { type Envoy, startEnvoy } from '../support/envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { freePort } from '../support/ports.ts';
import { run } from '../support/run.ts';
import { claimsIn, pemOf } from '../support/token-world.ts';
import { makeKey } from '../support/tokens.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { blocks, page } from './markdown.ts';

const AGENT = '/ns/agents/sa/billing-agent';
const ORCHESTRATOR = '/ns/agents/sa/orchestrator';
const { text } = page('docs/agents.md');
const block = (info: string): string => blocks(text).find((each) => each.info === info)?.text ?? assert.fail(info);

let estate: SidecarEstate;
let upstream: Upstream;
let envoy: Envoy;
let service: string;

before(async () => {
  const port = await freePort();
  service = `https://localhost:${port}`;
  const tls = { files: { certificate: './control.crt', key: './control.key' } };
  estate = await SidecarEstate.start({
    listen: { control: { address: `127.0.0.1:${port}`, tls } },
    prepare: (dir, ca) => {
      const own = ca.svid(workload('/ns/platform/sa/authz'), { dns: ['localhost'] });
      writeFileSync(join(dir, 'control.crt'), own.pem);
      writeFileSync(join(dir, 'control.key'), own.pkcs8Pem);
      writeFileSync(join(dir, 'tts.pem'), pemOf(makeKey()));
      writeFileSync(join(dir, 'ca.pem'), pemBundle(ca));
      show(dir, ca.svid(workload(AGENT)));
      return { tokenService: { keys: './tts.pem' }, task: { issuers: [{ kind: 'built-in' }] } };
    },
  });
  upstream = await startUpstream();
  envoy = await startEnvoy({
    config: 'uds',
    dir: estate.dir,
    svid: estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS, 'localhost'] }),
    bundlePem: pemBundle(estate.ca),
    check: estate.sidecar.check,
    upstream: upstream.port,
  });
});
after(async () => {
  await envoy?.stop();
  await upstream?.close();
  await estate?.stop();
});

/** What the examples read. */
function show(dir: string, { pem, pkcs8Pem }: Issued): void {
  writeFileSync(join(dir, 'svid.pem'), pem);
  writeFileSync(join(dir, 'svid.key'), pkcs8Pem);
}

/** The names by which the service is asked: the examples come to it at an address of this machine. */
const HOST_HEADERS: readonly (readonly [before: string, after: string])[] = [
  ['-H "Txn-Token', `-H "Host: ${PAYMENTS}" -H "Txn-Token`],
  ['{"Txn-Token"', `{"Host": "${PAYMENTS}", "Txn-Token"`],
  ["{ 'txn-token'", `{ host: '${PAYMENTS}', 'txn-token'`],
];

/** The example as it is, at the addresses of this test, and a last line that tells of the last token. */
async function play(info: string, program: readonly string[], last: string): Promise<string> {
  const places = [
    ['https://control.prod.example:9443', service],
    [`https://${PAYMENTS}`, `https://localhost:${envoy.port}`],
    ...HOST_HEADERS,
  ] as const;
  const example = places.reduce((text, [before, after]) => text.replaceAll(before, after), block(info));
  const [name, ...args] = program;
  const file = join(estate.dir, `example.${info.split(' ')[0]}`);
  writeFileSync(file, `${example}\n${last}\n`);
  const printed = await run(name!, [...args, file], { cwd: estate.dir });
  return printed.trim().split('\n').at(-1) ?? '';
}

const invoice = (token: string) =>
  ask({
    port: envoy.port,
    svid: estate.svid(AGENT),
    host: PAYMENTS,
    path: '/api/invoices/42',
    headers: { 'txn-token': token },
  });

const examples: readonly (readonly [info: string, program: readonly string[], last: string])[] = [
  ['sh agent', ['bash', '-eu'], 'echo; echo "$token"'],
  ['python agent', ['python3'], 'print(fresh["access_token"])'],
  ['ts agent', [process.execPath, '--no-warnings'], 'console.log(fresh.access_token);'],
];

for (const [info, program, last] of examples) {
  test(`docs/agents.md: ${info} obtains a task, carries and refreshes it, and ends it: its token is useless then`, async () => {
    const served = upstream.seen.length;
    const token = await play(info, program, last);
    assert.deepEqual(
      upstream.seen.slice(served).map(({ url }) => url),
      ['/api/invoices/42', '/api/invoices/43'],
    );
    assert.equal(claimsIn(token).req_wl, workload(AGENT));
    assert.equal((await invoice(token)).reason, 'task_ended');
  });
}

test('docs/agents.md: what is handed on is good for the next workload', async () => {
  show(estate.dir, estate.svid(ORCHESTRATOR));
  const [setting = '', where = '', form = '', ...begin] = block('sh agent').split('\n');
  const first = begin.slice(0, 2).join('\n').replace(workload(AGENT), workload(ORCHESTRATOR));
  const script = [setting, where, form, first, 'token=$(jq -r .access_token <<<"$task")', block('sh next')].join('\n');
  const file = join(estate.dir, 'next.sh');
  writeFileSync(file, script.replaceAll('https://control.prod.example:9443', service));
  const { access_token: token } = JSON.parse(await run('bash', ['-eu', file], { cwd: estate.dir })) as Record<
    string,
    string
  >;
  assert.equal((await invoice(token ?? '')).status, 200);
});

test('docs/agents.md names reasons and codes that exist', async () => {
  const known = `${page('docs/reasons.md').text}${JSON.stringify(await import('../../src/control/http/problem.ts'))}`;
  const table = text.slice(text.indexOf('## What to do with a refusal'));
  const named = [...table.matchAll(/`((?:task|policy|approval|revoked|state)_[a-z_]+)`/g)].map(
    ([, name]) => name ?? '',
  );
  assert.ok(named.length > 9);
  for (const name of named) assert.ok(known.includes(name), name);
});
