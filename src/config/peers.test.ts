import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../source/problem.ts';
import { isProblems, loadPeers, type PeerDomains } from './peers.ts';

const domains: PeerDomains = { names: new Set(['prod.example']), message: 'lies elsewhere' };
const GOOD = `peers:
  - spiffe://prod.example/ns/payments/sa/envoy
  - id: spiffe://prod.example/ns/*/sa/gateway
    hosts: [payments.internal, "reports.internal:8443"]
`;

function good(text: string): unknown {
  const loaded = loadPeers(text, 'peers.yaml', domains);
  if (isProblems(loaded)) assert.fail(loaded.map(formatProblem).join('\n'));
  return loaded.map(({ pattern, hosts }) => [pattern.text, hosts]);
}

test('a file of peers has SPIFFE IDs, with or without hosts', () => {
  assert.deepEqual(good(GOOD), [
    ['spiffe://prod.example/ns/payments/sa/envoy', null],
    ['spiffe://prod.example/ns/*/sa/gateway', ['payments.internal', 'reports.internal:8443']],
  ]);
});

test('an empty list lets nobody ask, and is no fault', () => {
  assert.deepEqual(good('peers: []'), []);
});

const id = (text: string): string => `peers:\n  - id: "${text}"\n`;
for (const [what, text, says] of [
  ['no YAML', 'peers: [', /^peers\.yaml:1:\d+: /],
  ['nothing', '', /^peers\.yaml:1:1: the file is empty; write peers: \[\] to let nobody ask$/],
  [
    'a list alone',
    '- spiffe://prod.example/e\n',
    /^peers\.yaml:1:1: is not a mapping; write keys and values below it$/,
  ],
  ['another key', `${GOOD}more: 1\n`, /^peers\.yaml:5:1: more: is not a key here; the keys are peers$/],
  ['a key twice', `${GOOD}${GOOD}`, /^peers\.yaml:5:1: Map keys must be unique/],
  [
    'a star inside a segment',
    id('spiffe://prod.example/ns/pay*/sa/e'),
    /^peers\.yaml:2:5: peers\[0\]\.id: holds '\*' inside a segment; /,
  ],
  ['a double star', id('spiffe://prod.example/**'), /^peers\.yaml:2:5: peers\[0\]\.id: holds '\*\*'; write one/],
  [
    'a star for a trust domain',
    id('spiffe://*/e'),
    /^peers\.yaml:2:5: peers\[0\]\.id: holds '\*' in its trust domain; write/,
  ],
  ['no SPIFFE ID', 'peers: [envoy]', /^peers\.yaml:1:9: peers\[0\]: is not a SPIFFE ID/],
  [
    'no hosts',
    `${id('spiffe://prod.example/e')}    hosts: []\n`,
    /^peers\.yaml:3:5: peers\[0\]\.hosts: is empty, so this peer could ask about nothing; name hosts, or leave the key out$/,
  ],
  [
    'a host with a scheme',
    `${id('spiffe://prod.example/e')}    hosts: ["https://a.example"]\n`,
    /^peers\.yaml:3:13: peers\[0\]\.hosts\[0\]: is not a host; /,
  ],
  ['another trust domain', 'peers: [spiffe://else.example/e]', /^peers\.yaml:1:9: peers\[0\]: lies elsewhere$/],
  [
    'a peer twice',
    'peers: [spiffe://prod.example/e, spiffe://prod.example/e]',
    /^peers\.yaml:1:34: peers\[1\]: stands twice/,
  ],
  [
    'more peers than there may be',
    `peers: [${Array.from({ length: 1025 }, (_, n) => `spiffe://prod.example/${n}`).join(', ')}]`,
    /holds more than 1024 items/,
  ],
] as const) {
  test(`a file of peers with ${what} is refused, with its place and what to write`, () => {
    good(GOOD);
    const loaded = loadPeers(text, 'peers.yaml', domains);
    assert.ok(isProblems(loaded));
    assert.equal(loaded.length, 1, loaded.map(formatProblem).join('\n'));
    assert.match(formatProblem(loaded[0]!), says);
  });
}
