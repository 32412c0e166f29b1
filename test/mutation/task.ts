import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of task tokens, binding, proofs, chains and single use have a test? In a copy of the sources, one guard
 * after another is deleted, and one condition after another is weakened; the tests must notice.
 */

const sources = globSync(['src/{task,state}/*.ts', 'src/http/target-uri.ts'], { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts'),
);
const tests = globSync(['src/{task,state}/*.test.ts', 'src/http/target-uri.test.ts'], { cwd: root });

const conditions: readonly Condition[] = [
  ['combine-tasks.ts', 'declared.id !== task.id || ', ''],
  ['combine-tasks.ts', ' || declared.purpose !== task.purpose', ''],
  ['combine-tasks.ts', 'Math.min(task.assurance, other.task.assurance)', 'task.assurance'],
  ['combine-tasks.ts', 'Math.min(task.expiresAt, other.task.expiresAt)', 'task.expiresAt'],
  ['combine-tasks.ts', "return ids(a) === ids(b) ? null : 'chain'", 'return null'],
  ['binding.ts', "forwarded && token.scope.propagation !== 'forwarded'", 'false'],
  ['binding.ts', 'byName && caller.possession', 'byName'],
  ['binding.ts', ' || certificate !== null', ''],
  ['binding.ts', 'bound && !forwarded', 'bound'],
  ['binding.ts', 'bound && !forwarded', '!forwarded'],
  ['binding.ts', 'proven.size > 0 ? 3 : 2', '3'],
  ['binding.ts', 'proven.size > 0 ? 3 : 2', '2'],
  ['binding.ts', 'Math.min(most, scope.maxAssurance)', 'most'],
  ['binding.ts', '[purpose, ...wider]', '[purpose]'],
  [
    'verified-task-token.ts',
    '.filter((one): one is TxnTokenIssuer =>',
    '.filter((one): one is TxnTokenIssuer => true ||',
  ],
  ['dpop.ts', 'origin === null || target === null', 'origin === null'],
  ['dpop.ts', "options.nonce.required ? 'bad' : 'good'", "'good'"],
  ['dpop.ts', "judgeNonce(nonce, owner, options, now) : 'bad'", "judgeNonce(nonce, owner, options, now) : 'good'"],
  ['dpop.ts', 'claims.nonce === undefined && !madeWithin', '!madeWithin'],
  ['dpop-nonce.ts', 'nonce.secrets()[0]!', 'nonce.secrets().at(-1)!'],
  ['dpop-nonce.ts', 'age < -LEEWAY_SECONDS || ', ''],
  ['dpop-nonce.ts', ' || age > nonce.lifetimeSeconds', ''],
  ['dpop-nonce.ts', '[seconds, caller, origin, history]', '[seconds, caller, origin]'],
  ['dpop-nonce.ts', '[seconds, caller, origin, history]', '[seconds, caller, history]'],
  ['dpop-nonce.ts', '[seconds, caller, origin, history]', '[seconds, origin, history]'],
  ['dpop-nonce.ts', '[seconds, caller, origin, history]', '[caller, origin, history]'],
  ['named-workloads.ts', 'workloadOf(text, by, known)', 'workloadOf(text, issuer, known)'],
  ['named-workloads.ts', 'others: present([...holders, subject])', 'others: []'],
  ['named-workloads.ts', 'others: present(holders)', 'others: []'],
  ['named-workloads.ts', 'holders.length > 0 ? holders[0]! : subject', 'holders[0] ?? subject'],
  ['proof.ts', '[kind, keyThumbprint, jti]', '[kind, jti]'],
  ['proof.ts', '[kind, keyThumbprint, jti]', '[kind, keyThumbprint]'],
  ['proof.ts', 'jti.length <= MAX_JTI_CHARS', 'true'],
  ['proof.ts', "jti !== ''", 'true'],
  ['proof.ts', ' + LEEWAY_SECONDS * 1000', ''],
  ['proofs.ts', 'dpop?.token === token ? dpop.proof : null', 'dpop?.proof ?? null'],
  ['proofs.ts', "token !== null && token.scheme !== 'bearer'", 'token !== null'],
  ['target-uri.ts', 'DOT_SEGMENT.test(decoded)', 'false'],
  ['task-token.ts', "['iss', 'sub', 'client_id', 'jti']", "['iss', 'sub', 'client_id']"],
  ['task-token.ts', "['iss', 'sub', 'client_id', 'jti']", "['iss', 'sub', 'jti']"],
  ['task-token.ts', "['txn', 'sub', 'req_wl']", "['txn', 'sub']"],
  ['task-token.ts', "['iat', 'scope']", "['iat']"],
  ['wimse.ts', 'exp - options.maxProofLifetimeSeconds', 'exp'],
  ['wimse.ts', 'confirmation.certificate !== null && confirmation.certificate !== caller.thumbprint', 'false'],
  ['wimse.ts', 'targetFault(claims, occasion) ??', ''],
  ['wimse.ts', 'windowFault(exp, options, occasion.now) ??', ''],
  ['wimse.ts', ' ?? tokensFault(claims, texts, occasion)', ''],
  ['wimse.ts', "normalTargetUri(aud) === target ? null : ['task_wpt_target', 'aud is another target URI']", 'null'],
  ['wimse.ts', '!caller.possession || ', ''],
  ['wimse.ts', ' || subject.text !== caller.workload.id.text', ''],
  ['wimse.ts', 'hash !== hashOf(value.trim())', 'false'],
  ['state/model.ts', "requestId === '' || ", ''],
  ['state/model.ts', ' || !Number.isFinite(deadline)', ''],
  ['state/model.ts', '[requestId, caller,', '[caller,'],
  ['state/model.ts', 'caller, checkPeer, digest, judgedBy]', 'caller, digest, judgedBy]'],
  ['state/model.ts', 'checkPeer, digest, judgedBy]', 'checkPeer, judgedBy]'],
  ['state/model.ts', 'digest, judgedBy])', 'digest])'],
  ['state/memory.ts', ' && now <= first.deadline', ''],
  ['state/memory.ts', ' && used.length === once.length && ', ' && '],
  ['state/memory.ts', ' && !this.#shared.has(mark)', ''],
  ['state/memory.ts', 'key !== mark', 'true'],
  ['state/memory.ts', '!once.every(({ until }) => this.#used.remembers(until)) || ', ''],
  ['state/memory.ts', ' || !counts.every((each) => this.#isKnown(each))', ''],
  ['state/memory.ts', '    if (member === null) return (counted?.uses ?? 0) >= limit;\n', ''],
  ['state/memory.ts', 'counted === undefined && (this', '(this'],
  ['state/memory.ts', ' ?? this.#counted.fault(use.caller, more.length)', ''],
  ['state/memory.ts', ' || --counted.uses > 0', ' || --counted.uses < 0'],
  [
    'state/model.ts',
    "  if (!claims.every(({ until }) => Number.isFinite(until))) return 'the window of a key has no end';\n",
    '',
  ],
  ['state/model.ts', 'JSON.stringify([check, counts])', 'check'],
];

process.exitCode = await runMutation({
  name: 'task',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: () => tests,
  explained: {},
});
