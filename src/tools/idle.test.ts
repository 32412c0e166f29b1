import assert from 'node:assert/strict';
import { test } from 'node:test';
import { estate, sourcesOf } from '../../test/support/policy.ts';
import { Engine, newInstance } from '../policy/decide/engine.ts';
import { install } from '../policy/load/load.ts';
import { validate } from '../policy/load/validate.ts';
import { findIdle, type Idle } from './idle.ts';
import { readPolicies } from './read-policies.ts';
import { sampleWorkloads } from './samples.ts';

const job = (name: string, more = ''): string =>
  `  - { id: "spiffe://prod.example/jobs/${name}", owner: support, kind: job${more} }\n`;

function look(jobs: string, policy: string): { idle: Idle; samples: number } {
  const text = estate.replace('resources:\n', `${jobs}resources:\n`);
  const sources = { ...sourcesOf({ 'a.cedar': policy }), inventory: { file: 'inventory.yaml', text } };
  const [cedar, engine] = [newInstance(), new Engine()];
  const validated = validate(sources, cedar, 0);
  assert.ok(!Array.isArray(validated), JSON.stringify(validated));
  const loaded = install(engine, sources, validated);
  assert.ok(!('problems' in loaded));
  const { inventory } = loaded.snapshot;
  const idle = findIdle(readPolicies(sources, cedar), validated, inventory, engine);
  assert.ok(typeof idle !== 'string', String(idle));
  return { idle, samples: sampleWorkloads(inventory, validated.named)?.length ?? 0 };
}

const many = Array.from({ length: 300 }, (_, i) => job(`j${i}`)).join('');
const forPayments = '@id("a") permit (principal in Mesh::Team::"payments", action, resource);';

test('workloads that no policy tells apart are asked about once, and the first hundred of them are listed', () => {
  const [few, all] = [look(job('j0'), forPayments), look(many, forPayments)];
  assert.equal(all.samples, few.samples);
  const listed = all.idle.workloads.filter((entry) => entry.includes('/jobs/'));
  assert.equal(listed.length, 100);
  assert.equal(all.idle.more, 'nothing permits anything to 200 more workloads, which are like those above');
  assert.equal(few.idle.more, null);
});

test('a workload that a policy names, or reads something else of, is one of its own', () => {
  const named = '@id("a") permit (principal == Mesh::Workload::"spiffe://prod.example/jobs/j7", action, resource);';
  const { idle } = look(many, named);
  assert.ok(!idle.workloads.includes('spiffe://prod.example/jobs/j7'));
  assert.equal(idle.more, 'nothing permits anything to 199 more workloads, which are like those above');
  const labelled = look(many + job('odd', ', labels: { tier: gold }'), forPayments);
  assert.equal(labelled.samples, look(many, forPayments).samples + 1);
});
