import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask } from '../support/client.ts';
import { startCollector } from '../support/collector.ts';
import { traceTo } from '../support/envoy-tracing.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { attribute, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { ending } from '../support/started.ts';
import { until } from '../support/until.ts';

const CLIENT = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };

test('one trace leads from a client through Envoy and the sidecar to a collector, and to the audit line', async () => {
  await using started = new AsyncDisposableStack();
  const dir = started.adopt(temporaryFolder(), removeFolder);
  const receiver = ending(started, await startOtlpReceiver());
  const collector = ending(started, await startCollector(dir, receiver.url));
  const estate = ending(
    started,
    await Estate.start({
      envoy: 'uds',
      config: { tracing: { otlp: { url: collector.url }, ratio: 0 } },
      edit: (tree) => traceTo(tree, collector.port),
    }),
  );
  const svid = estate.svid('/ns/payments/sa/ledger');
  const read = (headers: Record<string, string> = {}) =>
    ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42', headers });
  /** The spans of a trace once both programs have sent theirs, by their names. */
  const spansOf = (trace: string) =>
    until('the spans of Envoy and of the sidecar', () => {
      const spans = new Map(
        receiver.spans().flatMap((span) => (span.traceId === trace ? [[span.name, span] as const] : [])),
      );
      const names = ['ingress', 'async envoy.service.auth.v3.Authorization.Check egress', 'authz.check', 'authz.audit'];
      const [ingress, egress, check] = names.map((name) => spans.get(name));
      return names.every((name) => spans.has(name))
        ? { ingress: ingress!, egress: egress!, check: check!, all: [...spans.values()] }
        : null;
    });

  assert.equal((await read({ traceparent: `00-${CLIENT.trace}-${CLIENT.span}-01` })).status, 200);
  const { ingress, egress, check, all } = await spansOf(CLIENT.trace);
  assert.deepEqual(
    [check.parentSpanId, egress.parentSpanId, ingress.parentSpanId],
    [egress.spanId, ingress.spanId, CLIENT.span],
  );
  const line = estate.sidecar.audit().at(-1)!;
  assert.deepEqual(line.trace, { id: CLIENT.trace, span: check.spanId });
  assert.deepEqual([check.service, check.kind, egress.kind], ['cedar-ext-authz', 2, 3]);
  assert.deepEqual(
    ['authz.decision', 'authz.result', 'authz.reason', 'authz.policies'].map((key) => attribute(check, key)),
    [line.decision, 'allow', 'permitted', 'ledger-keeps-payments'],
  );

  const stages = all.filter(({ service, name }) => service === check.service && name !== check.name);
  assert.deepEqual(
    stages.map(({ name }) => name),
    ['identity', 'task', 'facts', 'policy', 'commit', 'audit'].map((stage) => `authz.${stage}`),
  );
  assert.deepEqual([...new Set(stages.map(({ parentSpanId }) => parentSpanId))], [check.spanId]);
  assertInside(check, egress);
  for (const stage of stages) assertInside(stage, check);

  // Where the client names no trace, Envoy begins one, which a request says nothing of.
  assert.equal((await read()).status, 200);
  const begun = estate.sidecar.audit().at(-1)!;
  assert.equal((begun.request as { traceparent: string | null }).traceparent, null);
  const { id, span } = begun.trace as { id: string; span: string };
  const own = await spansOf(id);
  assert.deepEqual([own.check.spanId, own.check.parentSpanId], [span, own.egress.spanId]);
});

/** One millisecond is what two programs that read one clock may differ by. */
function assertInside(inner: ReceivedSpan, outer: ReceivedSpan): void {
  const SLACK = 1_000_000n;
  const times = ({ startTimeUnixNano, endTimeUnixNano }: ReceivedSpan) =>
    [BigInt(startTimeUnixNano), BigInt(endTimeUnixNano)] as const;
  const [[start, end], [from, to]] = [times(inner), times(outer)];
  assert.ok(start <= end && start >= from - SLACK && end <= to + SLACK, `${inner.name} is not within ${outer.name}`);
}
