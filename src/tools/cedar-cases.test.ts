import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Engine } from '../policy/decide/engine.ts';
import { cedarDifference, readCedarCases } from './cedar-cases.ts';

const engine = new Engine();

test('policies of any name are run, those that JavaScript knows too', () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const forbids = names.map((name) => [name, 'forbid (principal, action, resource);'] as const);
  const policies = Object.fromEntries([['policy0', 'permit (principal, action, resource);'] as const, ...forbids]);
  const uid = { type: 'T', id: 'a' };
  const action = { type: 'Action', id: 'a' };
  const answer = engine.ask(
    { schema: null, policies },
    { principal: uid, action, resource: uid, context: {}, entities: [] },
  );
  assert.ok(answer.kind === 'answered');
  assert.deepEqual(answer.reasons, names.toSorted());
});

suite('a case of the Cedar CLI', () => {
  const permits = Array.from({ length: 11 }, (_, i) => [
    `policy${i}`,
    `permit (principal == User::"u${i}", action, resource);`,
  ]);
  const policies = {
    ...(Object.fromEntries(permits) as Record<string, string>),
    'no-secrets': 'forbid (principal, action, resource) when { resource.secret };',
    'too-much': 'permit (principal, action, resource) when { context.amount * 9007199254740991 > 0 };',
  };
  const schema = `entity User; entity Photo { secret: Bool };
action view appliesTo { principal: User, resource: Photo, context: { amount: Long } };`;
  const photo = (secret: boolean) => ({ uid: { type: 'Photo', id: 'p' }, attrs: { secret }, parents: [] });
  const user = { uid: { type: 'User', id: 'u2' }, attrs: {}, parents: [] };
  const good = {
    name: 'u2 views a photo',
    request: { principal: 'User::"u2"', action: 'Action::"view"', resource: 'Photo::"p"', context: { amount: 0 } },
    entities: [user, photo(false)],
    decision: 'allow',
    reason: ['policy2'],
    num_errors: 0,
  };

  /** What differs in the cases of a file, one after the other. */
  function differences(text: string): readonly (string | null)[] {
    const cases = readCedarCases(text);
    assert.ok(typeof cases !== 'string', String(cases));
    return cases.map((one) => cedarDifference(one, one.entities, engine, { schema, policies }));
  }

  test('passes by decision, policies among the deciding ones, and errors', () => {
    const secret = { ...good, entities: [user, photo(true)], decision: 'deny', reason: ['no-secrets'] };
    const overflow = { ...good, request: { ...good.request, context: { amount: 2000 } }, num_errors: 1 };
    assert.deepEqual(differences(JSON.stringify([good, secret, overflow])), [null, null, null]);
  });

  const differing: [what: string, change: object, says: RegExp][] = [
    ['another decision', { decision: 'deny', reason: [] }, /expected deny, got allow/],
    ['another policy', { reason: ['policy10'] }, /expected by policy10, got by policy2/],
    ['another number of errors', { num_errors: 1 }, /expected 1 errors, got 0/],
    ['a context that the schema does not know', { request: { ...good.request, context: {} } }, /Cedar was not asked/],
    ['no entity', { request: { ...good.request, principal: 'User::"u2" || true' } }, /is no entity; write it like/],
    ['two entities', { request: { ...good.request, principal: 'User::"u2" User::"u3"' } }, /is no entity/],
  ];
  for (const [what, change, says] of differing) {
    test(`fails by ${what}`, () => {
      const [difference] = differences(JSON.stringify([{ ...good, ...change }]));
      assert.match(difference ?? '', says);
    });
  }

  test('is refused, not rounded, for an integer that a double does not hold', () => {
    const [difference] = differences(JSON.stringify([good]).replace('"amount":0', '"amount":9223372036854775807'));
    assert.match(difference ?? '', /Cedar was not asked: amount is/);
  });
});
