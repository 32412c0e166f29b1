import { globSync } from 'node:fs';
import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each rule of the requests that persons approve have a test, in a process and in a store? One guard after another is
 * deleted, and one condition after another is weakened, those of the scripts too; the tests, with a real Redis, must notice.
 * A word picks the files whose path holds it.
 */

const [, , word = ''] = process.argv;
const sources = globSync(
  ['src/state/approvals/*.ts', 'src/state/redis/approvals/*.ts', 'src/state/redis/marked-scripts.ts'],
  { cwd: root },
).filter((file) => !file.endsWith('.test.ts') && file.includes(word));
const tests = globSync(
  ['src/state/approvals/*.test.ts', 'src/state/redis/approvals/*.test.ts', 'src/state/redis/marked-scripts.test.ts'],
  { cwd: root },
);

const conditions: readonly Condition[] = [
  ['approval-mark.ts', ' || textOf(read, parts) !== text', ''],
  ['approval-mark.ts', "return signature === '' ? read : null", 'return read'],
  ['approval-mark.ts', '(await isSigned(DOMAIN, signedOf(namespace, record, partsOf(read)), keys, signature))', 'true'],
  ['approval-mark.ts', '[namespace, digestOfRecord(record), ...parts]', '[digestOfRecord(record), ...parts]'],
  ['approval-mark.ts', '[namespace, digestOfRecord(record), ...parts]', '[namespace, ...parts]'],
  ['approval-mark.ts', 'grantedAtMs >= asked.askUntilMs || ', ''],
  ['approval-mark.ts', ' || untilMs > grantedAtMs + MAX_USE_MS', ''],
  ['approval-mark.ts', ' || uses > MAX_USES', ''],
  ['approval-mark.ts', 'uses < 1 || ', ''],
  ['approval-mark.ts', 'given.length > MAX_CONSENTS || ', ''],
  ['approval-mark.ts', 'given.length === 0 || ', ''],
  ['approval-mark.ts', 'atMs > asked.askUntilMs + MAX_USE_MS', 'false'],
  ['approval-mark.ts', 'json === undefined || text.length > MAX_MARK_CHARS', 'json === undefined'],
  ['approval-mirror.ts', ' || asked.askedAtMs > now() + skewMs', ''],
  ['approval-mirror.ts', 'known?.record === record && known.mark', 'known?.mark'],
  ['approval-mirror.ts', ' && known.keptUntilMs > nowMs', ''],
  ['approval-mirror.ts', 'known.seenIn !== this.#pass && ', ''],
  ['approval-mirror.ts', 'Math.max(keptUntil(asked), before?.keptUntilMs ?? 0)', 'keptUntil(asked)'],
  ['approval-mirror.ts', 'Math.max(keptUntil(marked), known.keptUntilMs)', 'keptUntil(marked)'],
  ['approval-mirror.ts', 'marked === null || !goesFurther', 'marked !== null && !goesFurther'],
  ['approval-mirror.ts', ' || !goesFurther(marked, this.table.ofDigest(digest)!)', ''],
  ['approval-mirror.ts', ' || (asked.askedAtMs === known.askedAtMs && asked.id > known.id)', ''],
  ['approval-mirror.ts', 'asked.askedAtMs > known.askedAtMs || ', ''],
  ['approval-mirror.ts', ' || marked.consents.length > known.consents.length', ''],
  ['approval-mirror.ts', 'if (keptUntilMs > beforeMs) continue;', ''],
  ['approval-mirror.ts', 'this.size < this.#parts.most', 'true'],
  ['approval-record.ts', 'isTrueToDigest(request.order) && ', ''],
  ['approval-record.ts', ' && approvalRecord(request) === text', ''],
  ['approval-record.ts', 'json === undefined || text.length > MAX_RECORD_BYTES', 'json === undefined'],
  ['approval-table.ts', "stateOfRequest(request, nowMs) !== 'granted'", 'request.grant === null'],
  ['approval-table.ts', 'if (keptUntil(request) <= nowMs) ', 'if (false) '],
  ['approval-table.ts', 'if (keptUntil(request) <= nowMs) ', ''],
  ['decisions.ts', ' || !isDeepStrictEqual(given.approvals, order.approvals)', ''],
  ['decisions.ts', 'Math.min(...all.map((one) => one.uses))', 'uses'],
  ['decisions.ts', 'Math.min(...all.map((one) => one.useForMs))', 'useForMs'],
  ['decisions.ts', 'spent === id ? null', 'spent !== null ? null'],
  ['decisions.ts', 'spent === id ? null', 'false ? null'],
  ['decisions.ts', 'nowMs < restsUntilMs ?', 'true ?'],
  ['decisions.ts', 'nowMs < restsUntilMs ?', 'false ?'],
  ['decisions.ts', 'table.size >= MAX_APPROVALS && !replaces', 'table.size >= MAX_APPROVALS'],
  ['decisions.ts', 'table.size >= MAX_APPROVALS && !replaces', 'false'],
  ['decisions.ts', "(kind === 'withdrawn' && state === 'granted')", "state === 'granted'"],
  ['decisions.ts', " || (kind === 'withdrawn' && state === 'granted')", ''],
  ['decisions.ts', "state === 'pending' || (", 'true || ('],
  ['order.ts', ', body.shown !== null]', ']'],
  ['order.ts', 'Buffer.byteLength(shown) !== bytes || ', ''],
  [
    'order.ts',
    "(Buffer.byteLength(shown) !== bytes || hash('sha256', shown, 'base64url') !== sha256)",
    '(Buffer.byteLength(shown) !== bytes)',
  ],
  ['request-state.ts', 'nowMs < grant.untilMs ?', 'true ?'],
  ['request-state.ts', 'nowMs < askUntilMs ?', 'true ?'],
  ['request-state.ts', 'Math.max(askUntilMs + MAX_USE_MS, closing.atMs + REST_MS)', 'closing.atMs + REST_MS'],
  ['request-state.ts', 'Math.max(askUntilMs + MAX_USE_MS, closing.atMs + REST_MS)', 'askUntilMs + MAX_USE_MS'],
  ['request-state.ts', 'Math.max(askUntilMs, grant?.untilMs ?? 0)', 'askUntilMs'],
  ['store-approvals.ts', 'this.unknown(nowMs) === null ? this.#mirror', 'true ? this.#mirror'],
  ['store-approvals.ts', 'Math.max(nowMs, (before?.askedAtMs ?? 0) + 1)', 'nowMs'],
  ['store-approvals.ts', 'if (underWay !== undefined) return underWay.asked;', ''],
  ['store-approvals.ts', 'asked.finally(() => this.#asking.delete(digest))', 'asked'],
  ['store-approvals.ts', "again.result === 'new' ? unavailable", 'false ? unavailable'],
  ['store-approvals.ts', ' || (key !== null && request.consents.length < decided.consents.length)', ''],
  [
    'store-approvals.ts',
    'await within(this.#ask(order, nowMs), timeoutMs, () =>',
    'await within(this.#ask(order, nowMs), 60_000, () =>',
  ],
  ['redis/approvals/scripts.ts', "if tonumber(ARGV[7]) > now + tonumber(ARGV[8]) then return {'skew'} end", ''],
  ['redis/approvals/scripts.ts', "if (before or '') ~= ARGV[4] then", 'if false then'],
  [
    'redis/approvals/scripts.ts',
    "if redis.call('ZCARD', pending) > 2 * tonumber(ARGV[12]) then return {'crowded'} end",
    '',
  ],
  ['redis/approvals/scripts.ts', 'tonumber(waiting[i + 1]) <= now or ', ''],
  ['redis/approvals/scripts.ts', ' or waiting[i] == member then', ' then'],
  ['redis/approvals/scripts.ts', 'if string.sub(waiting[i], -#ARGV[10]) == ARGV[10] then own', 'if true then own'],
  ['redis/approvals/scripts.ts', 'all >= tonumber(ARGV[12]) or ', ''],
  ['redis/approvals/scripts.ts', ' or own >= tonumber(ARGV[11]) then', ' then'],
  ['redis/approvals/scripts.ts', 'if held then drop(marks, redis.sha1hex(before), held) end', ''],
  ['redis/approvals/scripts.ts', "redis.call('HLEN', records) >= tonumber(ARGV[5]) or ", ''],
  ['redis/approvals/scripts.ts', ' or not roomFor(ARGV[3], ARGV[6]) then', ' then'],
  ['redis/approvals/scripts.ts', "redis.call('ZADD', pending, ARGV[9], member)", ''],
  ['redis/approvals/scripts.ts', "if redis.call('HGET', records, ARGV[2]) ~= ARGV[3] then return {'other'} end", ''],
  ['redis/approvals/scripts.ts', 'if not isEnd(ARGV[4]) then', 'if true then'],
  ['redis/approvals/scripts.ts', "if (held or '') ~= ARGV[5] then return {'changed', held or ''} end", ''],
  ['redis/approvals/scripts.ts', "if tonumber(ARGV[6]) <= now then return {'late'} end", ''],
  ['redis/approvals/scripts.ts', "redis.call('ZREM', KEYS[6], ARGV[2] .. ' ' .. ARGV[7])", ''],
  ['marked-scripts.ts', 'text and #text <= ', 'text and 0 <= '],
  ['marked-scripts.ts', 'if isEnd(mark) or isEnd(held) then return isEnd(mark) end', ''],
  ['marked-scripts.ts', "string.find(mark, '^%d+ 0 ') ~= nil", 'false'],
  ['marked-scripts.ts', 'heldNumber == nil or ', ''],
  ['marked-scripts.ts', 'if before and before ~= record then', 'if false then'],
  ['marked-scripts.ts', "redis.call('HLEN', records) >= tonumber(ARGV[2]) or ", ''],
  ['marked-scripts.ts', ' or not roomFor(record, ARGV[3]) then', ' then'],
  ['marked-scripts.ts', ' and (not held or isLater(text, held)) then', ' then'],
  ['marked-scripts.ts', '  if changed then note(field) end\n', ''],
];

process.exitCode = await runMutation({
  name: 'approvals',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions: word === '' ? conditions : [],
  tests,
  waits: true,
  near: (file) =>
    tests.filter((test) => test.startsWith(`${file.split('/').slice(0, -1).join('/')}/`) && !test.includes('thief')),
  explained: {
    "state/redis/approvals/scripts.ts: if redis.call('ZCARD', pending) > 2 * tonumber(ARGV[12]) then return {'crowded'} end -> ":
      'the answer is the same; without it a store would list all that a thief has it hold',
  },
});
