import type { CheckInput } from './input.ts';
import { readTraceparent, type TraceParent } from './trace-context.ts';

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
