import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Arrivals, filesOf, newSecret, webhookServer } from '../../../test/support/notice-world.ts';
import { TestClock } from '../../../test/support/test-clock.ts';
import { until } from '../../../test/support/until.ts';
import { isConfig, loadConfig } from '../../config/load.ts';
import { createLog } from '../../observe/log.ts';
import { Metrics } from '../../observe/metrics.ts';
import type { HolderEvents } from '../../policy/load/holder.ts';
import { MemoryState } from '../../state/memory.ts';
import { startNotices } from './notices.ts';

const NAMES = { trustDomains: [], issuers: [], caches: [], sinks: [], unsafe: [] };
const DAY_END = Date.UTC(2027, 3, 1);

/** The notices of a configuration with one disabled guardrail, an hour before it binds again. */
async function started(t: TestContext, notices: readonly object[]) {
  const document = {
    identity: { trustDomains: { 'prod.example': { local: true, bundle: { file: './prod.pem' } } } },
    policy: { guardrails: { disable: [{ id: 'no-deletes', because: 'a migration', until: '2027-03-31' }] } },
    control: { notices },
  };
  const config = loadConfig(JSON.stringify(document), '/etc/authz/config.yaml', {});
  assert.ok(isConfig(config), JSON.stringify(config));
  const clock = new TestClock(DAY_END - 3_600_000);
  const lines = new Arrivals<Record<string, unknown>>();
  const metrics = new Metrics(NAMES, { process: false });
  const policy = { events: new EventEmitter<HolderEvents>() };
  const order = { approvals: ['refund-over-500'], caller: 'spiffe://prod.example/agent', host: 'h', sensitivity: null };
  const times = { askedAtMs: clock.now(), askUntilMs: clock.now() + 1_800_000 };
  const request = { id: 'r1', order, ...times, grant: null, glass: null, closing: null };
  const approvals = { all: () => [request], glass: { all: () => [] } };
  const part = await startNotices(config, {
    log: createLog({ level: 'debug', write: (line) => lines.push(JSON.parse(line)), now: clock.now.bind(clock) }),
    state: new MemoryState({ maxEntries: 100, startedAtMs: clock.now() }),
    ...{ metrics, approvals, policy, clock },
  });
  t.after(() => part.stop());
  const counted = async () => (await metrics.scrape()).body.match(/^authz_control_notices_total\{.* [^0]\d*$/gm);
  return { part, clock, lines, loaded: () => policy.events.emit('loaded', null as never), counted };
}

test('receivers are told of approvals, and of a guardrail once it binds again', async (t) => {
  const file = filesOf(t);
  const server = await webhookServer(t);
  const secretFiles = [file('secret', newSecret())];
  const receiver = { name: 'oncall', url: server.url.href, secretFiles, ca: file('ca.pem', server.ca) };
  const { part, clock, loaded, counted } = await started(t, [receiver]);
  clock.advance(0);
  const said = async () => JSON.parse((await server.posted.next()).body) as { type: string; data: { id: string } };
  assert.deepEqual(await said().then(({ type, data }) => [type, data.id]), ['approval.requested', 'r1']);
  loaded();
  clock.jump(3_600_000);
  loaded();
  loaded();
  const { type, data, ...rest } = await said();
  assert.deepEqual(
    [type, data, rest],
    ['guardrail.expired', { id: 'no-deletes' }, { timestamp: '2027-04-01T00:00:00.000Z' }],
  );
  await until('the answers', () => (part.gauges().authz_control_notices_waiting === 0 ? true : null));
  assert.equal(server.posted.all.length, 2);
  assert.deepEqual(await counted(), ['authz_control_notices_total{receiver="oncall",result="delivered"} 2']);
  const { host } = server.url;
  assert.deepEqual(part.status(), { notices: [{ name: 'oncall', host, waiting: 0, disabled: null }] });
});

test('what is not delivered is in log and metrics', async (t) => {
  const file = filesOf(t);
  const server = await webhookServer(t, () => 410);
  const ca = file('ca.pem', server.ca);
  const slack = { name: 'slack', format: 'slack', url: server.url.href, ca };
  const { clock, lines, counted } = await started(t, [slack]);
  clock.advance(0);
  const [disabled, lost] = [await lines.next(), await lines.next()];
  assert.deepEqual(
    [disabled.message, disabled.receiver, disabled.detail],
    ['notice receiver disabled', 'slack', 'it answered 410'],
  );
  assert.deepEqual([lost.message, lost.type, lost.attempt], ['notice lost', 'approval.requested', 1]);
  assert.deepEqual(await counted(), ['authz_control_notices_total{receiver="slack",result="given-up"} 1']);
});

test('without receivers nothing is looked at', async (t) => {
  const { part, clock } = await started(t, []);
  assert.deepEqual([clock.nextIn, part.status(), part.gauges()], [null, {}, {}]);
});

test('a file that cannot be used is told at the start', async (t) => {
  const file = filesOf(t);
  const [good, bad] = [file('good', newSecret()), file('bad', 'whsec_short')];
  const receiver = { name: 'oncall', url: 'https://hooks.example/', secretFiles: [good] };
  const fault = async (change: object) => {
    const { lines } = await started(t, [{ ...receiver, ...change }]);
    return lines.all.map(({ message, detail }) => `${message}: ${detail}`).join('\n');
  };
  assert.equal(await fault({}), '');
  assert.match(await fault({ secretFiles: [good, bad] }), /^notice receiver cannot be told: .*bad has no secret/);
  assert.match(await fault({ ca: bad }), /^notice receiver cannot be told: .*bad holds no PEM certificate$/);
});
