// biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of the sources, as they stand there
import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of revocations and of what is recalled have a test? In a copy of the sources, one guard after
 * another is deleted, and one condition after another is weakened; the tests must notice. `node test/mutation/recall.ts [WORD]`
 * takes the files whose path holds the word.
 */

const [, , word = ''] = process.argv;
const sources = globSync(
  [
    'src/state/file/*.ts',
    'src/state/{revocable-subjects,revocation,revocations,revocation-entry,revocation-names,redemption}.ts',
    'src/check/{revoked,recall,redeem,budgets,accounts,touched,settle,approvals,approval-order,caller-rate}.ts',
    'src/http/body.ts',
  ],
  { cwd: root },
).filter((file) => !file.endsWith('.test.ts') && file.includes(word));
const quick = globSync(
  [
    'src/state/file/*.test.ts',
    'src/state/{revocable-subjects,revocation-names,process-book,memory}.test.ts',
    'src/check/{answer,recall,redeem,revoked,budgets,touched,caller-rate}.test.ts',
    'src/http/body.test.ts',
  ],
  { cwd: root },
);
const slow = [
  'test/cases/approvals.test.ts',
  'test/cases/approvals-unasked.test.ts',
  'test/cases/budgets.test.ts',
  'test/cases/revocations.test.ts',
  'test/cases/revocations-carriers.test.ts',
  'test/cases/touched.test.ts',
  'test/cases/reasons.test.ts',
];

const conditions: readonly Condition[] = [
  ['check/approvals.ts', 'holds(one) && ', ''],
  ['check/approvals.ts', 'one.grantedAtMs >= now.sinceMs && ', ''],
  ['check/approvals.ts', '(alone === true || by.length >= quorum) && ', ''],
  ['check/approvals.ts', 'alone === true || ', ''],
  ['check/approvals.ts', ' && nowMs < grantedAtMs + forMs', ''],
  ['check/approvals.ts', 'Math.min(grant.uses, terms!.uses)', 'grant.uses'],
  ['check/approvals.ts', 'approvals: new Set(missing)', 'approvals: lacking.facts.approvals'],
  ['check/approvals.ts', '(grants[0]?.id ?? null)', 'null'],
  ['check/approvals.ts', 'count: { limit,', 'count: { limit: limit + 1,'],
  ['check/approval-order.ts', 'path: input.rawPath', 'path: input.path'],
  ['check/approval-order.ts', 'return [...facts.headers, ', 'return ['],
  ['check/approval-order.ts', '...numbers, ', ''],
  ['check/approval-order.ts', ', ...coding]', ']'],
  ['check/approval-order.ts', 'declared: declared && {', 'declared: null && {'],
  ['check/approval-order.ts', ' || isCoded', ''],
  ['check/approval-order.ts', ' || isOther', ''],
  ['check/caller-rate.ts', 'age < 0 || ', ''],
  ['http/body.ts', 'body.length >= Number(limit)', 'body.length > Number(limit)'],
  ['http/body.ts', "flags.length > 1 || flags[0] !== 'false'", "flags[0] !== 'false'"],
  ['http/body.ts', "flags.length > 1 || flags[0] !== 'false'", 'flags.length > 1'],
  ['http/body.ts', 'encoded || body.length > 0 || ', 'body.length > 0 || '],
  ['http/body.ts', 'encoded || body.length > 0 || ', 'encoded || '],
  ['check/budgets.ts', 'registeredAtMs < history.sinceMs', 'false'],
  ['check/accounts.ts', '[issuer, id])', '[id])'],
  ['check/accounts.ts', 'for (const { id } of chain)', 'for (const { id } of chain.slice(-1))'],
  ['check/accounts.ts', '    root = parent;\n', '    break;\n'],
  ['check/touched.ts', 'if (begunAtMs !== null) return begunAtMs < sinceMs', 'if (begunAtMs !== null) return false'],
  ['check/touched.ts', 'if (nowMs < sinceMs + windowMs) return true;', ''],
  ['check/touched.ts', 'nothingBeforeMs !== null && sinceMs <= nothingBeforeMs', 'nothingBeforeMs !== null'],
  ['check/touched.ts', 'known.history !== id || ', ''],
  ['check/touched.ts', ' || known.untilMs < neededUntilMs', ''],
  ['check/touched.ts', 'known.sensitivity >= sensitivity && ', ''],
  ['check/touched.ts', 'need.apis ? record.version : null', 'null'],
  ['check/settle.ts', 'number > MAX_ATTEMPTS', 'number > 100'],
  ['check/budgets.ts', "...(effect === 'write' ? of('writes', null) : []),", "...of('writes', null),"],
  ['check/budgets.ts', "...(effect === 'write' ? of('writes', null) : []),", ''],
  ['check/budgets.ts', "...of('calls', null),", ''],
  ['check/budgets.ts', 'resource.apis.at(-1)', 'resource.apis[0]'],
  ['check/budgets.ts', 'above < MAX_TASK_DEPTH ?', 'true ?'],
  ['check/budgets.ts', '[issuer, id, registeredAtMs]', '[issuer, id]'],
  ['check/budgets.ts', '[issuer, id, registeredAtMs]', '[id, registeredAtMs]'],
  ['check/budgets.ts', '[issuer, id, registeredAtMs]', '[issuer, registeredAtMs]'],
  ['check/budgets.ts', '`${name}:${kind}`', 'name'],
  ['check/revoked.ts', ' + backdatingSeconds(trustDomain)', ''],
  ['check/revoked.ts', ', ...(token === null ? [] : [ofToken]), ...ofTasks]', ', ...ofTasks]'],
  [
    'check/revoked.ts',
    '[own, ...(token === null ? [] : [ofToken]), ...ofTasks]',
    '[own, ...(token === null ? [] : [ofToken])]',
  ],
  ['check/revoked.ts', 'addWorkload(id, owner, earliest(', 'addWorkload(id, null, earliest('],
  ['check/revoked.ts', 'at === chain.length - 1 ? ofCaller : ofTasks', 'ofCaller'],
  ['check/revoked.ts', 'checkPeer === null ? proxies : [...proxies, checkPeer]', 'proxies'],
  [
    'check/revoked.ts',
    'checkPeer === null ? proxies : [...proxies, checkPeer]',
    'checkPeer === null ? [] : [checkPeer]',
  ],
  ['check/revoked.ts', 'addWorkload(id, ownerOf(id), issuedAt)', 'addWorkload(id, null, issuedAt)'],
  ['check/revoked.ts', "add(known.ofDigest('certificate', shown), issuedAt);", ''],
  ['check/revoked.ts', "add(known.ofDigest('certificate', thumbprint), own)", 'void own'],
  ['check/revoked.ts', 'if (token !== null) add(subjectsOfToken(token, workload.id), ofToken);', ''],
  ['check/revoked.ts', 'add(known.ofTask(one), ofTasks[at] ?? null)', 'void [at, one]'],
  ['check/revoked.ts', "add([subjectOf('key', key)]", "void ([subjectOf('key', key)]"],
  ['state/revocable-subjects.ts', "subjectOf('task', issuer, id),", ''],
  ['state/revocable-subjects.ts', "subjectOf('token', token),", ''],
  ['check/revoked.ts', '[iss, `spiffe://${id.trustDomain}`] : [iss]', '[iss] : [iss]'],
  ['check/revoked.ts', '[iss, `spiffe://${id.trustDomain}`]', '[`spiffe://${id.trustDomain}`]'],
  [
    'check/revoked.ts',
    "const subjects = [...known.ofDigest('token', thumbprint)];",
    'const subjects: RevocableSubject[] = [];',
  ],
  ['check/revoked.ts', "typeof iat === 'number' ? iat : null", "typeof iat === 'number' ? iat : 4e9"],
  ['check/revoked.ts', 'times.length === 0 || times.includes(null) ? null', 'times.length === 0 ? null'],
  ['check/revoked.ts', 'Math.min(...(times as', 'Math.max(...(times as'],
  ['check/revoked.ts', "source === 'jwt-svid' ? ofToken : issuedAt", 'issuedAt'],
  ['check/redeem.ts', '`${use.judgedBy} ${revoked()}`', 'use.judgedBy'],
  ['check/revoked.ts', 'if (owner !== null) add(known.ofOwner(owner), issuedAt);', ''],
  ['state/revocable-subjects.ts', 'known?.issuer === issuer && ', 'known !== undefined && '],
  ['state/revocable-subjects.ts', ' && known.id === id', ''],
  ['state/revocable-subjects.ts', ' && known.jti === jti', ''],
  ['state/revocable-subjects.ts', ' && known.subject === subject', ''],
  ['state/revocation.ts', "end > 'spiffe://'.length", 'end > id.text.length - 1'],
  ['state/revocation.ts', "(kind === 'token' && text.startsWith('['))", "text.startsWith('[')"],
  ['state/revocations.ts', 'nowMs < untilMs && (', '('],
  ['state/revocations.ts', 'issuedUpToMs === null || ', ''],
  ['state/revocations.ts', 'issuedAt === null || ', ''],
  ['state/revocations.ts', ' + SKEW_MS', ''],
  ['file/revocation-set.ts', 'else both.tighten(same, rows.at(row));', ''],
  ['file/revocation-set.ts', 'before.untilMs(was) !== now.untilMs(row) || ', ''],
  ['file/revocation-set.ts', ' || before.issuedUpToMs(was) !== now.issuedUpToMs(row)', ''],
  ['file/revocation-set.ts', 'kept[row] === 0 && ', ''],
  ['file/revocation-set.ts', ' && earlier.find(before.id(row), before.subject(row)) === row', ''],
  ['file/revocation-set.ts', 'gone && nowMs < before.untilMs(row)', 'gone'],
  ['file/revocation-set.ts', 'if (nowMs < this.#rows.untilMs(row)) count++', 'count++'],
  ['file/revocation-columns.ts', 'Math.max(until, untilMs)', 'untilMs'],
  ['file/revocation-columns.ts', 'Math.max(upTo, issuedUpToMs ?? Number.POSITIVE_INFINITY)', 'upTo'],
  [
    'file/revocation-columns.ts',
    'Math.max(upTo, issuedUpToMs ?? Number.POSITIVE_INFINITY)',
    'issuedUpToMs ?? Number.POSITIVE_INFINITY',
  ],
  ['file/revocation-front.ts', 'times.issuedUpToMs(next) >= upToMs', 'true'],
  ['file/revocation-front.ts', 'times.issuedUpToMs(front[from - 1]!) <= upToMs', 'true'],
  ['file/revocation-front.ts', 'times.untilMs(row) > nowMs', 'true'],
  ['file/revocation-rows.ts', 'this.#of.subject(known) === subject ? known : null', 'known'],
  ['file/revocation-rows.ts', 'if (several.size > 1) this.#rows.set(id, several);', ''],
  ['file/revocation-file.ts', 'known.lines === null || known.lines.stamp === (await stampOfLines(linesPath))', 'true'],
  [
    'file/revocation-file.ts',
    'known.lines === null || known.lines.stamp === (await stampOfLines(linesPath))',
    'known.lines === null',
  ],
  ['file/revocation-file.ts', 'digest !== null && digest === known.lines?.digest', 'false'],
  ['file/revocation-lines-worker.ts', '[...yaml.problems, ...unread, ', '[...yaml.problems, '],
  ['file/revocation-lines-worker.ts', '[...yaml.problems, ...unread, ', '[...unread, '],
  ['file/revocation-entries.ts', 'else this.#complain(() => [', 'else void (() => ['],
  ['file/revocation-entries.ts', 'if (explained.error) this.#complain', 'if (explained.error) void'],
  ['file/revocation-entries.ts', 'this.#names.has(key) || ', ''],
  ['file/revocation-yaml.ts', 'revocationsFile !== undefined && revocationsFile !== REVOCATION_LINES', 'false'],
  [
    'file/revocation-lines-worker.ts',
    'else if (entries.problems.length < MAX_PROBLEMS) entries.problems.push(entry);',
    '',
  ],
  ['file/revocation-lines-worker.ts', 'for (const revocation of revocations) rows.add(revocation);', ''],
  ['file/revocation-lines-worker.ts', 'void rows.add(revocation), places)', 'void rows.add(revocation))'],
  [
    'file/revocation-file-source.ts',
    'read instanceof Fault || read.revocations === last?.revocations',
    'read instanceof Fault',
  ],
  [
    'file/revocation-file-source.ts',
    'before !== null && problems.length > 0 ? yield* before.with(revocations) : revocations',
    'revocations',
  ],
  ['file/revocation-file-source.ts', 'read.text, read.lines?.digest ?? null', 'read.text'],
];

/** What no test can notice, each with its reason. */
const explained: Readonly<Record<string, string>> = {
  'state/revocable-subjects.ts: if (known?.issuer === issuer && known.id === id && known.jti === jti && known.subject === subject) return known.subjects;':
    'saves writing and hashing the same again',
  'check/revoked.ts: times.length === 0 || times.includes(null) ? null -> times.length === 0 ? null':
    'null counts as the beginning of time, which is hit all the same',
  'check/revoked.ts: if (revocations.empty) return null;': 'saves listing what the request rests on',
  'check/redeem.ts: if (redemptions.length === 0) return redeem(state, redemptions, withoutRetry(use), nowMs, touching);':
    'saves a digest of the request, which only what is used once needs',
  'check/touched.ts: if (touches.length === 0) return UNTOUCHING;': 'saves handing on that nothing is touched',
  'state/revocations.ts: issuedAt === null ||  -> ': 'null counts as the beginning of time, which is hit all the same',
};

process.exitCode = await runMutation({
  name: 'recall',
  mutants: sources.flatMap((file) => [...weakenedGuards(root, file, conditions)]),
  conditions: word === '' ? conditions : [],
  tests: [...quick, ...slow],
  waits: true,
  near: (file) => quick.filter((test) => test.startsWith(`${file.split('/').slice(0, -1).join('/')}/`)),
  explained: Object.fromEntries(Object.entries(explained).filter(([name]) => `src/${name}`.includes(word))),
});
