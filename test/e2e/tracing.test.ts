import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { assertAuditLines } from '../support/audit-line-check.ts';
import { ask } from '../support/client.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { attribute, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { ending } from '../support/started.ts';
import { startTracingWorld } from '../support/tracing-world.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { askerOf, bearer, ledgerReads } from '../support/world-asks.ts';
import { HeldOutput } from '../support/world-sink.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const of = (sampled: boolean) => `00-${TRACE}-${SPAN}-0${sampled ? 1 : 0}`;

test('behind an Envoy that makes no spans, the span of the request is the parent', async () => {
  await using started = new AsyncDisposableStack();
  const receiver = ending(started, await startOtlpReceiver());
  const config = { tracing: { otlp: { url: `${receiver.url}/v1/traces` }, ratio: 0 } };
  const estate = ending(started, await Estate.start({ envoy: 'uds', config }));
  const svid = estate.svid('/ns/payments/sa/ledger');
  const read = (headers: Record<string, string>) =>
    ask({ port: estate.envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42', headers });
  assert.equal((await read({ traceparent: of(true) })).status, 200);
  const [check, ...stages] = await until('the spans', () => {
    const spans = receiver.spans();
    return spans.length > 0 ? spans : null;
  });
  assert.deepEqual([check?.traceId, check?.parentSpanId, stages.length > 4], [TRACE, SPAN, true]);
  assert.deepEqual(estate.sidecar.audit().at(-1)!.trace, { id: TRACE, span: check?.spanId });
});

describe('in this process', () => {
  test('a denial is a trace with its reason, and no error; an allow has the policies that permit it', async () => {
    const { world, read, spansOf, stop } = await startTracingWorld();
    try {
      const denied = await world.send(ledgerReads({ path: '/api/nowhere', method: 'DELETE' })(world));
      const [check] = await spansOf(denied.decision);
      assert.equal(attribute(check, 'authz.result'), 'deny');
      assert.deepEqual([attribute(check, 'authz.reason'), check.status], [denied.reason, undefined]);
      const [allowed, ...stages] = await spansOf((await read()).decision);
      assert.equal(allowed.parentSpanId, undefined, 'a trace that begins here');
      assert.ok(stages.some(({ name }) => name === 'authz.policy'));
      assert.match(attribute(allowed, 'authz.policies') ?? '', /./);
    } finally {
      await stop();
    }
  });

  test('what is refused by a fault of ours is an error', async () => {
    const output = new HeldOutput();
    const { world, spansOf, stop } = await startTracingWorld({
      stdout: output,
      edit: ({ limits, audit }) => {
        Object.assign(limits, { deadline: '1s' });
        Object.assign(audit, { sinks: [{ stdout: {} }, { file: { path: './audit.jsonl' } }] });
      },
    });
    try {
      output.hold();
      const { reason, decision } = await world.send(ledgerReads()(world));
      const [check] = await spansOf(decision);
      assert.deepEqual([reason, check.status?.code], ['audit_unavailable', 2]);
    } finally {
      output.release();
      await stop();
    }
  });

  test('no span holds what a caller wrote, be it a credential, a header, a path or a query', async () => {
    const { world, collector, spansOf, stop } = await startTracingWorld();
    try {
      const secret = 'do-not-export-me';
      const headers = {
        ...bearer(`ey.${secret}.x`),
        'x-task-id': secret,
        tracestate: `vendor=${secret}`,
        traceparent: of(true),
        'user-agent': secret,
      };
      const sent = await world.send(ledgerReads({ path: `/api/invoices/${secret}?q=${secret}`, headers })(world));
      await spansOf(sent.decision);
      assert.ok(collector.posted.length > 0);
      for (const { body, headers: told } of collector.posted)
        assert.ok(!`${body}${JSON.stringify(told)}`.includes(secret));
    } finally {
      await stop();
    }
  });

  test('a parent that is not sampled makes no span, and the line has its trace; one that is malformed makes neither', async () => {
    const { read, world, spansOf, collector, stop } = await startTracingWorld({ tracing: { ratio: 0 } });
    try {
      assert.deepEqual((await read({ traceparent: of(false) })).audit.trace, { id: TRACE, span: null });
      for (const traceparent of [
        `00-${'0'.repeat(32)}-${SPAN}-01`,
        `00-${TRACE}-${'0'.repeat(16)}-01`,
        'x'.repeat(8192),
        '00-Z',
      ]) {
        const { reason, audit } = await read({ traceparent, tracestate: `a=${'b'.repeat(8190)}` });
        assert.deepEqual([reason, audit.trace], ['permitted', undefined]);
      }
      assertAuditLines(world.audit());
      const sampled = await read({ traceparent: of(true), tracestate: `a=${'b'.repeat(8190)}` });
      const spans = await spansOf(sampled.decision);
      assert.deepEqual(sampled.audit.trace, { id: TRACE, span: spans[0].spanId });
      assert.equal(collector.spans().length, spans.length);
    } finally {
      await stop();
    }
  });

  test('whoever takes the trace of another adds spans to it, and changes neither its spans nor a decision', async () => {
    const { read, world, spansOf, stop } = await startTracingWorld();
    try {
      const first = await read({ traceparent: of(true) });
      const thief = await world.send(
        ledgerReads({ method: 'DELETE', headers: { traceparent: of(true) } })(askerOf(world.keys)),
      );
      const [one, other] = [await spansOf(first.decision), await spansOf(thief.decision)];
      assert.notEqual(one[0].spanId, other[0].spanId);
      assert.deepEqual(
        [attribute(one[0], 'authz.result'), attribute(other[0], 'authz.result')],
        ['allow', thief.audit.result],
      );
      assert.notEqual(first.decision, thief.decision);
    } finally {
      await stop();
    }
  });

  test('no check waits for a collector, or is refused for it, and spans that find no room are counted', async () => {
    const hanging: ServerResponse[] = [];
    let answer: (response: ServerResponse) => void = (response) => void hanging.push(response);
    const options = { answer: (response: ServerResponse) => answer(response), tracing: { queue: 16 } };
    const { world, collector, read, spansOf, metric, stop } = await startTracingWorld(options);
    try {
      await read();
      await until('a request that hangs', () => hanging[0]);
      for (let at = 0; at < 40; at++) assert.equal((await read()).reason, 'permitted');
      assert.equal(await metric('authz_tracing_waiting'), 16);
      const dropped = await metric('authz_tracing_spans_total{result="dropped"}');
      assert.ok(dropped !== null && dropped >= 24 * 5, `${dropped} spans were dropped`);
      assert.equal((await read()).reason, 'permitted');

      // What hung is taken at last, and what waits comes behind it.
      const waiting = collector.spans().length;
      answer = (response) => response.writeHead(200).end('{}');
      for (const response of hanging) answer(response);
      await until('room', async () => ((await metric('authz_tracing_waiting')) === 0 ? true : null));
      await spansOf((await read()).decision);
      assert.ok(collector.spans().length > waiting);

      answer = (response) => response.writeHead(500).end('x'.repeat(10_000_000));
      await read();
      await until('a failure', async () =>
        (await metric('authz_tracing_spans_total{result="failed"}'))! > 0 ? 1 : null,
      );
      const said = world.log.map((line) => JSON.parse(line)).filter(({ message }) => message === 'spans not delivered');
      assert.equal(said.at(-1).detail, 'it answered 500');
      assert.match(await world.status('/status'), /"fault": "it answered 500"/);
      assert.equal((await read()).reason, 'permitted');
    } finally {
      await stop();
    }
  });

  test('a sidecar whose collector is not there starts, is ready, and answers', async () => {
    const otlp = { url: 'http://127.0.0.1:9/v1/traces' };
    const { world, read, stop } = await startTracingWorld({ otlp });
    try {
      assert.equal(JSON.parse(await world.status('/readyz')).ready, true);
      assert.equal((await read()).reason, 'permitted');
      const said = await until('the line of the log', () =>
        world.log.find((line) => line.includes('spans not delivered')),
      );
      assert.match(said, /nothing listens there/);
    } finally {
      await stop();
    }
  });

  test('with tracing off no span is made and nothing is measured; the line has the trace all the same', async () => {
    const world = await World.start();
    try {
      const { audit } = await world.send(ledgerReads({ headers: { traceparent: of(true) } })(world));
      assert.deepEqual(audit.trace, { id: TRACE, span: null });
      assert.doesNotMatch(await world.status('/metrics'), /^authz_tracing/m);
    } finally {
      await world.stop();
    }
  });
});
