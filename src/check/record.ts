import { Refusal } from '../base/outcome.ts';
import { auditedQuery } from '../base/redact.ts';
import type { Assessed } from '../behaviour/workload-book.ts';
import type { CheckInput } from '../http/input.ts';
import { readTraceparent } from '../http/trace-context.ts';
import { recordedFacts } from '../policy/decide/facts.ts';
import { recordedTouched } from '../policy/decide/recorded-touched.ts';
import type { DecisionSummary } from '../state/activity/model.ts';
import type { Approvable } from './approvals.ts';
import type { CheckResult } from './decision.ts';
import { shadowOf } from './judge.ts';
import type { Trail } from './trail.ts';

const NONE: ReadonlySet<string> = new Set();

/** What the configuration says of every decision. */
export interface RecordSettings {
  /** `policy.label`. */
  readonly label: string | null;
  /** Unsafe settings that are in force. */
  readonly unsafe: readonly string[];
  /** `audit.queryParameters`: those whose values are no secret; none where it is left out. */
  readonly queryParameters?: ReadonlySet<string>;
}

/**
 * The plain facts of one decision, enough to replay it: what observe/ writes and counts. Tokens, certificates and the
 * values of query parameters that are not among `queryParameters` appear as digests only; what was never reached is null.
 */
export function toRecord(
  { decision, time, microseconds, input, raw, decided, trace }: CheckResult,
  { label, unsafe, queryParameters = NONE }: RecordSettings = { label: null, unsafe: [] },
) {
  const { outcome, trail } = decided;
  const { verified, snapshot } = trail;
  const { target, caller, taskContext, facts, touched, hops, approval, behaviour } = trail.found;
  const refusal = outcome instanceof Refusal ? outcome : null;
  const observed = 'mutations' in decided ? decided.outcome.observed : null;
  const task = taskContext?.task ?? null;
  const stated = taskContext === undefined ? verified.task : task;
  const presented = verified.credential;
  const request = input ?? raw;
  return {
    time,
    decision,
    result: refusal === null ? ('allow' as const) : ('deny' as const),
    reason: refusal?.reason ?? (observed === null ? ('permitted' as const) : ('observed' as const)),
    detail: (refusal ?? observed)?.detail ?? null,
    caller:
      caller === undefined
        ? presented && {
            id: presented.id?.text ?? null,
            owner: null,
            kind: null,
            credential: presented.credential,
            fingerprint: fingerprint(presented.thumbprint),
            proxy: presented.proxy?.text ?? null,
          }
        : {
            id: caller.workload.id.text,
            owner: caller.workload.owner,
            kind: caller.workload.kind,
            credential: caller.credential,
            fingerprint: fingerprint(caller.thumbprint),
            proxy: caller.proxy?.text ?? null,
          },
    task:
      stated === null
        ? null
        : {
            id: stated.id,
            purpose: stated.purpose,
            assurance: task?.assurance ?? null,
            scopes: stated.scopes,
            resources: stated.resources,
            issuer: stated.issuer,
            subject: stated.subject,
            token: stated.token,
          },
    hops: (hops ?? []).map(({ workload, role, verdict }) => ({
      id: workload.id.text,
      owner: workload.owner,
      kind: workload.kind,
      role,
      result: verdict.result,
      permits: verdict.permits,
      forbids: verdict.forbids,
    })),
    action: target?.action ?? input?.method ?? null,
    resource:
      target === undefined
        ? null
        : {
            id: target.resource.id,
            api: target.resource.apis.at(-1) ?? null,
            owner: target.resource.owner,
            sensitivity: target.resource.sensitivity,
          },
    facts: {
      client: facts?.client ?? null,
      query: auditedQuery(input?.query ?? null, queryParameters),
      declared: taskContext?.declared ?? null,
      secondsLeft: task === null ? null : Math.floor(task.expiresAt - time / 1000),
      ...recordedFacts(facts),
      touched: touched === undefined ? null : recordedTouched(touched.facts),
      headers: Object.fromEntries(facts?.headers ?? []),
      numbers: Object.fromEntries(facts?.numbers ?? []),
    },
    // Left out of a line where no approval was missing.
    approval: approval && recordedApproval(approval, refusal),
    // Left out of a line where nothing was noticed.
    behaviour: behaviour && recordedBehaviour(behaviour, trail),
    request: {
      id: request?.id ?? null,
      peer: input?.connection.checkPeer?.id.text ?? null,
      from: input?.connection.source.address ?? raw?.from ?? null,
      method: request?.method ?? null,
      host: request?.host ?? null,
      path: request?.path ?? null,
      traceparent: traceparent(input),
    },
    // Left out of a line of a check that belongs to no trace.
    trace: trace === null ? undefined : { id: trace.id, span: trace.span },
    policy:
      snapshot === null
        ? null
        : {
            revision: snapshot.revision,
            label,
            unsafe,
            errors: (hops ?? []).flatMap(({ verdict }) => verdict.errors),
            shadow: shadowOf(hops ?? [], outcome),
            observed: observed?.reason ?? null,
          },
    micros: { total: microseconds, ...trail.micros },
  };
}

function recordedBehaviour({ found: { risk, signals, why } }: Assessed, { wouldForbid, wouldQuarantine }: Trail) {
  if (!risk && !wouldQuarantine) return undefined;
  return { risk, signals, why, would: wouldForbid, ...(wouldQuarantine ? { wouldQuarantine: true as const } : {}) };
}

/** One decision as lists show it: who, why, what and the reason, of what the audit record says. No query, header or token. */
export function summaryOf(result: CheckResult, sidecar: string, omitted: number): DecisionSummary {
  const { decision, time, input, raw, decided } = result;
  const { outcome, trail } = decided;
  const { target, caller, taskContext } = trail.found;
  const presented = trail.verified.credential;
  const task = taskContext === undefined ? trail.verified.task : taskContext.task;
  const refusal = outcome instanceof Refusal ? outcome : null;
  const observed = outcome instanceof Refusal ? null : outcome.observed;
  return {
    decision,
    timeMs: time,
    result: refusal === null ? 'allow' : 'deny',
    reason: refusal?.reason ?? (observed === null ? 'permitted' : 'observed'),
    caller: caller?.workload.id.text ?? presented?.id?.text ?? null,
    owner: caller?.workload.owner ?? null,
    task: task && { issuer: task.issuer, id: task.id, purpose: task.purpose },
    action: target?.action ?? input?.method ?? null,
    resource: target === undefined ? null : { id: target.resource.id, api: target.resource.apis.at(-1) ?? null },
    host: (input ?? raw)?.host ?? null,
    credential: caller?.credential ?? presented?.credential ?? null,
    sidecar,
    omitted,
  };
}

/** The request that a person is asked about, and who granted it where that let it pass. */
function recordedApproval({ order, grant }: Approvable, refusal: Refusal | null) {
  const used = refusal === null ? grant : null;
  return {
    digest: order.digest,
    names: order.approvals,
    body: order.body?.sha256 ?? null,
    request: used?.id ?? null,
    by: used?.by ?? [],
  };
}

const fingerprint = (thumbprint: string | null): string | null =>
  thumbprint === null ? null : `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;

/** The `traceparent` of the request where it has one that is well formed. The caller or a proxy wrote it: nothing is proven. */
function traceparent(input: CheckInput | null): string | null {
  const values = input?.headers.all('traceparent') ?? [];
  return readTraceparent(values) === null ? null : (values[0] ?? null);
}
