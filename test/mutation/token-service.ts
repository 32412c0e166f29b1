import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of the token service have a test? In a copy of the sources, one guard after another is deleted, and one
 * condition after another is weakened; the tests must notice. A word picks the files whose path holds it.
 */
const [word = ''] = process.argv.slice(2);
const sources = globSync(
  ['src/control/token-service/*.ts', 'src/http/form.ts', 'src/token/signing-keys.ts', 'src/check/registered.ts'],
  { cwd: root },
).filter((file) => !file.endsWith('.test.ts') && file.includes(word));
const quick = globSync(
  ['src/control/token-service/*.test.ts', 'src/token/signing-keys.test.ts', 'src/check/registered.test.ts'],
  { cwd: root },
);
const slow = [
  'test/control/token-service.test.ts',
  'test/control/token-attacks.test.ts',
  'test/cases/registered.test.ts',
];

const conditions: readonly Condition[] = [
  ['grant.ts', 'Math.min(before.endsAt, now + lifetimeSeconds)', 'now + lifetimeSeconds'],
  ['grant.ts', 'Math.min(endsAt, before.expiresAt)', 'endsAt'],
  ['grant.ts', 'Math.min(latest, now + rules.maxTokenSeconds)', 'latest'],
  ['grant.ts', 'Math.min(endsAt, now + rules.maxTokenSeconds)', 'endsAt'],
  ['grant.ts', '[...before, actor.text]', '[actor.text]'],
  ['grant.ts', 'scopes: request.scopes, endsAt', 'endsAt'],
  ['claims.ts', 'req_wl: chain.at(-1) ?? originator', 'req_wl: originator'],
  ['claims.ts', '({ sub, act: nested })', '({ sub })'],
  ['claims.ts', "task.scopes.filter((scope) => scope !== '')", 'task.scopes'],
  ['permitted.ts', 'answers.find(({ verdict }) => !verdict.allowed) ?? answers.at(-1)!', 'answers.at(-1)!'],
  ['permitted.ts', 'answers.find(({ verdict }) => !verdict.allowed) ?? answers.at(-1)!', 'answers[0]!'],
  ['issue.ts', "kind === 'refresh' && task.leaseMs !== null", 'false'],
  ['registered.ts', 'source.handedOn(task) ? ids : ids.slice(-1)', 'ids.slice(-1)'],
  ['registered.ts', 'source.handedOn(task) ? ids : ids.slice(-1)', 'ids'],
];

/** What no test can notice, each with its reason. */
const explained: Readonly<Record<string, string>> = {
  'control/token-service/details.ts: if (json instanceof Fault) return json;':
    'what is no JSON has none of the members either',
  "control/token-service/claims.ts: if (originator === undefined) return new Fault('it names nobody');":
    'for the types: a chain has its caller at least',
  "control/token-service/issue.ts: if (keys === null) return ApiProblem.of('state_unavailable', 'the token service has no key');":
    'keys that were read once are kept, and without any nothing is asked of a process that is not ready',
  'control/token-service/issue.ts: if (problem !== null) return problem;':
    'of a heartbeat: that the task is over was seen before, but for the moment between',
  "control/token-service/plan.ts: if (task === null) return ApiProblem.of('task_over', 'the task is not known any more');":
    'for the types: that it is registered was seen before',
  "control/token-service/plan.ts: if (reason === 'state_unavailable') return ApiProblem.of('state_unavailable', detail);":
    'only with a store: test/control/token-fleet.test.ts',
  "control/token-service/token.ts: if (inventory === undefined) return ApiProblem.of('policy_unavailable');":
    'for the types: a call without a snapshot was refused before',
};

process.exitCode = await runMutation({
  name: 'token-service',
  mutants: sources.flatMap((file) => [...weakenedGuards(root, file, conditions)]),
  conditions: word === '' ? conditions : [],
  tests: [...quick, ...slow],
  near: (file) => quick.filter((test) => test.startsWith(file.split('/').slice(0, -1).join('/'))),
  explained,
});
