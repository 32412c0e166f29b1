import { hash } from 'node:crypto';
import { jsonOf } from '../../base/json.ts';
import { MAX_RECORD_BYTES } from '../store-mirror.ts';
import type { ApprovalRequest } from './book.ts';
import { requestAskedFor } from './decisions.ts';
import { type ApprovalOrder, isTrueToDigest, requestDigest } from './order.ts';
import { keptUntil } from './request-state.ts';

const ID = /^[A-Za-z0-9_-]{22}$/;

/**
 * A request as stores hold it: until when it is remembered where nobody answers, for their scripts, and JSON. Nobody signs it, since
 * it opens nothing; its digest is made of what it says.
 */
export function approvalRecord({ id, askedAtMs, askUntilMs, order }: ApprovalRequest): string {
  const { approvals, caller, chain, task, action, host, method, path, query, contentType, headers, declared, body } =
    order;
  const above = task === null ? null : [task.issuer, task.id, task.purpose, task.subject];
  const sent = body === null ? null : [body.sha256, body.bytes, body.shown];
  const parts = [id, askedAtMs, approvals, caller, chain, above, action, host, method, path, query, contentType];
  const kept = keptUntil({ askUntilMs, grant: null, closing: null });
  const claimed = declared === null ? null : [declared.id, declared.purpose];
  return `${kept} ${JSON.stringify([...parts, headers, claimed, sent, order.owner, order.sensitivity])}`;
}

/** The request of a record that nobody has answered; null where it is none, or shows a body that is not that of its digest. */
export function readApprovalRecord(text: string): ApprovalRequest | null {
  const [, json] = /^\d{1,15} (\[.*\])$/s.exec(text) ?? [];
  const parts = json === undefined || text.length > MAX_RECORD_BYTES ? null : jsonOf(json);
  if (!Array.isArray(parts) || parts.length !== 17) return null;
  const [id, askedAtMs, approvals, caller, chain, above, ...more] = parts as readonly unknown[];
  const [action, host, method, path, query, contentType, headers, claimed, sent, owner, sensitivity] = more;
  if (typeof id !== 'string' || !ID.test(id) || !isCount(askedAtMs)) return null;
  if (![caller, action, host, method, path].every(isText) || !isTexts(approvals) || !isTexts(chain)) return null;
  if (![query, contentType, owner, sensitivity].every(isTextOrNull)) return null;
  if (!Array.isArray(headers) || !headers.every(isPair) || (claimed !== null && !isPair(claimed))) return null;
  const declared = claimed === null ? null : { id: claimed[0], purpose: claimed[1] };
  const [task, body] = [taskOf(above), bodyOf(sent)];
  if (task === undefined || body === undefined) return null;
  const said = {
    caller,
    chain,
    task,
    action,
    host,
    method,
    path,
    query,
    contentType,
    headers,
    declared,
    body,
    owner,
    sensitivity,
  };
  const order = { approvals, ...said } as Omit<ApprovalOrder, 'digest'>;
  const request = requestAskedFor(id, { ...order, digest: requestDigest(order) }, askedAtMs as number);
  return isTrueToDigest(request.order) && approvalRecord(request) === text ? request : null;
}

/** By which a mark names the very request that it belongs to. */
export const digestOfRecord = (record: string): string => hash('sha256', record, 'base64url');

function taskOf(above: unknown): ApprovalOrder['task'] | undefined {
  if (above === null) return null;
  if (!Array.isArray(above) || above.length !== 4) return undefined;
  const [issuer, id, purpose, subject] = above as readonly unknown[];
  const good = [issuer, id].every(isText) && [purpose, subject].every(isTextOrNull);
  return good ? ({ issuer, id, purpose, subject } as ApprovalOrder['task']) : undefined;
}

function bodyOf(sent: unknown): ApprovalOrder['body'] | undefined {
  if (sent === null) return null;
  if (!Array.isArray(sent) || sent.length !== 3) return undefined;
  const [sha256, bytes, shown] = sent as readonly unknown[];
  const good = isText(sha256) && isCount(bytes) && isTextOrNull(shown);
  return good ? ({ sha256, bytes, shown } as ApprovalOrder['body']) : undefined;
}

const isText = (one: unknown): one is string => typeof one === 'string';
const isTextOrNull = (one: unknown): boolean => one === null || isText(one);
const isTexts = (one: unknown): one is readonly string[] => Array.isArray(one) && one.every(isText);
const isPair = (one: unknown): one is readonly [string, string] => isTexts(one) && one.length === 2;
const isCount = (one: unknown): boolean => Number.isSafeInteger(one) && (one as number) >= 0;
