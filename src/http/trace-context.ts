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
