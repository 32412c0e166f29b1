import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { sourcesOf } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import { ATTRIBUTES } from '../load/diagnose.ts';
import { validate } from '../load/validate.ts';
import { mistakes } from './mistakes.ts';
import { meantBy, mistakesPage } from './mistakes-page.ts';

const cedar = newInstance();

function report(text: string): string[] {
  const verdict = validate(sourcesOf({ 'a.cedar': text }), cedar, 0);
  return Array.isArray(verdict) ? verdict.map(formatProblem) : [];
}

/** The text as a policy that is broken over two lines, with a harmless part before it. */
function policyOf(written: string): string {
  if (/^(permit|allow) /.test(written)) return `@id("p") ${written}`;
  return `@id("p") permit (principal, action, resource) when { true &&\n${written} };`;
}

suite('a common mistake is shown where it stands, with what to write', () => {
  for (const mistake of mistakes) {
    const { written, why } = mistake;
    test(`${written} → ${meantBy(mistake)}`, () => {
      const [problem = '', ...more] = report(policyOf(written));
      assert.deepEqual(more, []);
      const [, line, message = ''] = /^a\.cedar:(\d+):\d+: (.*)$/s.exec(problem) ?? [];
      assert.ok(message.startsWith(`${why}; write `), problem);
      assert.equal(line, policyOf(written).includes('\n') ? '2' : '1');
      assert.deepEqual(report(policyOf(meantBy(mistake))), []);
    });
  }
});

test('docs/policy-messages.md is what the table says; UPDATE=1 writes it', () => {
  const file = join(import.meta.dirname, '../../../docs/policy-messages.md');
  if (process.env.UPDATE === '1') writeFileSync(file, mistakesPage());
  assert.equal(readFileSync(file, 'utf8'), mistakesPage());
});

test('a mistake that Cedar does not complain about is refused too, and no text inside a string is one', () => {
  const group = 'principal == Mesh::Group::"finance-agents" || principal.relay';
  assert.match(report(policyOf(group)).join(), /:2:1: nothing is a group, .*; write principal in Mesh::Group::/);
  assert.deepEqual(
    report(policyOf('context.chain.depth > 1 || "x" != "principal == Mesh::Group::x and context.now.hour"')),
    [],
  );
});

test('what Cedar says elsewhere in the policy is shown beside a mistake', () => {
  const problems = report(policyOf('principal.kind == "agent" && context.client.isIpv4()'));
  assert.equal(problems.length, 2);
  assert.match(problems.join('\n'), /:2:1: kinds are entities.*\n.*:2:30: unable to guarantee safety/);
});

test('a member of another schema keeps its meaning: only what Cedar refuses is looked up', () => {
  const schema =
    'namespace Ops { entity Person { groups: Set<String> }; entity Window; action look appliesTo { principal: Person, resource: Window }; }';
  const policy =
    '@id("p") permit (principal, action == Ops::Action::"look", resource) when { principal.groups.contains("x") };';
  const verdict = validate(sourcesOf({ 'a.cedar': policy, 'ops.cedarschema': schema }), cedar, 0);
  assert.ok(!Array.isArray(verdict));
});

test('a safe access is advised by what the policy does', () => {
  const text = (effect: string, clause: string) => `@id("p") ${effect} (principal, action, resource) ${clause};`;
  const unguarded = '{ !(context has task) || context.task.assurance < 3 }';
  assert.match(
    report(text('forbid', `when ${unguarded}`)).join(),
    /; write what may pass as `unless \{ … has … && … \}`/,
  );
  assert.match(report(text('permit', `when ${unguarded}`)).join(), /`context has task && \.\.`$/);
  assert.match(report(text('forbid', 'unless { context.task.assurance > 1 }')).join(), /`context has task && \.\.`$/);
});

test('quotes and comments of other languages are named', () => {
  assert.match(report("@id('p') permit (principal, action, resource);").join(), /strings stand in double quotes/);
  assert.match(report('# a policy\n').join(), /a comment begins with \/\//);
});

test('a form that asks for a presence belongs into the unless of a forbid', () => {
  const text = (effect: string) =>
    `@id("p") ${effect} (principal, action, resource) when { context.task.purpose == "finance" };`;
  assert.match(report(text('forbid')).join(), /Purpose::"finance", with what may pass, inside unless \{ … \}$/);
  assert.match(report(text('permit')).join(), /Purpose::"finance"$/);
});

test('a string with the escapes of Cedar is taken as it is written', () => {
  assert.match(
    report(policyOf('resource.path.startsWith("/\\x41\\\'b c")')).join(),
    /write resource\.path like "\/A'b c\*"$/,
  );
});

test('an attribute that is not there is shown at its name, with those that are', () => {
  assert.deepEqual(report(policyOf('principal.mood == "good"')), [
    'a.cedar:2:11: attribute `mood` on entity type `Mesh::Workload` not found; it has trustDomain, kind, external, relay, owner; labels are tags: getTag("…")',
  ]);
  assert.match(
    report(policyOf('context.weather == "good"')).join(),
    /:2:9: attribute `weather` in context.* not found; it has now, client, /,
  );
});

test('the attributes that messages list are those of the schema', () => {
  const text = sourcesOf({}).schema.text;
  for (const [type, names] of ATTRIBUTES) {
    const head = type === 'context' ? 'type Request = ' : `entity ${type} in [^{]*`;
    const [, body = ''] = new RegExp(`${head}\\{([^}]*)\\}`).exec(text) ?? [];
    assert.deepEqual(
      [...body.matchAll(/^ *(\w+)\??:/gm)].map(([, name]) => name),
      names,
    );
  }
});

test('the types of a message have the names of the language', () => {
  const [problem = ''] = report(policyOf('principal.relay in Mesh::Group::"finance-agents"'));
  assert.match(problem, /expected an entity but saw Bool/);
});
