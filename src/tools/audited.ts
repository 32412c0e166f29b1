import { z } from 'zod';
import { jsonOf } from '../base/json.ts';
import { holdsDigest, holdsTokenDigest } from '../base/redact.ts';
import { credentials } from '../identity/caller.ts';
import { recordedShape, restated } from '../policy/decide/facts.ts';
import { recordedTouchedShape } from '../policy/decide/recorded-touched.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import type { Scenario } from '../policy/load/scenario.ts';
import type { EarlyRefusal } from './reopened.ts';

const text = z.string();
const names = z.array(text);

/** What a replay reads of an audit line; whatever else stands there is left alone. */
const lineSchema = z.looseObject({
  time: z.iso.datetime(),
  decision: text,
  result: z.enum(['allow', 'deny']),
  reason: text,
  detail: text.nullish(),
  clipped: z.literal(true).optional(),
  caller: z.looseObject({ id: text.nullable(), credential: z.enum(credentials).nullable() }).nullish(),
  task: z
    .looseObject({
      id: text,
      purpose: text,
      assurance: z.literal([1, 2, 3]).nullable(),
      scopes: names,
      issuer: text,
      subject: text.nullable(),
      resources: z
        .array(z.object({ api: text, parameters: z.record(text, text) }))
        .nullable()
        .default(null),
    })
    .nullish(),
  hops: z
    .array(z.looseObject({ id: text, result: z.enum(['allow', 'deny', 'error']), permits: names, forbids: names }))
    .optional(),
  action: text.nullish(),
  facts: z
    .looseObject({
      client: text.nullable(),
      query: text.nullable(),
      declared: z.object({ id: text, purpose: text }).nullable(),
      secondsLeft: z.int().nullable(),
      headers: z.record(text, text),
      numbers: z.record(text, z.int()),
      ...recordedShape,
      touched: recordedTouchedShape,
    })
    .nullish(),
  request: z.looseObject({ method: text.nullable(), host: text.nullable(), path: text.nullable() }).optional(),
  policy: z
    .looseObject({ revision: text, errors: z.array(z.unknown()).optional(), observed: text.nullish() })
    .nullish(),
});

/** A past decision of policies, as its audit line tells it. */
export interface Audited {
  readonly decision: string;
  readonly caller: string;
  readonly stated: Scenario;
  /** What was answered. */
  readonly answer: { readonly result: 'allow' | 'deny'; readonly reason: string };
  /** What policies said then, whatever became of the answer afterwards; no reason where the line does not tell it. */
  readonly verdict: { readonly result: 'allow' | 'deny'; readonly reason: string | null };
  readonly revision: string;
}

/** A line that tells of no decision of policies that could be judged again, and why. */
export interface Unjudged {
  readonly decision: string | null;
  readonly why: 'no check' | 'unreadable' | 'before policy' | 'not exact';
  readonly reason: string;
  /** The private detail of a refusal, where the line could be read. */
  readonly detail: string | null;
  /** What was refused, for `before policy`. */
  readonly refused?: EarlyRefusal;
}

/** What of a request the policies read that judge it again: the headers that are declared, and perhaps the query. */
type ReadByPolicies = Pick<Snapshot, 'headers' | 'readsQuery'>;

/**
 * What one audit line tells of a decision. Only a line from which the same questions can be put again counts: one that was
 * clipped does not, nor one that holds digests in place of values in a header, or in a query that policies read. Headers
 * that are not declared are left out: policies cannot read them.
 */
export function readAudited(line: string, { headers, readsQuery }: ReadByPolicies): Audited | Unjudged {
  const value = jsonOf(line);
  if (typeof value !== 'object' || value === null) return unjudged('unreadable', 'no JSON object');
  // A line about the audit itself; one that withdraws an allow names its decision.
  if ('event' in value && typeof value.event === 'string') return unjudged('no check', 'a line about the audit itself');
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const decision = 'decision' in value && typeof value.decision === 'string' ? value.decision : null;
    return unjudged('unreadable', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, { decision });
  }
  const { decision, result, reason, clipped, hops, caller, task, facts, request, action, policy, time } = parsed.data;
  const told = { decision, detail: parsed.data.detail ?? null };
  if (clipped === true) return unjudged('not exact', 'the line was clipped', told);
  const last = hops?.at(-1);
  if (hops === undefined || last === undefined || !facts || !caller || !request || !policy) {
    const { method = null, host = null, path = null } = request ?? {};
    const refused = { reason, detail: told.detail ?? '', revision: policy?.revision ?? null, method, host, path };
    return unjudged('before policy', reason, { ...told, refused });
  }
  // Verified, and refused before any policy was asked.
  if (caller.credential === null || task?.assurance === null) return unjudged('before policy', reason, told);
  const { method, host, path } = request;
  if (method === null || host === null || path === null) return unjudged('not exact', 'no request', told);
  if (Object.values(facts.headers).some(holdsTokenDigest)) {
    return unjudged('not exact', 'a digest stands for a token in a header', told);
  }
  if (readsQuery && holdsDigest(facts.query ?? '')) {
    const what = 'policies read the query, where digests stand for values; see audit.queryParameters';
    return unjudged('not exact', what, told);
  }
  const verdict = verdictOf(hops, reason, policy);
  if (verdict === null) return unjudged('before policy', reason, told);
  const { task: openedInTask, ...opened } = facts.touched ?? {};
  const declared = new Map(headers.map((header) => [header.name, header.type]));
  return {
    decision,
    caller: last.id,
    stated: {
      caller: last.id,
      through: hops.slice(0, -1).map(({ id }) => id),
      request: { method, host, path, query: facts.query },
      // CONNECT itself is refused before policy, so it is the action of upgrades alone.
      upgrade: action === 'CONNECT',
      credential: caller.credential,
      declared: facts.declared,
      headers: {
        ...only(facts.headers, (name) => declared.get(name) === 'string'),
        ...only(facts.numbers, (name) => declared.get(name) === 'long'),
      },
      client: facts.client ?? undefined,
      at: time,
      ...restated(facts),
      ...(facts.touched === null ? { unread: true } : { touched: opened }),
      task: task
        ? {
            ...task,
            assurance: task.assurance ?? 1,
            subject: task.subject ?? undefined,
            resources: task.resources ?? undefined,
            secondsLeft: facts.secondsLeft ?? 0,
            touched: openedInTask,
          }
        : null,
    },
    answer: { result, reason },
    verdict,
    revision: policy.revision,
  };
}

const unjudged = (why: Unjudged['why'], reason: string, told: Partial<Unjudged> = {}): Unjudged => ({
  decision: null,
  detail: null,
  why,
  reason,
  ...told,
});

type Line = z.output<typeof lineSchema>;

/** What policies said; null where Cedar could not be asked about some hop, so that they said nothing. */
function verdictOf(
  hops: NonNullable<Line['hops']>,
  reason: string,
  { errors = [], observed }: NonNullable<Line['policy']>,
): Audited['verdict'] | null {
  if (hops.every((hop) => hop.result === 'allow')) return { result: 'allow', reason: 'permitted' };
  const said = [observed, reason].find((text) => text?.startsWith('policy_') || text === 'approval_required');
  if (said != null) return { result: 'deny', reason: said };
  if (hops.some((hop) => hop.result === 'error'))
    return errors.length > 0 ? { result: 'deny', reason: 'policy_error' } : null;
  // Observed only, and then refused for another reason.
  return { result: 'deny', reason: null };
}

function only<T>(values: Readonly<Record<string, T>>, keep: (name: string) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => keep(name)));
}
