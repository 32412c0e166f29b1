import type { KeyObject } from 'node:crypto';
import { jsonOf } from '../../base/json.ts';
import { isSigned, signText } from '../signature.ts';
import { digestOfRecord } from './approval-record.ts';
import { type ApprovalRequest, type Closing, type Consent, MAX_USE_MS, MAX_USES } from './book.ts';
import { withGlass } from './break-glass.ts';
import { isUsed, partsOfUse, readUse } from './glass-record.ts';
import { keptUntil } from './request-state.ts';

const DOMAIN = 'cedar-ext-authz approval 1';
/** Anybody who can write can write a closing: it takes no more than the longest of those that are ordered, however it is escaped. */
const MAX_MARK_CHARS = 16 * 1024;
const MAX_NAMED_CHARS = 2048;
const MAX_CONSENTS = 2;

/** How far a mark goes, as the scripts of a store read it: the end, the first yes of two, the grant. */
const ENDED = 0;
const BEGUN = 1;
const GRANTED = 2;

/**
 * What became of a request as stores hold it: until when it is remembered by that, how far it goes, and JSON. What opens must be
 * signed, over the very request; a refusal or a withdrawal that nobody signed counts.
 */
export function approvalMark(
  namespace: string,
  record: string,
  request: ApprovalRequest,
  key: KeyObject | null,
): string {
  const parts = partsOf(request);
  const { closing, glass } = request;
  const signed = () => (key === null ? '' : signText(DOMAIN, signedOf(namespace, record, parts), key));
  return textOf(request, [...parts, closing !== null ? '' : (glass?.signature ?? signed())]);
}

/**
 * What a mark makes of a request that nobody has answered; null where it is none, or one that opens and that no key signed. Never
 * rejects.
 */
export async function readApprovalMark(
  namespace: string,
  record: string,
  asked: ApprovalRequest,
  text: string,
  keys: readonly KeyObject[],
): Promise<ApprovalRequest | null> {
  const [, json] = /^\d{1,15} \d (\[.*\])$/s.exec(text) ?? [];
  const parts = json === undefined || text.length > MAX_MARK_CHARS ? null : jsonOf(json);
  if (!Array.isArray(parts)) return null;
  const [kind, ...rest] = parts as readonly unknown[];
  const signature = rest.at(-1);
  const read = readParts(asked, kind, rest);
  if (read === null || typeof signature !== 'string' || textOf(read, parts) !== text) return null;
  if (read.closing !== null) return signature === '' ? read : null;
  if (read.glass !== null) return (await isUsed(namespace, record, asked, read.glass, keys)) ? read : null;
  return (await isSigned(DOMAIN, signedOf(namespace, record, partsOf(read)), keys, signature)) ? read : null;
}

function readParts(asked: ApprovalRequest, kind: unknown, rest: readonly unknown[]): ApprovalRequest | null {
  if (kind === 'granted') return withConsents(asked, rest);
  if (kind !== 'broken') return withClosing(asked, kind, rest);
  const use = readUse(rest);
  return use === null ? null : withGlass(asked, use);
}

function withConsents(asked: ApprovalRequest, rest: readonly unknown[]): ApprovalRequest | null {
  const [given, terms, , ...more] = rest;
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_CONSENTS || more.length > 0) return null;
  const consents: Consent[] = [];
  for (const one of given as readonly unknown[]) {
    const [by, atMs, reason, uses, useForMs] = Array.isArray(one) ? (one as readonly unknown[]) : [];
    if (!isNamed(by) || !isNamed(reason) || !isTime(atMs) || !isTime(uses) || !isTime(useForMs)) return null;
    consents.push({ by, atMs, reason, uses, useForMs });
  }
  if (terms === null) return { ...asked, consents };
  if (!Array.isArray(terms) || terms.length !== 2) return null;
  const [uses, untilMs] = terms as readonly unknown[];
  const grantedAtMs = consents.at(-1)!.atMs;
  if (!isTime(uses) || uses < 1 || uses > MAX_USES || !isTime(untilMs)) return null;
  if (grantedAtMs >= asked.askUntilMs || untilMs > grantedAtMs + MAX_USE_MS) return null;
  const { digest, approvals } = asked.order;
  const by = consents.map((one) => one.by);
  return { ...asked, consents, grant: { id: asked.id, digest, approvals, uses, untilMs, grantedAtMs, by } };
}

function withClosing(asked: ApprovalRequest, kind: unknown, rest: readonly unknown[]): ApprovalRequest | null {
  const [atMs, by, reason, , ...more] = rest;
  if (kind !== 'refused' && kind !== 'withdrawn') return null;
  if (!isTime(atMs) || !isNamed(by) || !isNamed(reason) || more.length > 0) return null;
  // Nothing is open later: who writes such a time makes a request rest for ever.
  return atMs > asked.askUntilMs + MAX_USE_MS
    ? null
    : { ...asked, closing: { kind, atMs, by, reason } satisfies Closing };
}

/** All that a mark says of a request, but for the signature. */
function partsOf({ consents, grant, glass, closing }: ApprovalRequest): readonly unknown[] {
  if (closing !== null) return [closing.kind, closing.atMs, closing.by, closing.reason];
  if (glass !== null) return ['broken', ...partsOfUse(glass)];
  const given = consents.map(({ by, atMs, reason, uses, useForMs }) => [by, atMs, reason, uses, useForMs]);
  return ['granted', given, grant === null ? null : [grant.uses, grant.untilMs]];
}

function textOf(request: ApprovalRequest, parts: readonly unknown[]): string {
  const { closing, grant } = request;
  const rank = closing !== null ? ENDED : grant === null ? BEGUN : GRANTED;
  return `${keptUntil(request)} ${rank} ${JSON.stringify(parts)}`;
}

const signedOf = (namespace: string, record: string, parts: readonly unknown[]): string =>
  JSON.stringify([namespace, digestOfRecord(record), ...parts]);

const isTime = (one: unknown): one is number =>
  Number.isSafeInteger(one) && (one as number) >= 0 && (one as number) <= 999_999_999_999_999;
const isNamed = (one: unknown): one is string => typeof one === 'string' && one.length <= MAX_NAMED_CHARS;
