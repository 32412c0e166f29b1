import { hash, type KeyObject } from 'node:crypto';
import { jsonOf } from '../../base/json.ts';
import { isSigned, signText } from '../signature.ts';
import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import { digestOfRecord, readApprovalRecord } from './approval-record.ts';
import type { ApprovalRequest, GlassUse, Review } from './book.ts';
import { GLASS_USE_MS, glassKeptUntil, NEVER_MS } from './break-glass.ts';

const DOMAIN = 'cedar-ext-authz break-glass 1';
const MAX_NAMED_CHARS = 2048;

/** What a record of a store says of break-glass: a use, over the record of its request, or who began the record of them. */
export type GlassRecord =
  | { readonly kind: 'broken'; readonly asked: ApprovalRequest; readonly use: GlassUse }
  | { readonly kind: 'begun'; readonly beginning: Review };

/** The signature of a use: it opens one request, and keeps the person's right from being used without a review. */
export const signUse = (namespace: string, request: string, use: GlassUse, key: KeyObject): string =>
  signText(DOMAIN, usedText(namespace, request, use), key);

/** Whether a trusted key signed a use of the request of this record, which is no longer than it may be. Never rejects. */
export async function isUsed(
  namespace: string,
  request: string,
  asked: ApprovalRequest,
  use: GlassUse,
  keys: readonly KeyObject[],
): Promise<boolean> {
  const { atMs, untilMs, signature } = use;
  if (atMs >= asked.askUntilMs || untilMs > atMs + GLASS_USE_MS) return false;
  return isSigned(DOMAIN, usedText(namespace, request, use), keys, signature);
}

/** A use as it stands in marks and records. */
export const partsOfUse = ({ by, atMs, reason, untilMs }: GlassUse): readonly unknown[] => [by, atMs, reason, untilMs];

/** The same, read; null where it is none. */
export function readUse(parts: readonly unknown[]): GlassUse | null {
  const [by, atMs, reason, untilMs, signature, ...more] = parts;
  if (!isNamed(by) || !isTime(atMs) || !isNamed(reason) || !isTime(untilMs) || more.length > 0) return null;
  return typeof signature === 'string' ? { by, atMs, reason, untilMs, signature } : null;
}

/** Where a store has it. */
export const glassField = (id: string): string => `glass:${id}`;
export const beginningField = (by: string): string => `glass-begun:${hash('sha256', by, 'base64url')}`;

/** A use beside its request, which may be forgotten before anybody looked at it. */
export const glassRecord = (request: string, use: GlassUse): string =>
  `${NEVER_MS} ${JSON.stringify(['broken', request, ...partsOfUse(use), use.signature])}`;

/** That another person says that nothing waits which is not known. */
function beginningRecord(namespace: string, { by, atMs, reason }: Review, key: KeyObject): string {
  const signature = signText(DOMAIN, begunText(namespace, { by, atMs, reason }), key);
  return `${NEVER_MS} ${JSON.stringify(['begun', by, atMs, reason, signature])}`;
}

/** The record of a store; null where it is none, `rejected` where no trusted key signed it. Never rejects. */
export async function readGlassRecord(
  namespace: string,
  text: string,
  keys: readonly KeyObject[],
): Promise<GlassRecord | 'rejected' | null> {
  const parts = partsOf(text);
  if (parts === null || !text.startsWith(`${NEVER_MS} `)) return null;
  if (parts[0] === 'begun') {
    const [, by, atMs, reason, signature, ...more] = parts;
    if (!isNamed(by) || !isTime(atMs) || !isNamed(reason) || typeof signature !== 'string' || more.length > 0)
      return null;
    const beginning = { by, atMs, reason };
    const good = await isSigned(DOMAIN, begunText(namespace, beginning), keys, signature);
    return good ? { kind: 'begun', beginning } : 'rejected';
  }
  const [kind, request, ...rest] = parts;
  if (kind !== 'broken' || typeof request !== 'string') return null;
  const [asked, use] = [readApprovalRecord(request), readUse(rest)];
  if (asked === null || use === null || glassRecord(request, use) !== text) return null;
  return (await isUsed(namespace, request, asked, use, keys)) ? { kind: 'broken', asked, use } : 'rejected';
}

/** A review as it marks the record of a use. */
function reviewMark(namespace: string, record: string, review: Review, key: KeyObject): string {
  return markText(review, signText(DOMAIN, reviewedText(namespace, record, review), key));
}

/** What a review is written as: a mark of the record of a use, or (null) a record of its own that begins all of them. */
export function reviewTexts(namespace: string, id: string, record: string | null, review: Review, key: KeyObject) {
  return record === null
    ? { field: beginningField(review.by), record: beginningRecord(namespace, review, key), mark: '' }
    : { field: glassField(id), record, mark: reviewMark(namespace, record, review, key) };
}

/** The review of a mark; null where it is none, `rejected` where no trusted key signed it. Never rejects. */
export async function readReviewMark(
  namespace: string,
  record: string,
  text: string,
  keys: readonly KeyObject[],
): Promise<Review | 'rejected' | null> {
  const [by, atMs, reason, signature] = partsOf(text) ?? [];
  if (!isNamed(by) || !isTime(atMs) || !isNamed(reason) || typeof signature !== 'string') return null;
  const review = { by, atMs, reason };
  if (markText(review, signature) !== text) return null;
  return (await isSigned(DOMAIN, reviewedText(namespace, record, review), keys, signature)) ? review : 'rejected';
}

/** A review goes as far as a mark can: nothing takes its place. */
const markText = (review: Review, signature: string): string =>
  `${glassKeptUntil(review)} 0 ${JSON.stringify([review.by, review.atMs, review.reason, signature])}`;

const usedText = (namespace: string, request: string, use: GlassUse): string =>
  JSON.stringify(['broken', namespace, digestOfRecord(request), ...partsOfUse(use)]);
const begunText = (namespace: string, { by, atMs, reason }: Review): string =>
  JSON.stringify(['begun', namespace, by, atMs, reason]);
const reviewedText = (namespace: string, record: string, { by, atMs, reason }: Review): string =>
  JSON.stringify(['reviewed', namespace, digestOfRecord(record), by, atMs, reason]);

function partsOf(text: string): readonly unknown[] | null {
  const [, json] = /^\d{1,15} (?:\d )?(\[.*\])$/s.exec(text) ?? [];
  const parts = json === undefined || text.length > MAX_RECORD_BYTES ? null : jsonOf(json);
  return Array.isArray(parts) ? parts : null;
}

const isTime = (one: unknown): one is number =>
  Number.isSafeInteger(one) && (one as number) >= 0 && (one as number) <= NEVER_MS;
const isNamed = (one: unknown): one is string => typeof one === 'string' && one.length <= MAX_NAMED_CHARS;
