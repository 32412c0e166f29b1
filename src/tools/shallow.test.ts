import assert from 'node:assert/strict';
import { test } from 'node:test';
import { question, sourcesOf } from '../../test/support/policy.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { Engine, newInstance } from '../policy/decide/engine.ts';
import { install } from '../policy/load/load.ts';
import { validate } from '../policy/load/validate.ts';
import { explain } from './explain.ts';
import { findIdle } from './idle.ts';
import { reach } from './reach.ts';
import { readPolicies } from './read-policies.ts';
import { shallow } from './shallow.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';

test('the tools take every policy that is served, one with 64 operators too', () => {
  const both = (join: string, last: string, count = 64): string =>
    [...Array(count).fill('principal.external'), last].join(join);
  const sources = sourcesOf({
    'a.cedar': `@id("or") permit (principal, action, resource) when { ${both(' || ', 'resource.sensitivity == 0')} };
@id("and") permit (principal, action, resource) when { !(${both(' && ', 'principal.relay', 63)}) };`,
  });
  const [cedar, engine] = [newInstance(), new Engine()];
  const validated = validate(sources, cedar, 0);
  assert.ok(!Array.isArray(validated), JSON.stringify(validated));
  const loaded = install(engine, sources, validated);
  assert.ok(!('problems' in loaded));
  const { snapshot } = loaded;
  const { inventory } = snapshot;
  const policies = readPolicies(sources, cedar);
  const idle = findIdle(policies, validated, inventory, engine);
  assert.ok(typeof idle !== 'string', String(idle));
  const reached = reach({ caller: AGENT }, { policies, validated, snapshot, engine });
  assert.ok(typeof reached !== 'string', String(reached));
  const asked = question(inventory as Inventory, AGENT, 'GET docs.internal/1');
  const accounts = explain(policies, [asked], { validated, purposes: inventory, engine, cedar });
  assert.ok(typeof accounts !== 'string', String(accounts));
  assert.deepEqual(
    accounts[0]?.map(({ policy, result }) => [policy.id, result]),
    [
      ['or', 'applies'],
      ['and', 'applies'],
    ],
  );
});

test('a row that is bracketed anew keeps its order and its meaning', () => {
  const cedar = newInstance();
  const terms = Array.from({ length: 65 }, (_, i) => `context.t${i}`);
  const parsed = cedar.policyToJson(`permit (principal, action, resource) when { ${terms.join(' && ')} };`);
  assert.ok(parsed.type === 'success');
  const printed = cedar.policyToText(shallow(parsed.json));
  assert.ok(printed.type === 'success');
  assert.deepEqual(
    printed.text.match(/t\d+/g),
    terms.map((term) => term.slice('context.'.length)),
  );
  const short = { ...parsed.json, conditions: [] };
  assert.equal(shallow(short), short);
});
