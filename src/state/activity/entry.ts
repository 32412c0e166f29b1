import { jsonOf } from '../../base/json.ts';
import { withoutTokens } from '../../base/redact.ts';
import type { DecisionSummary } from './model.ts';

/** The most that one kept decision takes as text, in bytes. */
export const ENTRY_BYTES = 1664;

/** Of a text so much is looked at, tokens included, and then so much of it is kept, in bytes. */
const LOOKED_AT = 4096;
export const WORKLOAD_BYTES = 512;
const TEXT_BYTES = 256;
const SHORT_BYTES = 64;

/** How a workload is named in what is kept: whole, but for the longest SPIFFE IDs. */
export const workloadText = (id: string): string => cut(id, WORKLOAD_BYTES);

/**
 * One decision as one text of at most `ENTRY_BYTES`, which shares no memory with what it was made of. Every JWT in it is
 * replaced by its digest, and every text is cut; where they are too long together, all but the caller's is cut to 64 bytes.
 */
export function encodeSummary(summary: DecisionSummary): string {
  const text = JSON.stringify(cutBy(summary, (value) => cut(withoutTokens(value.slice(0, LOOKED_AT)), TEXT_BYTES)));
  if (text.length * 3 <= ENTRY_BYTES || Buffer.byteLength(text) <= ENTRY_BYTES) return text;
  return JSON.stringify(
    cutBy(summary, (value) => cut(withoutTokens(value.slice(0, LOOKED_AT)).replace(/[^ !#-[\]-~]/g, '?'), SHORT_BYTES)),
  );
}

/** Reads what `encodeSummary` wrote; null where it is something else: whoever may write to a store may write anything. */
export function decodeSummary(text: string): DecisionSummary | null {
  const value = text.length <= ENTRY_BYTES ? parseObject(text) : null;
  if (value === null) return null;
  const { decision, timeMs, result, reason, caller, owner, action, host, credential, sidecar, omitted } = value;
  if (!isText(decision) || !isText(reason) || !isText(sidecar) || !isCount(timeMs) || !isCount(omitted)) return null;
  if (result !== 'allow' && result !== 'deny') return null;
  const task = isObject(value.task) ? value.task : null;
  const resource = isObject(value.resource) ? value.resource : null;
  return {
    decision,
    timeMs,
    result,
    reason,
    caller: textOrNull(caller),
    owner: textOrNull(owner),
    task:
      task !== null && isText(task.issuer) && isText(task.id) && isText(task.purpose)
        ? { issuer: task.issuer, id: task.id, purpose: task.purpose }
        : null,
    action: textOrNull(action),
    resource: resource !== null && isText(resource.id) ? { id: resource.id, api: textOrNull(resource.api) } : null,
    host: textOrNull(host),
    credential: textOrNull(credential),
    sidecar,
    omitted,
  };
}

/** The JSON object in a text; null where it holds none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  const value = jsonOf(text);
  return isObject(value) ? value : null;
}

export const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether it can be a count, or a time in milliseconds since the epoch that Date knows too. */
export const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 8.64e15;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const textOrNull = (value: unknown): string | null => (isText(value) ? value : null);

function cutBy(summary: DecisionSummary, by: (text: string) => string): DecisionSummary {
  const maybe = (text: string | null): string | null => (text === null ? null : by(text));
  const { caller, owner, task, action, resource, host, credential, sidecar } = summary;
  return {
    ...summary,
    caller: caller === null ? null : workloadText(caller),
    owner: maybe(owner),
    task: task && { issuer: by(task.issuer), id: by(task.id), purpose: by(task.purpose) },
    action: maybe(action),
    resource: resource && { id: by(resource.id), api: maybe(resource.api) },
    host: maybe(host),
    credential: maybe(credential),
    sidecar: by(sidecar),
  };
}

/** The text in so many bytes of UTF-8 at most, with `…` where it was cut. */
function cut(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const length = Buffer.byteLength(text);
  if (length <= bytes) return text;
  const kept = length === text.length ? bytes - 3 : Math.floor(bytes / 3) - 1;
  return `${text.slice(0, kept).toWellFormed()}…`;
}
