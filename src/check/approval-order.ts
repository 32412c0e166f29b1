import { hash } from 'node:crypto';
import { attempt } from '../base/attempt.ts';
import { canonicalJson } from '../base/json.ts';
import { Refusal } from '../base/outcome.ts';
import { type SeenBody, seenBody } from '../http/body.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Target } from '../inventory/model.ts';
import { sensitivities } from '../inventory/schema.ts';
import { type ApprovalOrder, requestDigest } from '../state/approvals/order.ts';
import type { TaskContext } from '../task/model.ts';
import type { Facts } from './recall.ts';

/** Longer bodies are shown by their digest alone. */
const MAX_SHOWN_BYTES = 4096;
/** What a person is asked about is kept until it is decided, and shown whole: all of it in bytes of JSON. */
const MAX_ORDER_BYTES = 24_576;

/**
 * What a person is asked for: everything about the request that policies or the service read a meaning from, and nothing that
 * another attempt has anew (tokens, proofs, certificates, ids, times, addresses). The path and the query are as they were sent.
 * Refusals: `approval_body_unseen`, and `approval_required` for a request that is too long to be shown.
 */
export function approvalOrder(
  input: CheckInput,
  { action, resource }: Target,
  { workload }: Caller,
  { task, declared, chain }: Pick<TaskContext, 'task' | 'declared' | 'chain'>,
  facts: Pick<Facts, 'headers' | 'numbers'>,
  approvals: readonly string[],
): ApprovalOrder | Refusal {
  const body = seenBody(input);
  if (body instanceof Refusal) return body;
  const request = {
    approvals,
    caller: workload.id.text,
    chain: chain.map(({ id }) => id.text),
    task: task && { issuer: task.issuer, id: task.id, purpose: task.purpose, subject: task.subject },
    action,
    host: input.host,
    method: input.method,
    path: input.rawPath,
    query: input.query,
    contentType: input.headers.all('content-type')[0] ?? null,
    headers: digestOfHeaders(input, declared, facts),
    body: body && { sha256: body.sha256, bytes: body.bytes.length, shown: shownText(body) },
    owner: workload.owner,
    sensitivity: sensitivities[resource.sensitivity] ?? null,
  };
  if (Buffer.byteLength(JSON.stringify(request)) > MAX_ORDER_BYTES)
    return new Refusal(
      'approval_required',
      `approvals that are missing: ${approvals.join(', ')}; too long to be shown`,
    );
  return { ...request, digest: requestDigest(request) };
}

/** Of the headers that policies read, of the task that is only declared, and of how the body is coded; null: there are none. */
function digestOfHeaders(
  input: CheckInput,
  declared: TaskContext['declared'],
  { headers, numbers }: Pick<Facts, 'headers' | 'numbers'>,
): string | null {
  const coding = input.headers.all('content-encoding');
  if (headers.size + numbers.size + coding.length === 0 && declared === null) return null;
  const read = { headers: [...headers].sort(), numbers: [...numbers].sort(), declared, coding };
  return hash('sha256', canonicalJson(read), 'base64url');
}

/** The whole body as text; null where it is too long, or no UTF-8. */
function shownText({ bytes }: SeenBody): string | null {
  return bytes.length > MAX_SHOWN_BYTES ? null : attempt(() => utf8.decode(bytes));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
