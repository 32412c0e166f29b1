import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlSources } from '../../test/support/control-policies.ts';
import { estate, settings, sourcesOf } from '../../test/support/policy.ts';
import { Engine, newInstance } from '../policy/decide/engine.ts';
import { install } from '../policy/load/load.ts';
import { validate } from '../policy/load/validate.ts';
import type { PolicySettings } from '../policy/text/sources.ts';
import { formatProblem } from '../source/problem.ts';
import { noteworthy, noteworthyControl } from './notes.ts';
import { readControlPolicies, readPolicies } from './read-policies.ts';

const cedar = newInstance();
const inventory = estate
  .replace(
    '      - { name: refunds,',
    '      - { name: notes, path: "/api/invoices/{invoice}/notes" }\n      - { name: all, path: /api }\n      - { name: refunds,',
  )
  .replace('resources:\n', '  - { under: "spiffe://prod.example/ns/batch", owner: platform, kind: job }\nresources:\n');

/** The notes on one policy, of requests or of the control API; fails where it would not be served. */
function notes(policy: string, more: Partial<PolicySettings> = {}): string[] {
  const text = `@id("p") ${policy};`;
  const isControl = text.includes('Control::');
  const sources = sourcesOf(
    isControl ? { 'b.cedar': '@id("q") permit (principal, action, resource);' } : { 'a.cedar': text },
    {
      inventory: { file: 'inventory.yaml', text: inventory },
      settings: { ...settings, ...more },
      ...(isControl ? { control: controlSources({ 'a.cedar': text }) } : {}),
    },
  );
  const validated = validate(sources, cedar, 0);
  assert.ok(!Array.isArray(validated), JSON.stringify(validated));
  const engine = new Engine();
  try {
    const loaded = install(engine, sources, validated);
    assert.ok('snapshot' in loaded);
    const known = loaded.snapshot.inventory;
    const found = isControl
      ? noteworthyControl(readControlPolicies(sources, cedar), known, sources.settings)
      : noteworthy(readPolicies(sources, cedar), known, sources.settings);
    return found.map(formatProblem);
  } finally {
    engine.close();
  }
}

const who = 'principal in Mesh::Group::"finance-agents"';
const start = (clause: string): string =>
  `permit (principal in Control::Group::"finance-agents", action == Control::Action::"start", resource) when { ${clause} }`;
const permit = (clause: string): string => `permit (${who}, action, resource) when { ${clause} }`;
const forbid = (clause: string): string => `forbid (principal, action, resource) when { ${clause} }`;

const noted: [what: string, policy: string, at: string, note: RegExp][] = [
  [
    'a permit for an api that holds others',
    `permit (${who}, action, resource in Mesh::Api::"payments.internal/all")`,
    'Mesh::Api',
    /payments\.internal\/all also covers payments\.internal\/invoices, payments\.internal\/notes, payments\.internal\/refunds: an api holds for all below its path/,
  ],
  [
    'the same in a condition, but for what is named beside it',
    permit('resource in Mesh::Api::"payments.internal/all" || resource in Mesh::Api::"payments.internal/refunds"'),
    'Mesh::Api',
    /payments\.internal\/all also covers payments\.internal\/invoices, payments\.internal\/notes: an api/,
  ],
  [
    'a path that no api is at',
    forbid('resource in Mesh::Path::"payments.internal/api2/invoices"'),
    'Mesh::Path',
    /no api of payments\.internal is at '\/api2\/invoices', above it or below it/,
  ],
  [
    'an endpoint that no api holds for',
    forbid('resource == Mesh::Endpoint::"payments.internal/ap"'),
    'Mesh::Endpoint',
    /no api of payments\.internal is at '\/ap'/,
  ],
  [
    'a workload that only a prefix holds for',
    forbid('principal == Mesh::Workload::"spiffe://prod.example/ns/batch/sa/mont-end"'),
    'Mesh::Workload',
    /mont-end has no entry of its own: that of all below spiffe:\/\/prod\.example\/ns\/batch holds/,
  ],
  [
    'a purpose that nobody listed, in what callers declare',
    forbid('!(context has declared && context.declared.purpose != "finanse")'),
    '"finanse"',
    /no purpose is called 'finanse'/,
  ],
  [
    'an issuer that is not configured',
    permit('context has task && ["https://tts.prod.exmaple"].contains(context.task.issuer)'),
    '"https://tts.prod.exmaple"',
    /no issuer of tasks is called 'https:\/\/tts\.prod\.exmaple'/,
  ],
  ['a permit of everything', 'permit (principal, action, resource)', '@id', /p permits everything to every workload/],
  [
    'the same with a condition that is empty of meaning',
    'permit (principal, action, resource) when { true }',
    '@id',
    /p permits everything/,
  ],
  [
    'a permit to everybody',
    'permit (principal, action, resource in Mesh::Host::"docs.internal")',
    '@id',
    /p permits this to every workload of the inventory, foreign ones included/,
  ],
  [
    'a night that begins after it ends',
    permit('context.now.toTime() >= duration("22h") && context.now.toTime() < duration("6h")'),
    'now',
    /nothing is both >= 22h and < 6h; where the range wraps around, as a night does, join them by \|\|/,
  ],
  [
    'a range of numbers that holds nothing, written the other way round',
    forbid('principal.relay && 2 < resource.sensitivity && resource.sensitivity <= 2'),
    'sensitivity',
    /nothing is both > 2 and <= 2/,
  ],
  [
    'a range of days that holds nothing',
    permit('context.now >= datetime("2027-01-01") && context.now < datetime("2026-01-01")'),
    'now',
    /nothing is both >= 2027-01-01 and < 2026-01-01/,
  ],
  [
    'a permit that rests on a header',
    permit('context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") == "low"'),
    'headers',
    /p rests on headers: any caller may write what it asks for/,
  ],
  [
    'a permit that rests on a number',
    permit('context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") < 5'),
    'numbers',
    /p rests on headers/,
  ],
  [
    'a permit that rests on a declared task',
    permit('context has declared && context.declared.purpose == "finance"'),
    'declared',
    /p rests on a declared task/,
  ],
  [
    'a permit that rests on the query',
    permit('context has query && context.query like "a*"'),
    'query',
    /p rests on the query/,
  ],
  [
    'a permit that a request without a task gets',
    permit('!(context has task)'),
    '@id',
    /p permits more to a request without context\.task, which any caller can leave out/,
  ],
  [
    'a signal, which depends on a setting',
    forbid('context.signals.contains("burst")'),
    'signals',
    /context\.signals is supplied with behaviour\.mode: act; without, it is always empty/,
  ],
  [
    'a risk, which depends on a setting',
    'forbid (principal, action, resource) unless { context has risk && context.risk < 5 }',
    'risk',
    /context\.risk is supplied with behaviour\.mode: act; without, it is always absent/,
  ],
  [
    'an API key, which nothing verifies',
    forbid('context.credential == Mesh::Credential::"api-key"'),
    'Mesh::Credential',
    /no account of the inventory has an API key/,
  ],
  [
    'a task of an issuer that nobody configured',
    start('context.issuer == "https://other.example"'),
    '"https://other.example"',
    /no issuer of tasks is called 'https:\/\/other\.example'/,
  ],
  [
    'what every workload may at the control API',
    'permit (principal is Control::Workload, action == Control::Action::"start", resource)',
    '@id',
    /p permits this to every workload of the inventory/,
  ],
];

suite('policy check notes', () => {
  for (const [what, text, at, note] of noted) {
    test(what, () => {
      const [first = '', ...more] = notes(text, { taskIssuers: ['https://tts.prod.example'] });
      assert.deepEqual(more, []);
      assert.match(first, note);
      const column = at === '@id' ? 1 : `@id("p") ${text}`.indexOf(at) + 1;
      assert.ok(first.startsWith(`a.cedar:1:${column}: `), first);
    });
  }

  const plain: [what: string, policy: string][] = [
    ['an api that holds no other', `permit (${who}, action, resource in Mesh::Api::"payments.internal/refunds")`],
    [
      'a forbid of an api that holds others',
      'forbid (principal, action, resource in Mesh::Api::"payments.internal/all")',
    ],
    ['a path at an api', forbid('resource in Mesh::Path::"payments.internal/api/invoices/7"')],
    ['a path above an api', forbid('resource in Mesh::Path::"payments.internal/api"')],
    ['a path on a host without apis', forbid('resource in Mesh::Path::"docs.internal/guide"')],
    ['a workload with an entry of its own', forbid('principal == Mesh::Workload::"spiffe://partner.example/ns/shop"')],
    ['a task of an issuer that is configured', start('context.issuer == "https://tts.prod.example"')],
    [
      'what every workload may about tasks of its own',
      'permit (principal is Control::Workload, action, resource is Control::Task) when { resource has startedBy && resource.startedBy == principal }',
    ],
    ['an issuer that is configured', permit('context has task && context.task.issuer == "https://tts.prod.example"')],
    [
      'a night whose two ends are joined by ||',
      permit('context.now.toTime() >= duration("22h") || context.now.toTime() < duration("6h")'),
    ],
    [
      'a range that holds something',
      permit('context.now.toTime() >= duration("8h30m") && context.now.toTime() < duration("18h")'),
    ],
    ['bounds of two things', permit('resource.sensitivity > 2 && context.chain.depth < 1')],
    ['a permit within a task', permit('context has task && context.task.purpose in Mesh::Purpose::"finance"')],
    [
      'a permit that says who by its context',
      'permit (principal, action, resource) when { context.credential == Mesh::Credential::"oidc" }',
    ],
    [
      'a forbid that rests on a header',
      'forbid (principal, action, resource) unless { context.headers.hasTag("x-data-class") }',
    ],
  ];
  for (const [what, text] of plain) {
    test(`nothing on ${what}`, () => assert.deepEqual(notes(text, { taskIssuers: ['https://tts.prod.example'] }), []));
  }

  test('no issuer is noted where it is not known which there are', () => {
    const text = permit('context has task && context.task.issuer == "https://other.example"');
    assert.deepEqual(notes(text), []);
    assert.deepEqual(notes(text, { taskIssuers: null }), []);
  });
});
