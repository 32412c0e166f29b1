import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { run } from '../support/run.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { claimsIn, exchangeForm, pemOf, startForm, startTokenWorld } from '../support/token-world.ts';
import { makeKey, type SigningKey } from '../support/tokens.ts';
import { until } from '../support/until.ts';
import { type MeshConfig, World, workload } from '../support/world.ts';
import { AGENT, INVOICE } from '../support/world-asks.ts';

const ISSUER = 'urn:cedar-ext-authz:token-service:prod.example';
const { text } = page('docs/tasks.md');
const block = (info: string): string => blocks(text).find((each) => each.info === info)?.text ?? assert.fail(info);

const [first, second] = [makeKey('ES256', ''), makeKey('ES256', '')];
let service: Awaited<ReturnType<typeof startTokenWorld>>;
let sidecar: World;
before(async () => {
  service = await startTokenWorld({ signing: [first] });
  const { task } = parse(block('yaml keys')) as { task: { issuers: Record<string, Record<string, string>>[] } };
  const [issuer] = task.issuers;
  assert.equal(issuer?.jwks?.svid, AUTHZ);
  const jwks = { ...issuer.jwks, url: `${service.control}/keys` };
  sidecar = await World.start({
    edit: (config) => {
      config.listen = { ...config.listen, status: '127.0.0.1:0' };
      config.task = {
        ...config.task,
        issuers: [...(config.task.issuers as object[]), { ...issuer, jwks, maxStale: '30s' }],
      };
    },
  });
});
after(async () => {
  await sidecar?.stop();
  await service?.stop();
});

/** A task that both know, with its token. */
async function begun(): Promise<string> {
  const token = await service.granted(AGENT, startForm(AGENT));
  const task = service.tasks.lookup.find(ISSUER, String(claimsIn(token).txn));
  const {
    registeredAtMs: _at,
    leaseUntilMs: _until,
    ended: _ended,
    keptMs,
    keptUntilMs: _kept,
    origin: _origin,
    ...order
  } = task!;
  assert.equal((await sidecar.tasks.register(order, keptMs, Date.now())).result, 'stored');
  return token;
}
const ask = (world: Pick<World, 'send' | 'svid'>, token: string) =>
  world.send({ svid: world.svid(AGENT), path: INVOICE, headers: { 'txn-token': token } });
const both = async (token: string): Promise<readonly string[]> =>
  Promise.all([service, sidecar].map(async (world) => (await ask(world, token)).reason));
const GOOD = ['permitted', 'permitted'];

/** How many keys of the service a process knows by now. */
async function keysOf(world: Pick<World, 'status'>): Promise<number> {
  const { issuers } = JSON.parse(await world.status('/status')) as { issuers: { issuer: string; keys: number }[] };
  return issuers.find(({ issuer }) => issuer === ISSUER)?.keys ?? 0;
}
const published = async (): Promise<number> => ((await service.ask({ path: '/keys' })).json.keys as unknown[]).length;
const rewrite = (...keys: readonly SigningKey[]) => writeFileSync(join(service.folder, 'tts.pem'), pemOf(...keys));

test('the keys are replaced with an overlap, and no check fails meanwhile', async () => {
  const old = await begun();
  const oldKid = kidOf(old);
  assert.deepEqual(await both(old), GOOD);
  rewrite(first, second);
  await until('both keys at the service', async () => ((await published()) === 2 ? true : null));
  await until('both keys at the sidecar', async () => {
    assert.deepEqual(await both(old), GOOD);
    return (await keysOf(sidecar)) === 2 ? true : null;
  });
  rewrite(second, first);
  const fresh = await until('a token of the second key', async () => {
    const token = await service.granted(AGENT, exchangeForm(old));
    assert.deepEqual(await both(token), GOOD);
    return kidOf(token) === oldKid ? null : token;
  });
  assert.deepEqual(await both(old), GOOD);
  rewrite(second);
  await until('one key at the service', async () => ((await published()) === 1 ? true : null));
  assert.deepEqual(await both(fresh), GOOD);
  assert.equal((await ask(service, old)).reason, 'task_txn_key_unknown');
});

test('a file without a good key changes nothing', async () => {
  const token = await begun();
  writeFileSync(join(service.folder, 'tts.pem'), 'no key');
  await until('the fault', async () => ((await service.status('/status')).includes('no private key') ? true : null));
  assert.deepEqual(await both(await service.granted(AGENT, exchangeForm(token))), GOOD);
});

test('keys of a server with another SPIFFE ID are not taken', async () => {
  const other = await World.start({
    edit: (config) => {
      const jwks = { url: `${service.control}/keys`, svid: workload('/ns/platform/sa/other') };
      config.task = { ...config.task, issuers: [{ kind: 'built-in', jwks }] };
    },
  });
  try {
    assert.equal((await ask(other, await begun())).reason, 'task_keys_stale');
  } finally {
    await other.stop();
  }
});

test('docs/tasks.md: a key as it is made there, and one line in the configuration, are a token service', async () => {
  const shown = parse(block('yaml token-service')) as MeshConfig;
  const world = await startTokenWorld({
    edit: (config) => {
      assert.deepEqual([shown.tokenService, shown.task.issuers], [{ keys: 'tts.pem' }, [{ kind: 'built-in' }]]);
      config.tokenService = shown.tokenService;
      config.task = shown.task;
    },
  });
  try {
    const before = kidOf(await world.granted(AGENT, startForm(AGENT)));
    await run('bash', ['-c', block('sh token-service')], { cwd: world.folder });
    const token = await until('the key of the page', async () => {
      const one = await world.granted(AGENT, startForm(AGENT));
      return kidOf(one) === before ? null : one;
    });
    assert.equal((await ask(world, token)).reason, 'permitted');
  } finally {
    await world.stop();
  }
});

function kidOf(token: string): unknown {
  return (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: unknown }).kid;
}
