import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, page } from '../../test/docs/markdown.ts';
import { formatProblem } from '../source/problem.ts';
import { isConfig, loadConfig } from './load.ts';

const BASE = 'identity: { trustDomains: { a.example: { local: true, bundle: { file: b.pem } } } }\n';
const load = (tracing: string, env = {}) => loadConfig(`${BASE}tracing: ${tracing}\n`, '/c/config.yaml', env);
test('the configuration of docs/tracing.md is read', () => {
  const { text } = blocks(page('docs/tracing.md').text).find(({ info }) => info === 'yaml tracing')!;
  const config = loadConfig(`${BASE}${text}`, '/c/config.yaml', {});
  assert.ok(isConfig(config));
  assert.deepEqual([config.tracing?.otlp.ca, config.tracing?.ratio], ['/c/collector-ca.pem', 0.01]);
});

const URL_OF = 'https://otel.example:4318/v1/traces';

test('tracing is off unless it names a collector', () => {
  const off = loadConfig(BASE, '/c/config.yaml', {});
  assert.ok(isConfig(off));
  assert.equal(off.tracing, null);
  const on = load(`{ otlp: { url: "${URL_OF}", headersFile: h, tls: { certificate: c, key: k } }, ratio: "0.5" }`);
  assert.ok(isConfig(on));
  assert.deepEqual(
    { ...on.tracing, otlp: { ...on.tracing?.otlp, url: on.tracing?.otlp.url.href } },
    {
      otlp: {
        url: URL_OF,
        headersFile: '/c/h',
        ca: null,
        client: { certificate: '/c/c', key: '/c/k' },
        unsafePlaintext: false,
      },
      ratio: 0.5,
      queue: 2048,
    },
  );
});

for (const [what, text, message] of [
  ['no collector', '{ ratio: 1 }', /tracing\.otlp/],
  [
    'a URL without a path',
    '{ otlp: { url: "https://otel.example:4318" } }',
    /has no path; write https:\/\/HOST:4318\/v1\/traces/,
  ],
  ['a URL with a password', '{ otlp: { url: "https://u:geheim@otel.example/v1/traces" } }', /is no URL without user/],
  ['gRPC', '{ otlp: { url: "grpc://otel.example:4317/x" } }', /is no URL without user/],
  ['http to another host', '{ otlp: { url: "http://otel.example:4318/v1/traces" } }', /off the loopback address/],
  [
    'unsafePlaintext for nothing',
    `{ otlp: { url: "${URL_OF}", unsafePlaintext: true } }`,
    /unsafePlaintext.*is not needed; drop it/,
  ],
  ['a certificate without key', `{ otlp: { url: "${URL_OF}", tls: { certificate: c } } }`, /key.*is missing/],
  ['a ratio above 1', `{ otlp: { url: "${URL_OF}" }, ratio: 1.5 }`, /ratio.*must be a number between 0 and 1/],
  ['a ratio that is no number', `{ otlp: { url: "${URL_OF}" }, ratio: "10%" }`, /must be a number between 0 and 1/],
  ['an unknown key', `{ otlp: { url: "${URL_OF}" }, sampler: x }`, /sampler.*the keys are otlp, ratio, queue/],
] as const)
  test(`tracing is refused: ${what}`, () => {
    const problems = load(text);
    assert.ok(!isConfig(problems));
    const said = problems.map(formatProblem).join('\n');
    assert.match(said, message);
    assert.doesNotMatch(said, /geheim/);
  });
