import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { blocks, page } from '../docs/markdown.ts';
import { H2Client } from '../support/h2-client.ts';
import { startTlsWorld } from '../support/tls-world.ts';
import { until } from '../support/until.ts';
import { type Answer, type Ask, type CheckPort, encode, type World, workload } from '../support/world.ts';
import { agentByTxn, ledgerReads } from '../support/world-asks.ts';

/** Clients of the check port over real mutual TLS and gRPC, each held to the hosts that it is bound to. */

const PAYMENTS_ENVOY = '/ns/payments/sa/envoy';
const EDGE_ENVOY = '/ns/edge/sa/envoy';

const payments = ledgerReads();
const reports = agentByTxn({}, { host: 'reports.internal', path: '/q3', route: { host: 'reports.internal' } });

/** Asks as an Envoy with this SPIFFE ID. */
async function as<T>(world: World, envoy: string, use: (port: CheckPort) => Promise<T>): Promise<T> {
  const port = world.as(world.svid(envoy));
  try {
    return await use(port);
  } finally {
    port.close();
  }
}

interface Bound {
  readonly pattern: string;
  readonly peers: readonly unknown[];
  readonly envoy: string;
  readonly may: readonly ('payments' | 'reports')[];
}

const EXACT = workload(EDGE_ENVOY);
const cases: readonly Bound[] = [
  {
    pattern: 'an id with a host',
    peers: [{ id: EXACT, hosts: ['reports.internal'] }],
    envoy: EDGE_ENVOY,
    may: ['reports'],
  },
  { pattern: 'an id that servedBy holds', peers: [workload(PAYMENTS_ENVOY)], envoy: PAYMENTS_ENVOY, may: ['payments'] },
  { pattern: 'an id that no servedBy holds', peers: [EXACT], envoy: EDGE_ENVOY, may: [] },
  {
    pattern: 'a pattern with a host',
    peers: [{ id: workload('/ns/*/sa/envoy'), hosts: ['payments.internal'] }],
    envoy: EDGE_ENVOY,
    may: ['payments'],
  },
  {
    pattern: 'a pattern, of an Envoy that servedBy holds',
    peers: [workload('/ns/*/sa/envoy')],
    envoy: PAYMENTS_ENVOY,
    may: ['payments'],
  },
  {
    pattern: 'a pattern with two stars',
    peers: [{ id: workload('/*/edge/*/envoy'), hosts: ['reports.internal'] }],
    envoy: EDGE_ENVOY,
    may: ['reports'],
  },
  {
    pattern: 'two patterns together',
    peers: [workload('/ns/payments/*/envoy'), { id: workload('/ns/*/sa/envoy'), hosts: ['reports.internal'] }],
    envoy: PAYMENTS_ENVOY,
    may: ['payments', 'reports'],
  },
];

for (const { pattern, peers, envoy, may } of cases) {
  test(`${pattern}: what it is bound to is answered, and every other host refused`, async () => {
    const world = await startTlsWorld({ peers });
    try {
      for (const [host, asked] of [
        ['payments', payments],
        ['reports', reports],
      ] as const) {
        const answer = await as(world, envoy, (port) => port.send(asked(world)));
        assertBound(answer, envoy, `${host}.internal`, may.includes(host));
      }
    } finally {
      await world.stop();
    }
  });
}

function assertBound({ reason, wire, audit }: Answer, envoy: string, host: string, may: boolean): void {
  assert.equal((audit.request as { peer: string }).peer, workload(envoy));
  if (may) {
    assert.equal(reason, 'permitted', String(audit.detail));
    return;
  }
  assert.deepEqual([reason, wire.status?.code, wire.denied?.http], ['request_host_not_bound', 7, 403]);
  assert.deepEqual([audit.result, audit.reason], ['deny', 'request_host_not_bound']);
  assert.match(String(audit.detail), new RegExp(`^${workload(envoy)} is not bound to the host '${host}'; `));
  assert.equal(audit.caller, null, 'nothing of the caller was looked at');
}

describe('the file of peers', () => {
  let world: World;
  const rule = (id: string, host: string): string => `  - { id: '${workload(id)}', hosts: [${host}] }\n`;
  const PAYMENTS = rule('/ns/*/sa/envoy', 'payments.internal');
  const REPORTS = rule('/ns/edge/sa/*', 'reports.internal');
  const put = (text: string): void => {
    writeFileSync(join(world.folder, 'peers.new'), text);
    renameSync(join(world.folder, 'peers.new'), join(world.folder, 'peers.yaml'));
  };
  const logged = (message: string, from = 0) =>
    until(message, () =>
      world.log
        .slice(from)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find((line) => line.message === message),
    );
  const metric = async (series: string): Promise<string | undefined> =>
    (await world.status('/metrics'))
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1);
  /** The page of metrics may be a second old. */
  const outOfDate = (is: '0' | '1') =>
    until(`out of date: ${is}`, async () =>
      (await metric('authz_check_port_out_of_date{file="peers"}')) === is ? true : null,
    );
  after(() => world?.stop());

  test('missing at the start: nobody may ask, and the reason is on every page; it is taken when it comes', async () => {
    world = await startTlsWorld({ peersFile: './peers.yaml' });
    assert.match(await world.status('/readyz'), /there are no peers: \S+peers\.yaml: ENOENT/);
    const line = await logged('there is no good check port file');
    assert.equal(line.file, 'peers');
    await assert.rejects(H2Client.open(portOf(world), world.svid(EDGE_ENVOY)));
    await outOfDate('1');
    put(`peers:\n${PAYMENTS}`);
    await logged('check port file loaded');
    await outOfDate('0');
    assert.equal((await as(world, EDGE_ENVOY, (port) => port.send(payments(world)))).reason, 'permitted');
    const [status] = [JSON.parse(await world.status('/status')) as { peers: Record<string, unknown> }];
    assert.deepEqual([status.peers.entries, status.peers.fault], [1, null]);
    const changes = world.audit().filter(({ event }) => event === 'check-port-changed');
    assert.deepEqual(
      changes.map(({ file, revision }) => [file, revision]),
      [['peers', status.peers.revision]],
    );
  });

  test('a change holds for the next check of connections that are open, and ends those of peers that are none any more', async () => {
    const edge = await H2Client.open(portOf(world), world.svid(EDGE_ENVOY));
    const other = await H2Client.open(portOf(world), world.svid(PAYMENTS_ENVOY));
    assert.equal(await reasonOver(edge, payments(world)), 'permitted');
    assert.equal(await reasonOver(edge, reports(world)), 'request_host_not_bound');
    put(`peers:\n${REPORTS}`);
    await until('the change', async () =>
      (await reasonOver(edge, payments(world))) === 'request_host_not_bound' ? true : null,
    );
    assert.equal(await reasonOver(edge, reports(world)), 'permitted');
    assert.equal(edge.goaway, false, 'the connection goes on');
    assert.equal(await reasonOver(other, payments(world)), 'identity_proxy_untrusted');
    await until('the end', () => (other.goaway ? true : null));
    const line = world.audit().findLast(({ reason }) => reason === 'identity_proxy_untrusted');
    assert.match(String(line?.detail), /^spiffe:\/\/prod\.example\/ns\/payments\/sa\/envoy is not under listen\.peers/);
    await assert.rejects(H2Client.open(portOf(world), world.svid(PAYMENTS_ENVOY)));
    edge.close();
    other.close();
  });

  for (const [what, text, says] of [
    ['no YAML', 'peers: [', /peers\.yaml:1:/],
    [
      'a star inside a segment',
      "peers: ['spiffe://prod.example/ns/e*']",
      /peers\.yaml:1:\d+: peers\[0\]: holds '\*' inside/,
    ],
    [
      'no hosts',
      `peers:\n${REPORTS.replace('reports.internal', '')}`,
      /peers\.yaml:2:\d+: peers\[0\]\.hosts: is empty, so/,
    ],
    [
      'a strange trust domain',
      'peers: [spiffe://else.example/e]',
      /peers\[0\]: lies in a trust domain that is not under/,
    ],
    [
      'too many bytes',
      `peers: []\n#${' '.repeat(300_000)}`,
      /peers\.yaml: longer than 131072 bytes; correct it, or listen/,
    ],
    ['no text', null, /peers\.yaml: ENOENT/],
  ] as const) {
    test(`replaced by one with ${what}: the last good peers stay, and log, metric and status say why`, async () => {
      const before = world.log.length;
      if (text === null) rmSync(join(world.folder, 'peers.yaml'));
      else put(text);
      const line = await logged('check port file refused, keeping the last good one', before);
      assert.equal(line.level, 'error');
      assert.match(String(line.detail), says);
      assert.equal((await as(world, EDGE_ENVOY, (port) => port.send(reports(world)))).reason, 'permitted');
      await outOfDate('1');
      assert.match(await world.status('/status'), /"fault": "[^"]*peers\.yaml/);
      assert.doesNotMatch(await world.status('/readyz'), /peers/, 'it serves on');
      put(`peers:\n${REPORTS}`);
      await outOfDate('0');
    });
  }

  test('a host that the inventory does not list, and a peer that serves none, are said', async () => {
    const before = world.log.length;
    put(`peers:\n${REPORTS}${rule('/ns/x/sa/envoy', 'report.internal')}  - '${workload('/ns/y/sa/*')}'\n`);
    await logged('configuration problem', before);
    const problems = world.log
      .slice(before)
      .map((line) => JSON.parse(line) as { message: string; problem: string })
      .filter(({ message }) => message === 'configuration problem')
      .map(({ problem }) => problem.replace(/^\S+\//, ''));
    assert.deepEqual(problems, [
      "peers.yaml: peers[1].hosts[0]: the inventory lists no host 'report.internal'; add it there, or correct it",
      'peers.yaml: peers[2]: no host of the inventory is servedBy it, so it may ask about nothing; name it in servedBy of its hosts, or name its hosts here',
    ]);
  });

  test('that of docs/kubernetes.md is read, and its hosts are bound as it says', async () => {
    const { text } = blocks(page('docs/kubernetes.md').text).find(({ info }) => info === 'yaml peers')!;
    const from = world.log.length;
    put(text);
    await logged('check port file loaded', from);
    const gateway = '/ns/edge/sa/gateway';
    const asked = await as(world, gateway, async (port) => [
      (await port.send(payments(world))).reason,
      (await port.send(reports(world))).reason,
    ]);
    assert.deepEqual(asked, ['permitted', 'request_host_not_bound']);
    put(`peers:\n${REPORTS}`);
    await until('the change', async () =>
      (await as(world, EDGE_ENVOY, (port) => port.send(reports(world)).catch(() => null)))?.reason === 'permitted'
        ? true
        : null,
    );
  });

  test('an empty list lets nobody ask, on connections that are open too', async () => {
    const edge = await H2Client.open(portOf(world), world.svid(EDGE_ENVOY));
    assert.equal(await reasonOver(edge, reports(world)), 'permitted');
    put('peers: []\n');
    await until('the refusal', async () =>
      (await reasonOver(edge, reports(world)).catch(() => 'ended')) === 'identity_proxy_untrusted' ? true : null,
    );
    edge.close();
  });
});

const portOf = ({ target }: World): number => Number(target.split(':').at(-1));

/** The answer on this very connection. */
async function reasonOver(client: H2Client, ask: Ask): Promise<string> {
  const { denied_response } = await client.check(encode(ask));
  if (denied_response === null || denied_response === undefined) return 'permitted';
  return (JSON.parse(denied_response.body) as { reason: string }).reason;
}
