import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { ANN, approvalOrder, BOB } from '../../../test/support/approvals.ts';
import { approvalMark, readApprovalMark } from './approval-mark.ts';
import { approvalRecord } from './approval-record.ts';
import { type ApprovalRequest, MAX_USE_MS, MAX_USES } from './book.ts';
import { requestAskedFor } from './decisions.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const NOW = 1_800_000_000_000;
const asked = requestAskedFor('A'.repeat(22), approvalOrder(), NOW);
const record = approvalRecord(asked);
const consent = (by: string) => ({ by, atMs: NOW, reason: 'it is in the contract', uses: 2, useForMs: MAX_USE_MS });
const { digest, approvals } = asked.order;

function granted(terms: Partial<NonNullable<ApprovalRequest['grant']>> = {}, consents = [consent(ANN)]) {
  const by = consents.map((one) => one.by);
  const grant = { id: asked.id, digest, approvals, uses: 2, untilMs: NOW + MAX_USE_MS, grantedAtMs: NOW, by };
  return { ...asked, consents, grant: { ...grant, ...terms } } satisfies ApprovalRequest;
}
const closed = (over: object): ApprovalRequest =>
  ({ ...asked, closing: { kind: 'refused', atMs: NOW, by: ANN, reason: 'no', ...over } }) as ApprovalRequest;

const markOf = (request: ApprovalRequest): string => approvalMark('test', record, request, privateKey);
const read = (text: string): Promise<ApprovalRequest | null> =>
  readApprovalMark('test', record, asked, text, [publicKey]);

const good: readonly (readonly [what: string, request: ApprovalRequest])[] = [
  ['a grant', granted()],
  ['one of two', granted({ uses: MAX_USES, untilMs: NOW + 1 }, [consent(ANN), consent(BOB)])],
  ['the first yes of two', { ...asked, consents: [consent(ANN)] }],
  ['a refusal', closed({})],
  ['a withdrawal at the last moment', closed({ kind: 'withdrawn', atMs: asked.askUntilMs + MAX_USE_MS })],
];
for (const [what, request] of good)
  test(`${what} is read as it was written`, async () => {
    assert.deepEqual(await read(markOf(request)), request);
  });

const late = [{ ...consent(ANN), atMs: asked.askUntilMs }];
const signedAndBad: readonly (readonly [what: string, request: unknown])[] = [
  ['no person', granted({}, [])],
  ['three persons', granted({}, [ANN, BOB, 'x'].map(consent))],
  ['a person who is no text', granted({}, [consent(5 as unknown as string)])],
  ['a person of any length', granted({}, [consent('x'.repeat(2049))])],
  ['a reason that is no text', { ...asked, consents: [{ ...consent(ANN), reason: null }] }],
  [
    'texts that are longer as they are written',
    { ...asked, consents: [{ ...consent('\u0001'.repeat(2048)), reason: '\u0001'.repeat(2048) }] },
  ],
  ['a yes at no time', { ...asked, consents: [{ ...consent(ANN), atMs: -1 }] }],
  ['a yes as text', { ...asked, consents: [{ ...consent(ANN), atMs: `${NOW}` }] }],
  ['a yes that came too late', granted({ grantedAtMs: asked.askUntilMs }, late)],
  ['no use', granted({ uses: 0 })],
  ['half a use', granted({ uses: 1.5 })],
  ['too many uses', granted({ uses: MAX_USES + 1 })],
  ['too long a use', granted({ untilMs: NOW + MAX_USE_MS + 1 })],
  ['a use without an end', granted({ untilMs: null as unknown as number })],
];
for (const [what, request] of signedAndBad)
  test(`a mark with ${what} is none, though it is signed`, async () => {
    assert.equal(await read(markOf(request as ApprovalRequest)), null);
  });

const closings: readonly (readonly [what: string, over: object])[] = [
  ['of another kind', { kind: 'granted' }],
  ['of no kind', { kind: 5 }],
  ['at no time', { atMs: null }],
  ['of a time to come', { atMs: asked.askUntilMs + MAX_USE_MS + 1 }],
  ['by nobody', { by: null }],
  ['without a reason', { reason: 5 }],
  ['of any length', { reason: 'x'.repeat(2049) }],
];
for (const [what, over] of closings)
  test(`a closing ${what} is none`, async () => {
    assert.equal(await read(markOf(closed(over))), null);
  });

test('whatever else stands in the place of a mark, or beside what is signed, is none', async () => {
  const [grant, refusal] = [granted(), closed({})].map(markOf) as [string, string];
  const end = /("[^"]*")\]$/;
  for (const text of [
    '',
    'granted',
    '1 2 {}',
    '1 2 []',
    `1 2 ["granted"]`,
    `1 2 ["granted",[5],null,""]`,
    grant.replace(end, '0,$1]'),
    grant.replace(end, '5]'),
    grant.replace(end, '""]'),
    grant.replace(/^\d+/, '1'),
    grant.replace(' 2 [', ' 1 ['),
    grant.replace(`[2,${NOW + MAX_USE_MS}]`, `[2,${NOW + MAX_USE_MS},0]`),
    grant.replace(`[2,${NOW + MAX_USE_MS}]`, '5'),
    refusal.replace(end, '0,""]'),
    refusal.replace(end, '"x"]'),
    refusal.replace(end, '5]'),
    refusal.replace('["refused"', `[${' '.repeat(16 * 1024)}"refused"`),
  ])
    assert.equal(await read(text), null, text.slice(0, 300));
});

test('what closes needs no key, and what opens the one of this namespace, for this very request', async () => {
  assert.deepEqual(await read(approvalMark('test', record, closed({}), null)), closed({}));
  for (const text of [
    approvalMark('test', record, granted(), null),
    approvalMark('other', record, granted(), privateKey),
    approvalMark('test', approvalRecord({ ...asked, askedAtMs: NOW + 1 }), granted(), privateKey),
    approvalMark('test', record, granted(), generateKeyPairSync('ed25519').privateKey),
  ])
    assert.equal(await read(text), null, text);
});
