import { Refusal } from '../base/outcome.ts';
import { canonicalHost } from './host.ts';
import { queryOverride } from './override.ts';
import { type PathRules, type RequestTarget, readTarget } from './path.ts';

const METHOD = /^[A-Z][A-Z0-9_-]{0,31}$/;

/** Method, authority and target of one request as they arrive; `scheme` is empty where Envoy names none. */
export interface RawRequestLine {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** `:path`, percent-encoded, with the query. */
  readonly target: string;
}

/** Where a request goes. */
export type ReadRequestLine = RequestTarget & { readonly host: string };

/**
 * Why a method names no request to a resource; null when it may. CONNECT names a host and no resource (RFC 9110 section
 * 9.3.6); Envoy hands over an extended CONNECT as a GET.
 */
export function methodFault(method: string): Refusal | null {
  if (method === 'CONNECT') return new Refusal('request_connect', 'the method is CONNECT');
  return METHOD.test(method) ? null : new Refusal('request_method_malformed', 'the method is not in upper case');
}

/** Reads the request line in the one way that a check does. Tools that judge requests as people write them call it too. */
export function readRequestLine(line: RawRequestLine, options: PathRules): ReadRequestLine | Refusal {
  const fault = methodFault(line.method);
  if (fault !== null) return fault;
  const target = readTarget(line.target, options);
  if (target instanceof Refusal) return target;
  const override = queryOverride(target.query);
  if (override !== null) return override;
  const host = canonicalHost(line.authority, line.scheme);
  return host instanceof Refusal ? host : { ...target, host };
}
