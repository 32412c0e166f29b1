import type { VerifiedCredential } from '../../identity/caller.ts';
import { type AuditBody, boundedJson } from '../../observe/record.ts';
import type { ControlDecision } from '../../policy/control/decide.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import type { Asker } from '../asker.ts';
import type { ApiProblem } from './problem.ts';

/** What is known of one call so far, for its line of the audit. */
export interface CallRecord {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** The id of the call, which also stands in the answer. */
  readonly decision: string;
  readonly request: {
    readonly method: string;
    /** As it came, without the query. */
    readonly path: string;
    readonly host: string | null;
    /** IP address of the peer; null on a Unix socket. */
    readonly from: string | null;
  };
  route: string | null;
  asker: Asker | null;
  /** What was verified of a caller that was refused. */
  verified: VerifiedCredential | null;
  action: string | null;
  resource: ControlResource | null;
  verdict: ControlDecision | null;
  revision: string | null;
  about: Readonly<Record<string, unknown>>;
}

/** Of texts that a stranger chose. */
const MAX_TEXT = 512;
const cut = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);

/** The body of the line for a call: allowed, or refused with a problem. Bounded in length, without tokens. */
export function callBody(record: CallRecord, problem: ApiProblem | null): AuditBody {
  const { time, decision, request, route, verdict, revision, about, action, resource } = record;
  const head = {
    event: 'control',
    decision,
    result: problem === null ? 'allow' : 'deny',
    reason: problem?.code ?? 'permitted',
  };
  const whole = {
    ...head,
    detail: problem?.privateDetail ?? problem?.detail ?? null,
    wrong: problem?.wrong ?? [],
    caller: callerOf(record),
    person: personOf(record),
    call: route,
    action,
    resource: resource === null ? null : plainResource(resource),
    permits: verdict?.permits ?? [],
    forbids: verdict?.forbids ?? [],
    errors: verdict?.errors ?? [],
    revision,
    request: { ...request, path: cut(request.path), host: request.host === null ? null : cut(request.host) },
    about,
  };
  return { time, decision, json: boundedJson(whole, head) };
}

/** The line of a call that was permitted and recorded, and then could not be carried out. */
export function failedBody({ decision }: CallRecord, problem: ApiProblem, time: number): AuditBody {
  const head = { event: 'control-failed', decision, reason: problem.code };
  return { time, decision, json: boundedJson({ ...head, detail: problem.privateDetail ?? problem.detail }, head) };
}

/** The line for refused calls that got none of their own. */
export function droppedBody(calls: number, time: number): AuditBody {
  const line = { event: 'control-dropped', records: calls };
  return { time, decision: '', json: boundedJson(line, line) };
}

function callerOf({ asker, verified }: CallRecord) {
  const caller = asker?.caller ?? null;
  if (caller === null && verified === null) return null;
  const fingerprint = caller?.thumbprint ?? verified?.thumbprint ?? null;
  return {
    id: (caller?.workload.id ?? verified?.id)?.text ?? null,
    owner: caller?.workload.owner ?? null,
    kind: caller?.workload.kind ?? null,
    credential: caller?.credential ?? verified?.credential ?? null,
    fingerprint: fingerprint === null ? null : `sha256:${Buffer.from(fingerprint, 'base64url').toString('hex')}`,
  };
}

function personOf({ asker }: CallRecord) {
  if (asker?.person == null) return null;
  const { issuer, subject, acr, amr, signedInMs } = asker.person;
  return { issuer, subject, acr, amr, signedIn: new Date(signedInMs).toISOString() };
}

/** Plain data of a resource: SPIFFE IDs as texts. */
function plainResource(resource: ControlResource): Readonly<Record<string, unknown>> {
  return resource.kind === 'path' || resource.kind === 'workload'
    ? { ...resource, id: resource.id.text }
    : { ...resource };
}
