import type { Decision } from './check.ts';
import type { CheckInput, Told } from './input.ts';
import { Refusal } from './outcome.ts';
import { auditedQuery } from './redact.ts';

const NONE: ReadonlySet<string> = new Set();

/** What is known of one Check besides its decision. */
export interface Occasion {
  readonly decision: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly microseconds: number;
  readonly input: CheckInput | null;
  readonly told: Told | null;
  readonly decided: Decision;
}

/**
 * The plain facts of one decision, enough to replay it: what observe/ writes and counts. Tokens, certificates and the
 * values of query parameters that are not among `queryParameters` appear as digests only; what was never reached is null.
 */
export function toRecord(
  { decision, time, microseconds, input, told, decided }: Occasion,
  queryParameters: ReadonlySet<string> = NONE,
) {
  const { outcome, trail } = decided;
  const { target, caller, why, facts, hops, snapshot } = trail;
  const refusal = outcome instanceof Refusal ? outcome : null;
  const observed = 'admission' in decided ? decided.outcome.observed : null;
  const task = why?.task ?? null;
  const said = input ?? told;
  return {
    time,
    decision,
    result: refusal === null ? ('allow' as const) : ('deny' as const),
    reason: refusal?.reason ?? ('permitted' as const),
    detail: (refusal ?? observed)?.detail ?? null,
    caller:
      caller === undefined
        ? null
        : {
            id: caller.workload.id.text,
            owner: caller.workload.owner,
            kind: caller.workload.kind,
            credential: caller.credential,
            fingerprint: fingerprint(caller.thumbprint),
            proxy: caller.proxy?.text ?? null,
          },
    task:
      task === null
        ? null
        : {
            id: task.id,
            purpose: task.purpose,
            assurance: task.assurance,
            scopes: task.scopes,
            issuer: task.issuer,
            subject: task.subject,
            token: task.token,
          },
    hops: (hops ?? []).map(({ workload, role, verdict }) => ({
      id: workload.id.text,
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
      declared: why?.declared ?? null,
      secondsLeft: task === null ? null : Math.floor(task.expiresAt - time / 1000),
      approvals: [...(facts?.approvals ?? [])].sort(),
      risk: facts?.risk ?? null,
      signals: [...(facts?.signals ?? [])].sort(),
      headers: Object.fromEntries(facts?.headers ?? []),
      numbers: Object.fromEntries(facts?.numbers ?? []),
      inNetworks: facts?.inNetworks ?? null,
      credentialAge: facts?.credentialAge ?? null,
    },
    request: {
      id: said?.id ?? null,
      peer: input?.checkPeer ?? null,
      from: input?.source.address ?? told?.from ?? null,
      method: said?.method ?? null,
      host: said?.host ?? null,
      path: said?.path ?? null,
    },
    policy:
      snapshot === undefined
        ? null
        : {
            revision: snapshot.revision,
            errors: (hops ?? []).flatMap(({ verdict }) => verdict.errors),
            shadow: (hops ?? []).flatMap(({ verdict }) => verdict.shadow),
            observed: observed?.reason ?? null,
          },
    micros: { total: microseconds, ...trail.micros },
  };
}

const fingerprint = (thumbprint: string | null): string | null =>
  thumbprint === null ? null : `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;
