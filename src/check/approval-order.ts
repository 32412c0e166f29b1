import { attempt } from '../base/attempt.ts';
import { Refusal } from '../base/outcome.ts';
import { type SeenBody, seenBody } from '../http/body.ts';
import type { CheckInput, Headers } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Target } from '../inventory/model.ts';
import { sensitivities } from '../inventory/schema.ts';
import { type ApprovalOrder, requestDigest } from '../state/approvals/order.ts';
import type { TaskContext } from '../task/model.ts';
import type { Facts } from './recall.ts';

const CODING = 'content-encoding';
/** A content type names a charset so often, and so often one in which UTF-8 can be read. */
const [CHARSET, UTF_8] = [/charset/gi, /; *charset="?(?:utf-8|us-ascii)"? *(?=;|$)/gi];
/** Longer bodies are shown by their digest alone. */
const MAX_SHOWN_BYTES = 4096;
/** What a person is asked about is kept until it is decided, and shown whole: all of it in bytes of JSON. */
const MAX_ORDER_BYTES = 24_576;

/**
 * What a person is asked for: everything about the request that policies or the service read a meaning from, and nothing that
 * another attempt has anew (tokens, proofs, certificates, ids, times, addresses). The path and the query are as they were sent.
 * Refusals: `approval_body_unseen`, `request_header_unclean` where the type or the coding of the body is no clean text, and
 * `approval_required` for a request that is too long to be shown.
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
  // Other bytes would have the same text.
  const unclean = ['content-type', CODING].find((name) => input.headers.unclean.has(name));
  if (unclean !== undefined) return new Refusal('request_header_unclean', `${unclean} is not clean text`);
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
    headers: headersOf(input, facts),
    declared: declared && { id: declared.id, purpose: declared.purpose },
    body: body && { sha256: body.sha256, bytes: body.bytes.length, shown: shownText(body, input.headers) },
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

/** Those that policies read, and how the body is coded. */
function headersOf({ headers }: CheckInput, facts: Pick<Facts, 'headers' | 'numbers'>): ApprovalOrder['headers'] {
  const coding = headers.all(CODING).map((value) => [CODING, value] as const);
  const numbers = [...facts.numbers].map(([name, value]) => [name, String(value)] as const);
  return [...facts.headers, ...numbers, ...coding].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The whole body as text; null where it is too long, or the service reads it in another way than as UTF-8. */
function shownText({ bytes }: SeenBody, headers: Headers): string | null {
  const [type = ''] = headers.all('content-type');
  const isCoded = headers.all(CODING).some((coding) => coding.toLowerCase() !== 'identity');
  const isOther = type.match(CHARSET)?.length !== type.match(UTF_8)?.length;
  return bytes.length > MAX_SHOWN_BYTES || isCoded || isOther ? null : attempt(() => utf8.decode(bytes));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
