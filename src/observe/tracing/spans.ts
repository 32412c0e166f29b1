import { randomBytes } from 'node:crypto';
import { Refusal, reasons } from '../../base/outcome.ts';
import type { CheckResult } from '../../check/decision.ts';
import type { Span as Lap } from '../../check/trail.ts';
import type { CheckTrace } from '../../http/trace-context.ts';
import type { WallTime } from './wall-time.ts';

/** The spans of one check as JSON objects of OTLP, with commas between them. */
export interface EncodedSpans {
  readonly json: string;
  readonly count: number;
}

/** SPAN_KIND_INTERNAL and SPAN_KIND_SERVER of the protocol. */
const [INTERNAL, SERVER] = [1, 2];
/** STATUS_CODE_ERROR. */
const ERROR = 2;
/** The trace flags (sampled), and that it is known whether the parent is remote, and that it is. */
const [LOCAL_PARENT, REMOTE_PARENT] = [0x101, 0x301];
const SPAN_BYTES = 8;
/** Ids of policies on one span: those of any real decision are fewer. */
const MAX_POLICIES = 64;
const MAX_TEXT = 256;
/** From here on the fault is ours: what OpenTelemetry takes for an error of a server. */
const SERVER_ERROR = 500;

/** One stage that ran without another one in between. Times in microseconds from the beginning of the trail. */
interface Run {
  readonly stage: Lap['stage'];
  readonly start: number;
  end: number;
}

/** The spans that a check has: its own, and one for each run of a stage. */
export function runsOf({ decided: { trail } }: CheckResult): readonly Run[] {
  const runs: Run[] = [];
  for (const { stage, start, micros } of trail.spans) {
    const last = runs.at(-1);
    if (last?.stage === stage) last.end = start + micros;
    else runs.push({ stage, start, end: start + micros });
  }
  return runs;
}

/**
 * The spans of a check that just ended: one for the check, which says what was decided, and below it one for each stage. Their
 * attributes hold ids of policies and of the decision, the reason, and names of the inventory: nothing that a caller wrote.
 */
export function spansOf(result: CheckResult, trace: CheckTrace, runs: readonly Run[], wall: WallTime): EncodedSpans {
  const { trail } = result.decided;
  const ended = wall.micros(performance.now());
  const trailBegan = wall.micros(trail.beganMs);
  const ids = randomBytes(SPAN_BYTES * runs.length).toString('hex');
  const stages = runs.map(({ stage, start, end }, at) => {
    const id = ids.slice(at * SPAN_BYTES * 2, (at + 1) * SPAN_BYTES * 2);
    const times = timesOf(trailBegan + start, trailBegan + end);
    return `{"traceId":"${trace.id}","spanId":"${id}","parentSpanId":"${trace.span}","flags":${LOCAL_PARENT},"name":"authz.${stage}","kind":${INTERNAL},${times}}`;
  });
  const parent = trace.parent === null ? '' : `"parentSpanId":"${trace.parent}",`;
  const flags = trace.parent === null ? LOCAL_PARENT : REMOTE_PARENT;
  const times = timesOf(ended - result.microseconds, ended);
  const { attributes, status } = described(result);
  const whole = `{"traceId":"${trace.id}","spanId":"${trace.span}",${parent}"flags":${flags},"name":"authz.check","kind":${SERVER},${times},"attributes":[${attributes}]${status}}`;
  return { json: [whole, ...stages].join(','), count: stages.length + 1 };
}

/** 64-bit numbers are texts in the JSON of Protobuf. */
const timesOf = (startMicros: number, endMicros: number): string =>
  `"startTimeUnixNano":"${startMicros}000","endTimeUnixNano":"${endMicros}000"`;

function described({ decision, decided: { outcome, trail } }: CheckResult) {
  const { target, hops = [] } = trail.found;
  const refusal = outcome instanceof Refusal ? outcome : null;
  const observed = outcome instanceof Refusal ? null : outcome.observed;
  const policies = new Set(hops.flatMap(({ verdict }) => [...verdict.permits, ...verdict.forbids]));
  const api = target?.resource.apis.at(-1);
  const attributes = [
    textAttribute('authz.decision', decision),
    textAttribute('authz.result', refusal === null ? 'allow' : 'deny'),
    textAttribute('authz.reason', refusal?.reason ?? (observed === null ? 'permitted' : 'observed')),
    texts('authz.policies', [...policies].slice(0, MAX_POLICIES)),
    ...(trail.snapshot === null ? [] : [textAttribute('authz.policy_revision', trail.snapshot.revision)]),
    ...(target === undefined ? [] : [textAttribute('authz.effect', target.effect)]),
    ...(api === undefined ? [] : [textAttribute('authz.api', api)]),
  ].join(',');
  const isError = refusal !== null && reasons[refusal.reason].http >= SERVER_ERROR;
  return { attributes, status: isError ? `,"status":{"code":${ERROR}}` : '' };
}

const stringValue = (value: string): string =>
  `{"stringValue":${JSON.stringify(value.slice(0, MAX_TEXT).toWellFormed())}}`;

/** One attribute of OTLP. */
export const textAttribute = (key: string, value: string): string => `{"key":"${key}","value":${stringValue(value)}}`;

const texts = (key: string, values: readonly string[]): string =>
  `{"key":"${key}","value":{"arrayValue":{"values":[${values.map(stringValue).join(',')}]}}}`;
