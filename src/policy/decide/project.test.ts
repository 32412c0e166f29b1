import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { AuthorizationCall, CedarValue } from './call.ts';
import { newInstance } from './engine.ts';
import { footprintOf } from './footprint.ts';
import { groupsOf, project, projector } from './project.ts';

const cedar = newInstance();

function projected(
  policy: string,
  call: AuthorizationCall,
): { readonly entities: readonly { uid: unknown; attrs: unknown }[] } {
  const parsed = cedar.policyToJson(policy);
  assert.equal(parsed.type, 'success');
  const footprint = footprintOf(parsed.type === 'success' ? parsed.json : assert.fail());
  return JSON.parse(project(call, projector(footprint!), new Map()).key);
}

test('entities that refer to each other in a circle are projected, as deep as the policy reads', () => {
  const uid = (id: string) => ({ type: 'Node', id });
  const refer = (id: string) => ({ __entity: uid(id) }) as unknown as CedarValue;
  const entity = (id: string, next: string) => ({
    uid: uid(id),
    attrs: { next: refer(next), flag: true },
    parents: [],
  });
  const call = {
    principal: uid('a'),
    action: { type: 'Action', id: 'go' },
    resource: uid('b'),
    context: {},
    entities: [entity('a', 'b'), entity('b', 'a')],
  };
  const { entities } = projected(
    'permit (principal, action, resource) when { principal.next.next.next.flag && resource.next.next.flag };',
    call,
  );
  assert.deepEqual(
    entities.slice(1).map(({ attrs }) => Object.keys(attrs as object).toSorted()),
    [['next'], ['flag', 'next']],
  );
});

test('a group of actions is listed once, however many ways lead to it', () => {
  const layers = Array.from({ length: 24 }, (_, n) =>
    n === 0 ? 'action a0, b0;' : `action a${n}, b${n} in [a${n - 1}, b${n - 1}];`,
  );
  const schema = cedar.schemaToJson(layers.join('\n'));
  const groups = schema.type === 'success' ? groupsOf(schema.json) : assert.fail();
  const above = groups.get('Action a23')?.map(({ id }) => id) ?? [];
  assert.equal(new Set(above).size, 46);
  assert.equal(above.length, 46);
});
