import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { Fault } from '../../src/base/fault.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import { parseRevocations, readRevocationFile } from '../../src/state/file/revocation-file.ts';
import { subjectsOfWorkload } from '../../src/state/revocation.ts';
import { blocks, page } from '../docs/markdown.ts';
import { at, type Entry, HOUR_MS, revocationFile, revokingWorld, rewrite } from '../support/revoking.ts';
import { until } from '../support/until.ts';
import { type Ask, type World, workload } from '../support/world.ts';
import {
  AGENT,
  agentByChain,
  agentByTxn,
  agentTxn,
  INVOICE,
  LEDGER,
  ledgerReads,
  ORCHESTRATOR,
  readerByToken,
  TTS,
} from '../support/world-asks.ts';

let world: World;

before(async () => {
  world = await revokingWorld(revocationFile([]), ({ identity, log }) => {
    log.level = 'warn';
    const domains = identity.trustDomains as Record<string, Record<string, unknown>>;
    domains['prod.example']!.backdating = '30s';
  });
});
after(async () => {
  await world?.stop();
});

const reasonOf = async (ask: Ask): Promise<string> => (await world.send(ask)).reason;
const apply = (...entries: readonly Entry[]): Promise<void> => rewrite(world, revocationFile(entries));

suite('what a revocation hits', () => {
  test('a workload anywhere in the chain', async () => {
    await apply({ workload: workload(ORCHESTRATOR) });
    assert.equal(await reasonOf(agentByChain()(world)), 'revoked_workload');
    assert.equal(await reasonOf(agentByTxn()(world)), 'permitted');
  });

  test('a prefix of whole segments, itself included', async () => {
    for (const [under, reason] of [
      ['/ns/payments/sa', 'revoked_workload'],
      [LEDGER, 'revoked_workload'],
      ['/ns/pay', 'permitted'],
      ['/ns/payments/sa/ledge', 'permitted'],
    ] as const) {
      await apply({ under: workload(under) });
      assert.equal(await reasonOf(ledgerReads()(world)), reason, under);
    }
    await apply({ under: 'spiffe://prod.example', wholeTrustDomain: true });
    assert.equal(await reasonOf(ledgerReads()(world)), 'revoked_workload');
  });

  test('nothing after its end', async () => {
    await apply({ workload: workload(LEDGER), until: at(Date.now() - 1000) });
    assert.equal(await reasonOf(ledgerReads()(world)), 'permitted');
  });

  test('a token that was remembered as verified, by the digest in its audit line', async () => {
    await apply();
    const ask = readerByToken()(world);
    const { reason, audit } = await world.send(ask);
    assert.equal(reason, 'permitted');
    const { fingerprint } = audit.caller as unknown as { fingerprint: string };
    await apply({ token: { digest: fingerprint } });
    const refused = await world.send(ask);
    assert.equal(refused.reason, 'revoked_token');
    assert.match(String(refused.audit.detail), /r-1/);
    assert.equal(await reasonOf(readerByToken({ claims: { jti: 'another' } })(world)), 'permitted');
  });

  test('up to a time, so that a rotated credential works', async () => {
    const now = Date.now();
    const moment = now - 600_000;
    const svid = (issuedAt: number) => ({ svid: world.svid(LEDGER, { notBefore: issuedAt }), path: INVOICE });
    await apply({ workload: workload(LEDGER), issuedUpTo: at(moment) });
    // The authority dates back by 30 s, and clocks may be 5 s apart.
    assert.equal(await reasonOf(svid(moment - 60_000)), 'revoked_workload');
    assert.equal(await reasonOf(svid(moment - 26_000)), 'revoked_workload');
    assert.equal(await reasonOf(svid(moment - 20_000)), 'permitted');
    await apply({ task: { issuer: TTS, id: 'task-9' }, issuedUpTo: at(now - 120_000) });
    const issued = (seconds: number) =>
      agentByTxn({ claims: { txn: 'task-9', iat: Math.floor(now / 1000) - seconds } })(world);
    assert.equal(await reasonOf(issued(180)), 'revoked_task');
    assert.equal(await reasonOf(issued(60)), 'permitted');
  });

  test('a workload by a task token of before, though its own certificate is new', async () => {
    const now = Date.now();
    await apply({ workload: workload(AGENT), issuedUpTo: at(now - 120_000) });
    const iat = Math.floor(now / 1000) - 180;
    const svid = world.svid(AGENT, { notBefore: now - 10_000 });
    const send = (mutation: object) =>
      reasonOf({ svid, path: INVOICE, headers: { 'txn-token': agentTxn(world, mutation) } });
    assert.equal(await send({ claims: { iat } }), 'revoked_workload');
    assert.equal(await send({}), 'permitted');
  });
});

suite('what a faulty file does', () => {
  const held = { id: 'held', workload: workload(LEDGER) };
  const ledger = (): Promise<string> => reasonOf(ledgerReads()(world));

  test('what can be read of it applies beside what was there, and nothing is lifted', async () => {
    await apply(held);
    const faulty = revocationFile([
      { id: 'new', workload: workload(AGENT) },
      { id: 'torn', workload: 'ledger' },
    ]);
    await rewrite(world, faulty, 'refused');
    assert.equal(await ledger(), 'revoked_workload');
    assert.equal(await reasonOf(agentByTxn()(world)), 'revoked_workload');
    const line = world.audit().findLast(({ event }) => event === 'revocations-refused');
    assert.match(String(line?.problems), /revocations\.yaml:\d+:\d+: workload: is no SPIFFE ID/);
    assert.match(await world.status('/metrics'), /^authz_revocations_out_of_date 1$/m);
    assert.match(await world.status('/readyz'), /"ready": true/);
  });

  for (const [what, text] of [
    ['an empty file', ''],
    ['a file of comments', '# nothing\n'],
    ['a file without the list', 'revocation: []\n'],
    ['no YAML', '{"revocations": ['],
  ] as const) {
    test(`${what} lifts nothing`, async () => {
      await apply(held);
      await rewrite(world, text, 'refused');
      assert.equal(await ledger(), 'revoked_workload');
    });
  }

  test('a file that is gone lifts nothing', async () => {
    await apply(held);
    rmSync(join(world.folder, 'revocations.yaml'));
    await until('the file is missed', async () =>
      /^authz_revocations_out_of_date 1$/m.test(await world.status('/metrics')) ? true : null,
    );
    assert.equal(await ledger(), 'revoked_workload');
  });

  test('a good file lifts what it leaves out, with a line of the audit', async () => {
    await apply(held);
    await apply({ id: 'other', workload: workload(AGENT) });
    assert.equal(await ledger(), 'permitted');
    const line = world.audit().findLast(({ event }) => event === 'revocations-changed');
    assert.deepEqual([line?.added, line?.changed, line?.lifted], [['other'], [], ['held']]);
  });

  for (const [what, entry, problem] of [
    ['a subject too many', { owner: 'payments', workload: workload(AGENT) }, /names two subjects/],
    ['no subject', {}, /revokes nothing; name one of/],
    ['a whole trust domain', { under: 'spiffe://prod.example' }, /confirm with wholeTrustDomain: true/],
    ['a prefix that ends with a slash', { under: 'spiffe://prod.example/ns/' }, /is no SPIFFE ID/],
    ['a trust domain as workload', { workload: 'spiffe://prod.example' }, /names a trust domain/],
    ['an unknown key', { owner: 'payments', untill: 1 }, /untill/],
    ['a time that is none', { owner: 'payments', until: 'tomorrow' }, /write a time such as/],
    ['a fingerprint in another spelling', { certificate: 'AB:CD' }, /write sha256: and 64 hex digits/],
    ['a thumbprint in hex', { key: 'ab'.repeat(32) }, /RFC 7638/],
  ] as const) {
    test(`${what} is a problem at its place`, async () => {
      await apply();
      await rewrite(world, revocationFile([entry]), 'refused');
      const line = world.audit().findLast(({ event }) => event === 'revocations-refused');
      assert.match(String(line?.problems), problem);
      assert.match(String(line?.problems), /revocations\.yaml:\d+:\d+: /);
    });
  }
});

suite('names that nobody has', () => {
  const unknown = async (count: number) =>
    assert.match(await world.status('/metrics'), new RegExp(`^authz_revocations_unknown_names ${count}$`, 'm'));
  const problemsOf = async () =>
    (JSON.parse(await world.status('/status')) as { revocations: { unknownNames: readonly string[] } }).revocations
      .unknownNames;

  test('are said with their places, and their entries apply beside the others', async () => {
    await apply({ owner: 'paymnets' }, { workload: workload(LEDGER) }, { task: { issuer: 'https://t', id: 'x' } });
    await unknown(2);
    const problems = await problemsOf();
    assert.match(problems[0]!, /revocations\.yaml:\d+:\d+: owner: .* lists no team "paymnets"/);
    assert.match(problems[1]!, /revocations\.yaml:\d+:\d+: task\.issuer: .* the issuer "https:\/\/t"/);
    const warned = world.log.filter((line) => line.includes('configuration problem') && line.includes('paymnets'));
    assert.equal(warned.length, 1);
    assert.equal(await reasonOf(ledgerReads()(world)), 'revoked_workload');
    assert.match(await world.status('/readyz'), /"ready": true/);
    await apply({ owner: 'payments' });
    await unknown(0);
  });

  test('begin with a team that leaves the inventory: it is revoked all the same, and the sidecar stays ready', async () => {
    const inventory = join(world.folder, 'inventory.yaml');
    const before = readFileSync(inventory, 'utf8');
    writeFileSync(inventory, before.replace('teams: [', 'teams: [leaving, '));
    await apply({ owner: 'leaving' });
    await until('the team is there', async () => ((await problemsOf()).length === 0 ? true : null));
    writeFileSync(inventory, before);
    await until('the team is gone', async () => ((await problemsOf()).length === 1 ? true : null));
    assert.match(await world.status('/readyz'), /"ready": true/);
    assert.match(await world.status('/metrics'), /^authz_revocations 1$/m);
    assert.match(await world.status('/metrics'), /^authz_revocations_out_of_date 0$/m);
  });
});

suite('revocations.jsonl', () => {
  const put = (...entries: readonly Entry[]) => {
    const lines = entries.map((entry, n) => ({
      id: `line-${n}`,
      until: at(Date.now() + HOUR_MS),
      ...whoAndWhy,
      ...entry,
    }));
    writeFileSync(join(world.folder, 'revocations.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  };
  const whoAndWhy = { reason: 'tested', by: 'security@example.com' };
  const named = (...entries: readonly Entry[]) => `${revocationFile(entries)}revocationsFile: revocations.jsonl\n`;
  const reasons = async () => [await reasonOf(ledgerReads()(world)), await reasonOf(agentByTxn()(world))];

  test('applies beside the file that names it, is watched, and lifts nothing when it is broken or gone', async () => {
    put({ workload: workload(LEDGER) });
    await rewrite(world, named({ workload: workload(AGENT) }));
    assert.deepEqual(await reasons(), ['revoked_workload', 'revoked_workload']);
    put({ owner: 'support' });
    await until('the change of the lines is read', async () => ((await reasons())[0] === 'permitted' ? true : null));
    assert.deepEqual(await reasons(), ['permitted', 'revoked_workload']);
    put({ workload: workload(LEDGER) });
    await until('the ledger is revoked', async () => ((await reasons())[0] === 'revoked_workload' ? true : null));
    rmSync(join(world.folder, 'revocations.jsonl'));
    await until('the lines are missed', async () =>
      /^authz_revocations_out_of_date 1$/m.test(await world.status('/metrics')) ? true : null,
    );
    assert.deepEqual(await reasons(), ['revoked_workload', 'revoked_workload']);
    await apply();
    assert.deepEqual(await reasons(), ['permitted', 'permitted']);
  });

  test('each lift of many is in the audit, and the checks of all are answered', async () => {
    const count = 600;
    const owners = Array.from({ length: count }, (_, n) => ({ key: `${n}`.padStart(43, '0') }));
    put(...owners, { workload: workload(LEDGER) });
    await rewrite(world, named());
    assert.deepEqual(await reasons(), ['revoked_workload', 'permitted']);
    const before = world.audit().length;
    await apply();
    const lifted = world
      .audit()
      .slice(before)
      .flatMap(({ event, lifted: ids }) => (event === 'revocations-changed' ? (ids as readonly string[]) : []));
    assert.deepEqual(lifted.toSorted(), Array.from({ length: count + 1 }, (_, n) => `line-${n}`).toSorted());
    assert.deepEqual(await reasons(), ['permitted', 'permitted']);
  });
});

test('the files of docs/revocations.md are good, and hits what it says', () => {
  const [block, naming] = blocks(page('docs/revocations.md').text).filter(({ info }) => info === 'yaml revocations');
  assert.ok(!(parseRevocations(naming!.text, 'revocations.yaml') instanceof Fault));
  const parsed = parseRevocations(block!.text, 'revocations.yaml');
  assert.ok(!(parsed instanceof Fault));
  assert.deepEqual(parsed.problems, []);
  const id = SpiffeId.parse(workload(AGENT));
  assert.ok(id instanceof SpiffeId);
  const evidence = [{ subjects: subjectsOfWorkload(id), issuedAt: null }];
  assert.equal(parsed.revocations.find(evidence, Date.UTC(2026, 11, 1))?.id, 'INC-2041');
  assert.equal(parsed.revocations.find(evidence, Date.UTC(2027, 0, 1)), null);
});

test('a look at an unchanged file gives what was read before, and one at another file does not', async () => {
  const file = join(world.folder, 'looked-at.yaml');
  const { signal } = new AbortController();
  const read = async (last: Awaited<ReturnType<typeof readRevocationFile>> | null) =>
    await readRevocationFile(file, signal, last instanceof Fault ? null : last);
  writeFileSync(file, revocationFile([]));
  const first = await read(null);
  assert.equal(await read(first), first);
  writeFileSync(file, revocationFile([{ workload: workload(AGENT) }]));
  assert.notEqual(await read(first), first);
});

test('without its file a sidecar is not ready, and refuses until the file is there', async () => {
  const other = await revokingWorld(null);
  try {
    assert.equal((await other.send(ledgerReads()(other))).reason, 'state_unavailable');
    assert.match(await other.status('/readyz'), /the revocations in .*revocations\.yaml could not be read/);
    await rewrite(other, revocationFile([{ workload: workload(AGENT), until: at(Date.now() + HOUR_MS) }]));
    assert.equal((await other.send(ledgerReads()(other))).reason, 'permitted');
    assert.equal((await other.send(agentByTxn()(other))).reason, 'revoked_workload');
  } finally {
    await other.stop();
  }
});
