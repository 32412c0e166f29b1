import type { CheckInput } from './input.ts';

/** The parent that a `traceparent` names (W3C Trace Context section 3.2). Whoever wrote it chose the ids: nothing is proven. */
export interface TraceParent {
  /** 32 lower-case hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hexadecimal digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Section 3.2.2: neither id is all zeros, and version ff is none. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;
const LENGTH = 55;
/** What a later version may append is not read, and no longer than this. */
const MAX_LENGTH = 256;
const SAMPLED = 1;

/**
 * Reads the values of a `traceparent`. Null where there is none, where there are several, and where the one is malformed: then
 * there is no parent, as section 4.3 demands. Of a version after 00 the part is read that version 00 knows.
 */
export function readTraceparent(values: readonly (string | Uint8Array)[]): TraceParent | null {
  const [value] = values;
  if (values.length !== 1 || typeof value !== 'string' || value.length > MAX_LENGTH) return null;
  const isLater = value.length > LENGTH && value[LENGTH] === '-' && !value.startsWith('00');
  const found = TRACEPARENT.exec(isLater ? value.slice(0, LENGTH) : value);
  if (found === null) return null;
  return { traceId: found[2]!, spanId: found[3]!, sampled: (Number.parseInt(found[4]!, 16) & SAMPLED) === SAMPLED };
}

/** The trace that one check belongs to. */
export interface CheckTrace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The span that the check is a part of; null where the trace begins here. */
  readonly parent: string | null;
  /** The span of the check; null where none is made of it. */
  readonly span: string | null;
}

/** A `traceparent` as the door got it beside the request: the values of that name. */
export type TraceHeader = readonly (string | Uint8Array)[];

/**
 * The parent of a check: what the one who asks sent along, which is Envoy's own span; else the `traceparent` of the request, of
 * an Envoy that makes no spans. Null where neither is well formed.
 */
export const parentOf = (asked: TraceHeader, input: CheckInput | null): TraceParent | null =>
  readTraceparent(asked) ?? (input === null ? null : readTraceparent(input.headers.all('traceparent')));

/** The trace of a check of which no span is made. */
export function receivedTrace(asked: TraceHeader, input: CheckInput | null): CheckTrace | null {
  const parent = parentOf(asked, input);
  return parent === null ? null : { id: parent.traceId, parent: parent.spanId, span: null };
}
