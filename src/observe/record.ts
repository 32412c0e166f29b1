import type { AnsweredReason, Reason } from '../base/outcome.ts';
import { withoutTokens } from '../base/redact.ts';
import type { Assessment } from '../behaviour/signals.ts';
import type { RecordedFacts } from '../policy/decide/facts.ts';
import type { recordedTouched } from '../policy/decide/recorded-touched.ts';
import type { TaskResource } from '../task/resources.ts';
import { plainJson, plainJsonWithin } from './text.ts';

/** One hop of the chain, as it was judged. Policy ids are those that decided. */
export interface AuditHop {
  readonly id: string;
  readonly owner: string;
  readonly kind: string;
  readonly role: 'originator' | 'intermediary' | 'caller';
  readonly result: 'allow' | 'deny' | 'error';
  readonly permits: readonly string[];
  readonly forbids: readonly string[];
}

/**
 * What one check decided, and everything that it was decided from: enough to judge it again. Plain data; whatever was not
 * known when the check ended is null. Tokens appear as digests only, and so do the values of query parameters that the
 * configuration does not list.
 */
export interface AuditRecord {
  /** Milliseconds since the epoch: the clock of the check. */
  readonly time: number;
  /** The decision id, which also stands in the response. */
  readonly decision: string;
  readonly result: 'allow' | 'deny';
  /** `observed`: an allow that policies refused under `unsafeObserveOnly`. */
  readonly reason: AnsweredReason;
  /** The private detail of a refusal, be it only observed; null for any other allow. */
  readonly detail: string | null;
  /** Without `owner` and `kind`, a credential that was verified and named no caller: then the check was refused. */
  readonly caller: {
    readonly id: string | null;
    readonly owner: string | null;
    readonly kind: string | null;
    readonly credential: string | null;
    /** Digest of the certificate or of the token's canonical content; null where Envoy's word alone named the caller. */
    readonly fingerprint: string | null;
    /** The trusted proxy whose connection carried the request; null when the caller connected itself. */
    readonly proxy: string | null;
  } | null;
  readonly task: {
    readonly id: string;
    readonly purpose: string;
    /** Null: the token was verified, and refused, so that it is known to belong to nobody here. */
    readonly assurance: number | null;
    readonly scopes: readonly string[];
    readonly resources: readonly TaskResource[] | null;
    readonly issuer: string;
    readonly subject: string | null;
    /** Digest of the token's canonical content. */
    readonly token: string;
  } | null;
  /** Originator first, caller last. */
  readonly hops: readonly AuditHop[];
  readonly action: string | null;
  readonly resource: {
    readonly id: string;
    /** The innermost route of the inventory that matched. */
    readonly api: string | null;
    readonly owner: string | null;
    readonly sensitivity: number;
  } | null;
  /** What else policies could see. */
  readonly facts:
    | (RecordedFacts & {
        readonly client: string | null;
        readonly query: string | null;
        readonly declared: { readonly id: string; readonly purpose: string } | null;
        /** Seconds until the task ends. */
        readonly secondsLeft: number | null;
        readonly headers: Readonly<Record<string, string>>;
        readonly numbers: Readonly<Record<string, number>>;
        /** What was opened before; null where it did not decide. */
        readonly touched: ReturnType<typeof recordedTouched> | null;
      })
    | null;
  /** Where approvals were missing: what a person is asked about. Absent everywhere else. */
  readonly approval?:
    | {
        /** Of the request that is approved: the same in each attempt. */
        readonly digest: string;
        /** The approvals that were missing. */
        readonly names: readonly string[];
        /** base64url SHA-256 of the body; null: none. */
        readonly body: string | null;
        /** The id of the request for an approval that was granted and let this pass; null: it was refused. */
        readonly request: string | null;
        /** Who granted it. */
        readonly by: readonly string[];
      }
    | undefined;
  /** What was noticed about the caller. Absent where nothing was. */
  readonly behaviour?:
    | {
        /** 0 to 100; null: too little is known of it. */
        readonly risk: number | null;
        readonly signals: readonly string[];
        /** The points of each kind, with numbers that a person can check. */
        readonly why: Assessment['why'];
        /** The policies that would have refused what was allowed, had they been told. */
        readonly would: readonly string[];
        /** Left out where none would. */
        readonly wouldQuarantine?: true;
      }
    | undefined;
  /** The request as Envoy told it. Of method, host and path nothing is proven; where it could not be read, they stand here as they came. */
  readonly request: {
    readonly id: string | null;
    /** Who called the check port: a SPIFFE ID under mutual TLS. */
    readonly peer: string | null;
    /** IP address of the TCP peer, be it the caller or a proxy. */
    readonly from: string | null;
    readonly method: string | null;
    readonly host: string | null;
    readonly path: string | null;
    /** W3C Trace Context, where it is well formed. */
    readonly traceparent: string | null;
  };
  /** The trace of the check, by W3C Trace Context; `span` is that of the check, null where none was made. Absent without a trace. */
  readonly trace?: { readonly id: string; readonly span: string | null } | undefined;
  /** Null when no snapshot was there. */
  readonly policy: {
    readonly revision: string;
    /** `policy.label` of the configuration. */
    readonly label: string | null;
    /** Unsafe settings that were in force. */
    readonly unsafe: readonly string[];
    readonly errors: readonly { readonly policy: string; readonly message: string }[];
    readonly shadow: readonly { readonly policy: string; readonly would: string }[];
    /** Why this allow would have been refused, were it not for `unsafeObserveOnly`; null for every other outcome. */
    readonly observed: Reason | null;
  } | null;
  /** Microseconds: `total`, and one entry for each stage that ran. */
  readonly micros: Readonly<Record<string, number>>;
}

/** A record as the body of a line, without the members that place it in a chain. */
export interface AuditBody {
  readonly time: number;
  readonly decision: string;
  readonly json: string;
}

/** Longest line that is written whole; longer ones are clipped step by step. */
const MAX_BODY = 32 * 1024;
const CLIPS = [
  { text: 2048, items: 128 },
  { text: 256, items: 16 },
] as const;

/**
 * The body of the line for a record. Every JWT in it is replaced by its digest, and what would make the line longer than
 * 32 KiB is clipped, which the line says with `"clipped":true`. Time is linear in the size of the record.
 */
export function auditBody(record: AuditRecord): AuditBody {
  const { time, decision, result, reason } = record;
  const least = { decision: clipped(decision, CLIPS[1]), result, reason };
  // The time stands in the head of the line.
  return { time, decision, json: boundedJson({ ...record, time: undefined }, least) };
}

/** The members of a line as JSON within the bounds of `auditBody`; `least` is what is left where clipping does not help. */
export function boundedJson(whole: object, least: object): string {
  for (const clip of [null, ...CLIPS]) {
    const kept = clip === null ? whole : { ...(clipped(whole, clip) as object), clipped: true };
    const json = plainJsonWithin(MAX_BODY, kept);
    // Digests are longer than the shortest tokens, so what they make of it is measured too.
    const body = json === null ? null : withoutTokens(json);
    if (body !== null && body.length <= MAX_BODY) return body;
  }
  return withoutTokens(plainJson({ ...least, clipped: true }));
}

/** A copy in which long texts and lists are cut, each with the length that it had. */
function clipped(value: unknown, most: { readonly text: number; readonly items: number }): unknown {
  if (typeof value === 'string') {
    return value.length <= most.text ? value : `${value.slice(0, most.text)}… (${value.length} characters)`;
  }
  if (Array.isArray(value)) {
    const kept = value.slice(0, most.items).map((item) => clipped(item, most));
    return value.length <= most.items ? kept : [...kept, `… (${value.length} items)`];
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const kept = entries.slice(0, most.items).map(([key, member]) => [clipped(key, most), clipped(member, most)]);
  return Object.fromEntries(kept);
}
