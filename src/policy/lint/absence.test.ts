import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { validate } from '../load/validate.ts';
import { OPTIONAL } from './presence.ts';

const cedar = newInstance();

function report(clauses: string, effect = 'forbid', annotations = ''): string[] {
  const text = `@id("f") ${annotations}${effect} (principal, action, resource) ${clauses};`;
  const verdict = validate(sourcesOf({ 'a.cedar': text }), cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

/** Forbids that a request passes by leaving `fact` out, and the form that stops it, where the message writes one. */
const open: [clauses: string, fact: string, safe: string | null][] = [
  [
    'when { context has task && context.task.assurance < 3 }',
    'task',
    'unless { context has task && context.task.assurance >= 3 }',
  ],
  [
    'when { resource.sensitivity > 1 && context has task && context.task.assurance < 3 && principal.relay }',
    'task',
    'when { resource.sensitivity > 1 && principal.relay } unless { context has task && context.task.assurance >= 3 }',
  ],
  [
    'when { resource.sensitivity > 1 } when { (context has task && !context.task.scopes.contains("invoices")) }',
    'task',
    'unless { context has task && context.task.scopes.contains("invoices") }',
  ],
  [
    'when { context has task && context.task.purpose in Mesh::Purpose::"finance" && context.task.assurance < 2 }',
    'task',
    'unless { context has task && !(context.task.purpose in Mesh::Purpose::"finance" && context.task.assurance < 2) }',
  ],
  [
    'when { context has declared && context.declared.purpose == "finance" }',
    'declared',
    'unless { context has declared && context.declared.purpose != "finance" }',
  ],
  [
    'when { context has query && context.query like "*leak*" }',
    'query',
    'unless { context has query && !(context.query like "*leak*") }',
  ],
  [
    'when { context has client && !context.client.isInRange(ip("10.0.0.0/8")) }',
    'client',
    'unless { context has client && context.client.isInRange(ip("10.0.0.0/8")) }',
  ],
  [
    'when { context has inNetworks && !context.inNetworks }',
    'inNetworks',
    'unless { context has inNetworks && context.inNetworks }',
  ],
  [
    'when { context has credentialAge && context.credentialAge > 60 }',
    'credentialAge',
    'unless { context has credentialAge && context.credentialAge <= 60 }',
  ],
  ['when { context has risk && context.risk > 50 }', 'risk', 'unless { context has risk && context.risk <= 50 }'],
  [
    'when { context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") == "secret" }',
    'headers.x-data-class',
    'unless { context.headers.hasTag("x-data-class") && context.headers.getTag("x-data-class") != "secret" }',
  ],
  [
    'when { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") > 100 }',
    'numbers.x-amount',
    'unless { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") <= 100 }',
  ],
  ['unless { !(context has task) }', 'task', null],
  ['unless { !(context has task) || context has task && context.task.assurance >= 3 }', 'task', null],
  ['when { (context has task && context.task.assurance < 3) || principal.relay }', 'task', null],
  ['when { if context has task then context.task.assurance < 3 else false }', 'task', null],
  ['when { (context has task) == true && principal.relay }', 'task', null],
  ['when { !(if context has risk then context.risk < 50 else true) }', 'risk', null],
  ['when { context.headers.hasTag("x-data-class") }', 'headers.x-data-class', null],
  ['when { context.headers.hasTag(resource.host) }', 'headers', null],
  ['when { { a: context }.a has risk }', 'risk', null],
];

const closed = [
  'when { resource.sensitivity > 1 } unless { context has task && context.task.assurance >= 3 }',
  'when { !(context has task) }',
  'when { !(context has task) || (context has task && context.task.assurance < 3) }',
  'when { !(context has task && context.task.assurance >= 3) }',
  'when { if context has task then context.task.assurance < 3 else true }',
  'when { (context has task) == false }',
  'unless { context has task && context.task has subject && context.task.subject == "a" }',
  'unless { context has task.subject && context.task.subject == "a" }',
  'unless { context has task && context.task.assurance >= 2 || context has risk && context.risk < 5 }',
  'when { principal.relay && !context.headers.hasTag("x-data-class") }',
  'unless { context.numbers.hasTag("x-amount") && context.numbers.getTag("x-amount") < 100 }',
  'unless { context has client && context.client.isInRange(ip("10.0.0.0/8")) }',
  'when { context.signals.contains("burst") }',
  'when { principal.hasTag("pci") && resource.hasTag("param.invoice") && resource has owner }',
  '',
];

suite('a forbid that a request passes by leaving something out', () => {
  for (const [clauses, fact, safe] of open) {
    test(`is refused: ${clauses}`, () => {
      const problems = report(clauses);
      assert.equal(problems.length, 1, problems.join('\n'));
      const [problem = ''] = problems;
      assert.match(problem, /^a\.cedar:1:\d+: a request without (context\.|the header )/);
      assert.ok(problem.endsWith(`or say that it is meant: @allows_missing("${fact}")`), problem);
      if (safe !== null) assert.ok(problem.includes(`write ${safe} in place of this clause`), problem);
    });

    test(`passes where it is meant: ${clauses}`, () => {
      assert.deepEqual(report(clauses, 'forbid', `@allows_missing("${fact}") `), []);
    });
  }

  test('is refused in shadow too, and each fact is listed', () => {
    const clauses = 'when { context has task && context has risk && context.risk > 50 && context.task.assurance < 2 }';
    const problems = report(clauses, 'forbid', '@mode("shadow") ');
    assert.equal(problems.length, 2);
    assert.match(report(clauses, 'forbid', '@allows_missing("risk") ').join(), /@allows_missing\("task"\)$/);
    assert.deepEqual(report(clauses, 'forbid', '@allows_missing("risk, task") '), []);
  });

  test('is shown at the part that asks for the fact', () => {
    const clauses = 'when { principal.relay && context has task && context.task.assurance < 3 }';
    const text = `@id("f") forbid (principal, action, resource) ${clauses};`;
    assert.match(report(clauses).join(), new RegExp(`^a\\.cedar:1:${text.indexOf('context has') + 1}: `));
  });

  test('is refused among as many comparisons as a policy may have', () => {
    const many = Array.from({ length: 30 }, (_, i) => `(resource.path == "/a${i}" || context has task)`).join(' && ');
    assert.match(report(`when { ${many} }`).join(), /@allows_missing\("task"\)$/);
  });
});

suite('a forbid that holds without the fact', () => {
  for (const clauses of closed) {
    test(`passes: ${clauses}`, () => assert.deepEqual(report(clauses), []));
  }

  for (const [clauses, , safe] of open) {
    if (safe === null) continue;
    test(`the form that the message writes passes: ${safe}`, () => {
      const rest = /^(when \{ resource\.sensitivity > 1 \} )when/.exec(clauses)?.[1] ?? '';
      assert.deepEqual(report(rest + safe), []);
    });
  }
});

suite('@allows_missing', () => {
  test('names only what the forbid lets pass', () => {
    const clauses = 'when { context has task && context.task.assurance < 3 }';
    assert.match(
      report(clauses, 'forbid', '@allows_missing("task, risk") ').join(),
      /:1:10: no request passes this forbid for want of 'risk'; name what it lets pass \(task\)/,
    );
    assert.match(report('', 'forbid', '@allows_missing("task") ').join(), /leave @allows_missing out$/);
  });

  test('stands on a forbid, and needs a value', () => {
    assert.match(report('', 'permit', '@allows_missing("task") ').join(), /on a permit says nothing/);
    assert.match(report('', 'forbid', '@allows_missing ').join(), /@allows_missing needs a value/);
  });
});

test('every field of a request that may be absent is looked at', () => {
  const schema = readFileSync(join(import.meta.dirname, '../../../cedar/schema.cedarschema'), 'utf8');
  const request = /type Request = \{([\s\S]*?)\n {2}\};/.exec(schema)?.[1] ?? '';
  const optional = [...request.matchAll(/(\w+)\?:/g)].map(([, name]) => name);
  assert.deepEqual(optional.toSorted(), [...OPTIONAL].toSorted());
  const task = /type Task = \{([\s\S]*?)\n {2}\};/.exec(schema)?.[1] ?? '';
  assert.deepEqual(
    [...task.matchAll(/(\w+)\?:/g)].map(([, name]) => name),
    ['subject', 'coversResource'],
  );
});
