import { Refusal } from '../base/outcome.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import { inNetworks } from '../inventory/networks.ts';
import { type FactValues, unknownFacts } from '../policy/decide/facts.ts';
import type { Question } from '../policy/decide/question.ts';
import type { DeclaredHeader } from '../policy/text/sources.ts';
import type { TaskContext } from '../task/model.ts';

/** What is known about this request beside who and why; goes into the questions to Cedar and into the audit record. */
export type Facts = FactValues & Pick<Question, 'client' | 'headers' | 'numbers'>;

/** Characters of all declared headers together: policies read them once for each hop. */
const MAX_DECLARED_CHARS = 8192;
const PLAIN_DIGITS = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * What is known of a caller and its task beside their credentials. `headers` are those that policies may read; `nowMs` is in
 * milliseconds since the epoch. Whatever is revoked, ended or remembered of either refuses or becomes a fact here.
 */
export type Recall = (
  caller: Caller,
  task: TaskContext,
  input: CheckInput,
  headers: readonly DeclaredHeader[],
  nowMs: number,
) => Facts | Refusal;

/**
 * Gathers the facts of one request. A declared header that is there but cannot be used (repeated, not clean text, not
 * the number it is declared to be) refuses: leaving it out could hide it from a policy that forbids by it. Refusals:
 * `request_header_…`, `request_headers_too_large`.
 */
export const recall: Recall = (caller, _task, input, declared, nowMs) => {
  const headers = new Map<string, string>();
  const numbers = new Map<string, number>();
  let chars = 0;
  for (const { name, type } of declared) {
    const [value, ...more] = input.headers.all(name);
    if (value === undefined) continue;
    if (more.length > 0) return new Refusal('request_header_repeated', `${name} appears ${more.length + 1} times`);
    if (input.headers.unclean.has(name)) return new Refusal('request_header_unclean', `${name} is not clean text`);
    chars += value.length;
    if (chars > MAX_DECLARED_CHARS) {
      const detail = `the headers that policies read hold more than ${MAX_DECLARED_CHARS} characters`;
      return new Refusal('request_headers_too_large', detail);
    }
    if (type === 'string') {
      headers.set(name, value);
      continue;
    }
    const number = plainNumber(value);
    if (number === null) return new Refusal('request_header_not_a_number', `${name} is not a plain decimal number`);
    numbers.set(name, number);
  }
  const client = caller.proxy === null ? input.connection.source.address : null;
  return {
    ...unknownFacts,
    client,
    headers,
    numbers,
    inNetworks: inNetworks(caller.workload, client),
    credentialAge: caller.issuedAt === null ? null : Math.max(0, Math.floor(nowMs / 1000) - caller.issuedAt),
  };
};

/** A decimal number in the safe range without sign, blank, exponent or leading zero; everything else is null. */
export function plainNumber(text: string): number | null {
  if (!PLAIN_DIGITS.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}
