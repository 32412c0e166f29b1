import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlSources } from '../../../test/support/control-policies.ts';
import { estate } from '../../../test/support/inventory.ts';
import { type Files, loaded } from '../../../test/support/policy.ts';

const asks = (annotations: string, id = 'a', name = 'resource-owner') =>
  `@id("${id}") @approval("${name}") ${annotations} forbid (principal, action, resource) unless { context.approvals.contains("${name}") };\n`;
const text = estate.replace('[resource-owner]', '[resource-owner, vip-support]');
const inventory = { file: 'inventory.yaml', text };
const PERMIT = '@id("p") permit (principal, action, resource);\n';
/** What is wrong with sources, as a text. */
function problemsOf(files: Files, parts: Parameters<typeof loaded>[1] = {}): string {
  try {
    loaded(files, parts);
    return '';
  } catch (error) {
    return String(error);
  }
}
const control = (text: string) => ({ control: controlSources({ 'control/a.cedar': text }) });

test('what a grant is good for is the strictest of what policies say', () => {
  const all = (names: readonly string[], ...policies: readonly string[]) =>
    loaded({ 'a.cedar': PERMIT + policies.join('') }, { inventory }).snapshot.approvalTerms(names);
  const terms = (...texts: readonly string[]) =>
    all(['resource-owner'], ...texts.map((text, n) => asks(text, `a${n}`)));
  const once = { quorum: 1, uses: 1, forMs: 600_000 };
  assert.deepEqual(terms(), null);
  assert.deepEqual(terms(''), once);
  assert.deepEqual(terms('@approval_quorum("2") @approval_uses("20") @approval_for("8h")'), {
    quorum: 2,
    uses: 20,
    forMs: 28_800_000,
  });
  assert.deepEqual(terms('@approval_uses("20") @approval_for("8h")', '@approval_uses("3") @approval_for("30m")'), {
    ...once,
    uses: 3,
    forMs: 1_800_000,
  });
  assert.deepEqual(terms('@approval_uses("20")', ''), once);
  assert.deepEqual(terms('@approval_quorum("1")', '@approval_quorum("2")'), { ...once, quorum: 2 });
  assert.deepEqual(terms('', '@approval_quorum("2") @mode("shadow")'), once);
  const two = [asks('@approval_uses("20")'), asks('@approval_quorum("2") @approval_uses("3")', 'b', 'vip-support')];
  assert.deepEqual(all(['resource-owner', 'vip-support'], ...two), { ...once, quorum: 2, uses: 3 });
  assert.deepEqual(all(['resource-owner'], ...two), { ...once, uses: 20 });
  assert.deepEqual([all(['resource-owner', 'other'], ...two), all([], ...two)], [null, null]);
});

test('more than two persons, twenty uses or eight hours are a load error, as is what stands beside no @approval', () => {
  for (const [annotation, told] of [
    ['@approval_quorum("3")', /nobody waits for more persons than two/],
    ['@approval_quorum("0")', /takes "1" or "2"/],
    ['@approval_uses("21")', /from "1" to "20"/],
    ['@approval_uses("0")', /from "1" to "20"/],
    ['@approval_for("9h")', /from "1s" to "8h"/],
    ['@approval_for("8")', /from "1s" to "8h"/],
    ['@approval_for', /needs a value/],
  ] as const)
    assert.match(problemsOf({ 'a.cedar': asks(annotation) }), told);
  const alone = '@id("a") @approval_uses("2") forbid (principal, action, resource);';
  assert.match(problemsOf({ 'a.cedar': alone }), /put @approval beside it/);
});

test('an approval that no control policy lets anybody grant is a load error, where there are control policies', () => {
  const told = /no policy in control\/ lets a person grant 'resource-owner'/;
  const problems = (text: string) => problemsOf({ 'a.cedar': asks('') }, control(`@id("c") ${text}`));
  const scope = 'principal, action, resource';
  for (const text of [
    `forbid (${scope});`,
    'permit (principal is Control::Workload, action, resource);',
    'permit (principal == Control::Workload::"spiffe://prod.example/ns/payments/sa/api", action, resource);',
    'permit (principal in Control::Team::"payments", action, resource);',
    'permit (principal, action == Control::Action::"refuse", resource);',
    'permit (principal, action in [Control::Action::"refuse", Control::Action::"view"], resource);',
    'permit (principal, action in Control::Action::"closes", resource);',
    'permit (principal, action, resource is Control::Task);',
    'permit (principal, action, resource in Control::Team::"payments");',
    'permit (principal, action == Control::Action::"grant", resource) when { resource.name == "other" };',
  ])
    assert.match(problems(text), told, text);
  for (const text of [
    `permit (${scope});`,
    'permit (principal is Control::Person, action == Control::Action::"grant", resource is Control::Approval);',
    'permit (principal in Control::PersonGroup::"approvers", action in Control::Action::"opens", resource);',
    'permit (principal, action in [Control::Action::"refuse", Control::Action::"grant"], resource in Control::Everything::"everything");',
    'permit (principal, action == Control::Action::"grant", resource) when { resource.name == "resource-owner" };',
    'permit (principal, action == Control::Action::"grant", resource) when { ["other", "resource-owner"].contains(resource.name) };',
    'permit (principal, action == Control::Action::"grant", resource) when { resource.name != "other" };',
  ])
    assert.doesNotMatch(problems(text), told, text);
});
