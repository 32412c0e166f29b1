import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { estate, loaded, question, sourcesOf } from '../../../test/support/policy.ts';
import { loadSnapshot } from '../load/load.ts';
import { validate } from '../load/validate.ts';
import type { Sources } from '../text/sources.ts';
import { Engine, newInstance } from './engine.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
const good = { 'a.cedar': '@id("docs") permit (principal, action, resource in Mesh::Host::"docs.internal");' };

const policy = (body: string): Partial<Sources> => ({ policies: [{ file: 'x.cedar', text: body }] });
const when = (body: string): Partial<Sources> =>
  policy(`@id("x") permit (principal, action, resource) when { ${body} };`);
const schema = (text: string): Partial<Sources> => ({ schemas: [{ file: 'x.cedarschema', text }] });
const inventory = (text: string): Partial<Sources> => ({ inventory: { file: 'inventory.yaml', text } });
const cases = (text: string): Partial<Sources> => ({ tests: [{ file: 'tests/x.yaml', text }] });
const many = (n: number, each: (i: number) => string, between: string): string =>
  Array.from({ length: n }, (_, i) => each(i)).join(between);

const hostile: [what: string, parts: Partial<Sources>][] = [
  ['500 terms joined by ||', when(many(500, (i) => `resource.path == "${i}"`, ' || '))],
  ['2,000 terms joined by &&', when(many(2000, (i) => `resource.path != "${i}"`, ' && '))],
  ['1,000 additions', when(`${many(1000, () => 'resource.sensitivity', ' + ')} > 0`)],
  ['200 nested parentheses', when(`${'('.repeat(200)}true${')'.repeat(200)}`)],
  ['100,000 open parentheses', when('('.repeat(100_000))],
  ['100,000 open brackets, never closed', policy(`@id("x") permit ${'['.repeat(100_000)}`)],
  ['10,000 negations', when(`${'!'.repeat(10_000)}true`)],
  ['10,000 minus signs', when(`${'-'.repeat(10_000)}1 == 1`)],
  ['400 nested conditions', when(`${many(400, (i) => `if resource.path == "${i}" then true else`, ' ')} false`)],
  ['300 nested records', when(`${'{a:'.repeat(300)}1${'}'.repeat(300)} == {a: 1}`)],
  [
    '1,000 clauses',
    policy(`@id("x") permit (principal, action, resource) ${'when { principal.relay } '.repeat(1000)};`),
  ],
  ['5,000 attribute accesses', when(`principal${'.owner'.repeat(5000)} == principal`)],
  ['a path of 5,000 names in has', when(`context has a${'.a'.repeat(5000)}`)],
  ['a policy of 5 MB', when(`resource.path == "${'x'.repeat(5_000_000)}"`)],
  ['a lone surrogate', when('resource.path == "\ud800"')],
  ['a control character', when('resource.path == \u0000')],
  ['a string without an end', when('resource.path == "')],
  ['a comment that hides the end', policy('@id("x") permit (principal, action, resource) // ;')],
  ['an integer beyond 64 bits', when('resource.sensitivity == 9223372036854775808')],
  [
    'addresses and dates that are none',
    when('ip("999.1.1.1").isIpv4() || datetime("x") < datetime("y") || decimal("1") == decimal("2")'),
  ],
  ['a reserved name', when('__cedar::Foo::"a" == principal')],
  ['the id __proto__', policy('@id("__proto__") permit (principal, action, resource);')],
  ['10,000 policies of one id', policy(many(10_000, () => '@id("x") permit (principal, action, resource);', '\n'))],
  ['a schema nested 3,000 deep', schema(`namespace X { type A = ${'Set<'.repeat(3000)}Long${'>'.repeat(3000)}; }`)],
  ['a schema without an end', schema(`namespace X { entity A { ${'a: {'.repeat(20_000)}`)],
  ['a schema in the reserved namespace', schema('namespace __cedar { entity A; }')],
  [
    'a schema that opens ours again',
    schema('namespace Mesh { action GET appliesTo { principal: [Workload], resource: [Endpoint], context: {} }; }'),
  ],
  ['types that are each other', schema('namespace X { type A = B; type B = A; entity E { a: A }; }')],
  [
    'an inventory of aliases',
    inventory(`a: &a [x]\n${many(30, (i) => `${'bcdefghijklmnopqrstuvwxyzABCDE'[i]}: [*a, *a, *a]`, '\n')}`),
  ],
  ['an inventory nested 10,000 deep', inventory(`teams: ${'['.repeat(10_000)}`)],
  ['an inventory with a prototype', inventory(`__proto__: { x: 1 }\n${estate}`)],
  ['an inventory that is a number', inventory('42')],
  ['a test of aliases', cases('given: &a { caller: x }\ncases: [*a]')],
  ['a test nested 10,000 deep', cases(`cases: ${'{a: '.repeat(10_000)}`)],
];

suite('hostile sources', () => {
  // One instance judges them all: were it poisoned once, every later verdict would be wrong.
  const cedar = newInstance();
  for (const [what, parts] of hostile) {
    test(`${what}: refused with a reason, and the judge is sound`, () => {
      const verdict = validate(sourcesOf(good, parts), cedar, 0);
      assert.ok(Array.isArray(verdict));
      assert.ok(verdict.length > 0);
      for (const problem of verdict) assert.ok(problem.message.length > 10 && problem.line > 0 && problem.column > 0);
      assert.ok(!Array.isArray(validate(sourcesOf(good), cedar, 0)));
    });
  }

  test('B40: the serving engine decides on as before', async () => {
    const engine = new Engine();
    const { snapshot } = loaded(good, {}, engine);
    const allowed = question(snapshot.inventory, AGENT, 'GET docs.internal/a');
    const denied = question(snapshot.inventory, AGENT, 'GET payments.internal/a');
    for (const [what, parts] of hostile.filter((_, index) => index % 8 === 0)) {
      const result = await loadSnapshot(engine, sourcesOf(good, parts));
      assert.ok('problems' in result && !result.transient, what);
      assert.equal(snapshot.decide(allowed).result, 'allow');
      assert.equal(snapshot.decide(denied).result, 'deny');
    }
    assert.equal(engine.rebuilds, 0);
  });

  test('names that JavaScript knows are names like any other', () => {
    const { snapshot } = loaded({ 'a.cedar': good['a.cedar'].replace('"docs"', '"constructor"') });
    const verdict = snapshot.decide(question(snapshot.inventory, AGENT, 'GET docs.internal/a'));
    assert.deepEqual(verdict.permits, ['constructor']);
  });
});
