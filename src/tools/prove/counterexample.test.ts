import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCounterexample } from './counterexample.ts';

const printed = String.raw`principal: Mesh::Workload::"", action: Mesh::Action::"PUT", resource: Mesh::Endpoint::"a\"b"
context: {approvals: ["\u{1f}", "A"], chain: {depth: -3, external: true}, "odd name": Mesh::Kind::"job", now: datetime("1970-01-01").offset(duration("7ms"))}
entities: [
  Mesh::Workload::"" in [Mesh::Team::"A", Mesh::TrustDomain::""] {
    external: true,
    owner: Mesh::Team::"A",
  } tags {
    pci: "yes",
  },
  Mesh::Kind::"job",
]
`;

test('a counterexample is read as the call that it is', () => {
  assert.deepEqual(readCounterexample(printed), {
    principal: { type: 'Mesh::Workload', id: '' },
    action: { type: 'Mesh::Action', id: 'PUT' },
    resource: { type: 'Mesh::Endpoint', id: 'a"b' },
    context: {
      approvals: ['\x1f', 'A'],
      chain: { depth: -3, external: true },
      'odd name': { __entity: { type: 'Mesh::Kind', id: 'job' } },
      now: {
        __extn: {
          fn: 'offset',
          args: [{ __extn: { fn: 'datetime', arg: '1970-01-01' } }, { __extn: { fn: 'duration', arg: '7ms' } }],
        },
      },
    },
    entities: [
      {
        uid: { type: 'Mesh::Workload', id: '' },
        parents: [
          { type: 'Mesh::Team', id: 'A' },
          { type: 'Mesh::TrustDomain', id: '' },
        ],
        attrs: { external: true, owner: { __entity: { type: 'Mesh::Team', id: 'A' } } },
        tags: { pci: 'yes' },
      },
      { uid: { type: 'Mesh::Kind', id: 'job' }, parents: [], attrs: {} },
    ],
  });
});

test('what is not read to its end is no counterexample', () => {
  const spoilt = [
    '',
    printed.replace('principal', 'unknown'),
    printed.replace(', action', ' action'),
    printed.replace('-3', '9007199254740993'),
    printed.replace('["\\u{1f}"', '["\\q"'),
    printed.replace('external: true,', 'external: <unknown>,'),
    printed.slice(0, -3),
    `${printed}more`,
  ];
  for (const text of spoilt) assert.equal(readCounterexample(text), null, text);
});
