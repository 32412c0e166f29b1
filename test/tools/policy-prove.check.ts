import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { Engine } from '../../src/policy/decide/engine.ts';
import { compareIn } from '../../src/tools/prove/compare.ts';
import { checkDeep } from '../../src/tools/prove/deep.ts';
import { failureIn } from '../../src/tools/prove/errors.ts';
import type { Proving } from '../../src/tools/prove/prove.ts';
import { readRule } from '../../src/tools/prove/rules.ts';
import { Solver } from '../../src/tools/prove/solver.ts';
import { readPolicies } from '../../src/tools/read-policies.ts';
import { settings } from '../support/policy.ts';
import { estateCopy, newFolder, policyCliWith, removeFolders, writeFiles } from '../support/policy-cli.ts';
import { cachedProveTools } from '../support/prove-tools.ts';
import { cedar, shippedClaims } from '../support/proved.ts';

const paths = cachedProveTools();
const tools = { CEDAR: paths?.cedar ?? '', CVC5: paths?.cvc5 ?? '' };
const skip = paths === null ? 'the tools are not in the cache: npm run tools -- prove' : false;
const solver = paths === null ? null : await Solver.open(paths);
after(() => {
  if (solver !== null && typeof solver !== 'string') solver.close();
  removeFolders();
});

const policy = (id: string, text: string): string => `@id("${id}")\n${text};\n`;
const permit = (condition: string, id = 'p'): string =>
  policy(id, `permit (principal, action, resource) when { ${condition} }`);
const forbid = (condition: string, id = 'f'): string =>
  policy(id, `forbid (principal, action, resource) when { ${condition} }`);
const ANY = policy('any', 'permit (principal, action, resource)');

/** Policies, with the facts of every estate; only for reading. */
async function provingOf(text: string): Promise<Proving> {
  if (solver === null || typeof solver === 'string') throw new Error(solver ?? 'no tools');
  const policies = readPolicies({ guardrails: [], policies: [{ file: 'a.cedar', text }], settings }, cedar);
  const { proving } = await shippedClaims('', policies, { solver, engine: new Engine() });
  return proving;
}

const environmentOf = ({ environments }: Proving, name: string) => environments.find((one) => one.name === name)!;

const PAIRS: Readonly<Record<string, readonly [before: string, now: string, relation: string]>> = {
  'the same': [permit('principal.relay'), permit('principal.relay', 'q'), 'equivalent'],
  'a condition more': [ANY, permit('principal.relay'), 'narrower'],
  'a condition less': [permit('principal.relay && resource.external'), permit('principal.relay'), 'wider'],
  'two permits as one': [
    permit('principal.relay') + permit('principal.external', 'q'),
    permit('principal.relay || principal.external', 'r'),
    'equivalent',
  ],
  'one condition for another': [permit('principal.relay'), permit('principal.external', 'q'), 'incomparable'],
  'a forbid more': [ANY, ANY + forbid('principal.external'), 'narrower'],
  'a forbid less': [ANY + forbid('principal.external'), ANY, 'wider'],
  'a forbid of what never is': [ANY, ANY + forbid('resource.sensitivity > 3'), 'equivalent'],
  'a wider permit and a wider forbid': [
    permit('principal.relay') + forbid('principal.external'),
    ANY + forbid('principal.external || resource.external'),
    'incomparable',
  ],
  'an action for its group': [
    policy('p', 'permit (principal, action in Mesh::Action::"read", resource)'),
    policy('p', 'permit (principal, action == Mesh::Action::"GET", resource)'),
    'equivalent',
  ],
  'a bound below another': [permit('resource.sensitivity < 3'), permit('resource.sensitivity <= 2', 'q'), 'equivalent'],
};

suite('policy compare', { skip }, () => {
  for (const [name, [before, now, relation]] of Object.entries(PAIRS)) {
    test(`${name}: ${relation}`, async () => {
      const [from, to] = [await provingOf(before), await provingOf(now)];
      const found = await compareIn(environmentOf(to, 'GET'), from, to, to);
      assert.equal(found.relation, relation, JSON.stringify(found));
    });
  }

  test('five hundred permits, one of them wider, cost a few questions', async () => {
    const of = (number: number): string =>
      policy(
        `p${number}`,
        `permit (principal == Mesh::Workload::"w${number}", action, resource) when { resource.external }`,
      );
    const some = Array.from({ length: 500 }, (_, number) => of(number));
    const before = await provingOf(some.join(''));
    const now = await provingOf(
      some.join('').replace('"w250", action, resource) when { resource.external }', '"w250", action, resource)'),
    );
    const asked = now.solver.asked;
    const found = await compareIn(environmentOf(now, 'GET'), before, now, now);
    assert.equal(found.relation, 'wider');
    assert.equal(found.opened?.kind === 'request' && found.opened.call.principal.id, 'w250');
    assert.ok(now.solver.asked - asked <= 6, `${now.solver.asked - asked} questions`);
  });

  test('the example with one wider permit: wider, with the request', async () => {
    const { root, policies } = estateCopy();
    const wider = estateCopy({
      'policies/wider.cedar': policy(
        'wider',
        'permit (principal, action in Mesh::Action::"read", resource in Mesh::Host::"crm.internal")',
      ),
    });
    assert.notEqual(root, wider.root);
    const same = await policyCliWith(tools, 'compare', policies, policies);
    assert.deepEqual([same.code, same.stderr], [0, '']);
    assert.match(same.stdout, /^(?:\w+ +equivalent\n){9}$/);
    const { code, stdout } = await policyCliWith(tools, 'compare', policies, wider.policies);
    assert.equal(code, 1);
    assert.match(stdout, /^GET {6}wider\n {2}is allowed now by wider, where$/m);
    assert.match(stdout, /^PUT {6}equivalent$/m);
  });
});

suite('policies that can fail to be evaluated', { skip }, () => {
  const errs = async (text: string) => {
    const proving = await provingOf(text);
    return failureIn(readRule('p', text, cedar), [environmentOf(proving, 'GET')], proving, cedar);
  };

  test('a sum of what the facts keep small cannot fail; one of any numbers can', async () => {
    assert.equal(await errs(permit('context has risk && context.risk + 25 * resource.sensitivity > 100')), null);
    assert.equal(
      await errs(permit('context.numbers.hasTag("a") && context.numbers.getTag("a") + 9007199254740991 > 0')),
      'GET',
    );
  });
});

suite('policy check --deep', { skip }, () => {
  const noted = async (text: string, own: readonly string[]) => {
    const proving = await provingOf(text);
    const some = proving.environments.filter(({ name }) => name === 'GET' || name === 'PUT');
    const notes = await checkDeep({ ...proving, environments: some, own: new Set(own) }, cedar);
    return notes.map(({ policy: { id }, message }) => `${id} ${message}`);
  };

  test('a policy that never matches, is dead, or is redundant is told, each with its reason', async () => {
    assert.deepEqual(await noted(permit('resource.sensitivity > 3'), ['p']), [
      'p matches no request that is ever asked',
    ]);
    assert.deepEqual(await noted(permit('principal.relay') + forbid('principal.relay || principal.external'), ['p']), [
      'p permits nothing: whatever it matches, a forbid denies',
    ]);
    assert.deepEqual(await noted(ANY + permit('principal.relay'), ['p']), [
      'p changes nothing: other permits permit what it permits',
    ]);
    assert.deepEqual(
      await noted(ANY + forbid('principal.relay') + forbid('principal.relay && principal.external', 'g'), ['f', 'g']),
      ['g changes nothing: without it the same is denied'],
    );
  });

  test('of policies that all matter nothing is told', async () => {
    assert.deepEqual(await noted(permit('principal.relay') + forbid('principal.external'), ['p', 'f']), []);
  });
});

suite('policy prove', { skip }, () => {
  const claims = (files: Readonly<Record<string, string>>): string => {
    const folder = newFolder();
    writeFiles(folder, files);
    return folder;
  };
  const nobodyReads = `@id("nobody-reads-payments") @description("Nobody reads payments.")
forbid (principal, action in Mesh::Action::"read", resource in Mesh::Host::"payments.internal");\n`;

  test('a claim that does not hold is refuted, with a request of the inventory in plain words', async () => {
    const { policies } = estateCopy();
    const folder = claims({ 'a.cedar': nobodyReads });
    const { code, stdout } = await policyCliWith(tools, 'prove', policies, '--claims', folder);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /^refuted {2}nobody-reads-payments: Nobody reads payments\.\n {2}\w+ is allowed by [\w-]+, where\n {4}principal /,
    );
    assert.match(stdout, /\nprove: 0 of 1 claims proved over 9 actions, \d+ facts, 10 counterexamples replayed\n$/);
  });

  test('what refutes a claim is written as a test, which fails until it is denied', async () => {
    const { root, policies } = estateCopy();
    const file = join(root, 'policies', 'tests', 'found.yaml');
    const prove = () =>
      policyCliWith(tools, 'prove', policies, '--claims', claims({ 'a.cedar': nobodyReads }), '--write', file);
    const { stdout } = await prove();
    assert.match(stdout, /found\.yaml: 1 case\n$/);
    const tested = await policyCliWith(tools, 'test', policies);
    assert.match(tested.stdout, /- expect: deny\n {2}\+ expect: allow/);
    const again = await prove();
    assert.equal(again.code, 2);
    assert.match(again.stderr, /found\.yaml: cannot be written \(EEXIST\); name a file that is not there yet\n$/);
  });

  test('facts that contradict each other are said, and nothing is proved by them', async () => {
    const { policies } = estateCopy();
    const folder = claims({
      'a.cedar': nobodyReads,
      'facts/a.cedar': `@id("only-relays") @description("All are relays.")
forbid (principal, action, resource) unless { principal.relay };
@id("no-relays") @description("None is.")
forbid (principal, action, resource) when { principal.relay };\n`,
    });
    const { code, stdout, stderr } = await policyCliWith(tools, 'prove', policies, '--claims', folder);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^the facts contradict each other for CONNECT: with no-relays no request is left\n$/);
  });

  test('a claim that forbids nothing is unknown', async () => {
    const { policies } = estateCopy();
    const idle = nobodyReads.replace(');', ') when { resource.sensitivity > 3 };');
    const { code, stdout } = await policyCliWith(tools, 'prove', policies, '--claims', claims({ 'a.cedar': idle }));
    assert.equal(code, 1);
    assert.match(stdout, /^unknown {2}nobody-reads-payments: .*\n {2}it forbids nothing that is ever asked\n/);
  });

  test('a solver that gives no answer proves nothing', async () => {
    const { policies } = estateCopy();
    const mute = newFolder();
    writeFiles(mute, {
      cvc5: '#!/bin/sh\n[ "$1" != --version ] || echo "This is cvc5 version 1.0.3"\n',
    });
    chmodSync(join(mute, 'cvc5'), 0o755);
    const env = { ...tools, CVC5: join(mute, 'cvc5') };
    const { code, stderr } = await policyCliWith(
      env,
      'prove',
      policies,
      '--claims',
      claims({ 'a.cedar': nobodyReads }),
    );
    assert.equal(code, 1);
    assert.match(stderr, /^\w+: /);
  });
});
