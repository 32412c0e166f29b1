import * as z from 'zod';
import { IDENTIFIER } from '../../../base/identifier.ts';
import { Refusal } from '../../../base/outcome.ts';
import { SpiffeId } from '../../../base/spiffe-id.ts';
import type { Inventory } from '../../../inventory/inventory.ts';
import type { Budgets, RegisteredTask, TaskKey } from '../../../state/tasks/registry.ts';
import type { TaskIssuerRules } from '../../http/parts.ts';
import { ApiProblem } from '../../http/problem.ts';

/** What somebody asks to begin. Times are milliseconds, or milliseconds since the epoch. */
export interface TaskOrder {
  readonly issuer: string;
  /** Null: to be made. */
  readonly id: string | null;
  readonly purpose: string;
  readonly workloads: readonly SpiffeId[];
  /** Null: the team of the first workload. */
  readonly owner: string | null;
  readonly parent: TaskKey | null;
  readonly untilMs: number;
  readonly leaseMs: number | null;
  readonly budgets: Budgets;
  readonly reason: string;
}

const MAX_WORKLOADS = 16;
/** Of their SPIFFE IDs together: a line of the audit holds them, and so does each record of the task. */
const MAX_WORKLOAD_CHARS = 8192;
/** However often it is extended, somebody looks at it again within a month. */
const LONGEST_MS = 30 * 24 * 3_600_000;

const text = z.string().min(1, 'an empty text').max(2048);
const id = z
  .string()
  .regex(IDENTIFIER, 'an id of a task is 1 to 256 letters, digits and ._:/@+=~-, and begins with a letter or digit')
  .describe('The id that its tokens state.');
const workload = text.transform((written, ctx): SpiffeId => {
  const parsed = SpiffeId.parse(written);
  if (parsed instanceof SpiffeId && parsed.path !== '') return parsed;
  const why = parsed instanceof SpiffeId ? 'it has no path' : parsed.detail;
  ctx.addIssue({ code: 'custom', message: `is no SPIFFE ID of a workload: ${why}` });
  return z.NEVER;
});
/** An entry that is too long is not made a SPIFFE ID, and keeps its text. */
const isRead = ({ issues }: z.core.ParsePayload): boolean => issues.length === 0;
const budget = z.int().min(0).max(1_000_000_000).nullable().default(null);

/** The body of `POST /tasks`. */
export const taskOrderSchema = z
  .strictObject({
    issuer: text.describe('The `iss` of its tokens; of JWT-SVIDs spiffe://TRUST-DOMAIN.'),
    id: id.optional().describe('The id that its tokens state; left out: 128 random bits.'),
    purpose: text.describe('What it is for: its tokens state this purpose of the inventory, or one within it.'),
    workloads: z
      .array(workload)
      .min(1, 'names nobody who may carry it')
      .max(MAX_WORKLOADS)
      .refine((ids) => new Set(ids.map((one) => one.text)).size === ids.length, {
        error: 'names a workload twice',
        when: isRead,
      })
      .refine((ids) => ids.reduce((sum, one) => sum + one.text.length, 0) <= MAX_WORKLOAD_CHARS, {
        error: `names workloads of more than ${MAX_WORKLOAD_CHARS} characters together`,
        when: isRead,
      })
      .describe('The SPIFFE IDs of those that may carry it.'),
    owner: text.optional().describe('A team that owns one of the workloads; left out: that of the first.'),
    parent: z
      .strictObject({ issuer: text, id })
      .optional()
      .describe('The task that it is a part of: it ends with that, and uses up its budgets too.'),
    until: z.iso
      .datetime({ offset: true, error: 'write a time such as 2026-11-30T12:00:00Z' })
      .transform((written) => Date.parse(written))
      .describe('When it ends by itself, at most 30 days from now.'),
    leaseSeconds: z
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .describe('So long it lives after its beginning and after each heartbeat; left out: it needs none.'),
    budgets: z
      .strictObject({
        calls: budget.describe('Requests; null: as many as it likes.'),
        writes: budget.describe('Requests that change something.'),
        resources: budget.describe('Distinct resources.'),
      })
      .optional()
      .describe('What it may use up, with all that are a part of it.'),
    reason: text.describe('Why.'),
  })
  .transform(
    ({ until, leaseSeconds, ...rest }): TaskOrder => ({
      ...{ issuer: rest.issuer, purpose: rest.purpose, workloads: rest.workloads, reason: rest.reason },
      id: rest.id ?? null,
      owner: rest.owner ?? null,
      parent: rest.parent ?? null,
      untilMs: until,
      leaseMs: leaseSeconds === undefined ? null : leaseSeconds * 1000,
      budgets: rest.budgets ?? { calls: null, writes: null, resources: null },
    }),
  );

/**
 * Why a task cannot be meant: it ends in the past or too late, names what does not exist, or what its issuer may not state. Null:
 * it can. `nowMs` in milliseconds since the epoch.
 */
export function taskOrderProblem(
  order: TaskOrder,
  inventory: Inventory,
  issuers: ReadonlyMap<string, TaskIssuerRules>,
  nowMs: number,
): ApiProblem | null {
  const { issuer, purpose, workloads, owner, untilMs } = order;
  if (untilMs <= nowMs) return ApiProblem.of('end_past', 'until is past; write a time to come');
  if (untilMs > nowMs + LONGEST_MS) return ApiProblem.of('end_late', 'until is more than 30 days off');
  const rules = issuers.get(issuer);
  if (rules === undefined)
    return unknown(
      `no issuer of tasks that begin here is called ${issuer}; name one of task.issuers that is not built in, or spiffe://TRUST-DOMAIN for JWT-SVIDs`,
    );
  const wider = inventory.widerPurposes(purpose);
  if (wider === null) return unknown(`no purpose of the inventory is called ${purpose}`);
  if (rules.purposes !== null && ![purpose, ...wider].some((name) => rules.purposes!.includes(name)))
    return exceeded(`${issuer} may not state the purpose ${purpose}`);
  const owners = new Set<string>();
  for (const one of workloads) {
    const known = inventory.workload(one);
    if (known instanceof Refusal) return unknown(`the inventory knows no ${one.text}`);
    if (!rules.trustDomains.includes(one.trustDomain))
      return exceeded(`${issuer} may not speak of ${one.text}, which is of another trust domain`);
    owners.add(known.owner);
  }
  if (owner !== null && !owners.has(owner)) return unknown(`no workload of the task is owned by a team ${owner}`);
  return null;
}

/** Why a task cannot be a part of another: it ends later, or is for something else. Null: it can. */
export function parentProblem(
  { purpose, untilMs }: TaskOrder,
  parent: RegisteredTask,
  inventory: Inventory,
): ApiProblem | null {
  if (untilMs > parent.endsAtMs) {
    const detail = `it ends after the one that it is a part of, at ${new Date(parent.endsAtMs).toISOString()}`;
    return ApiProblem.of('parent_exceeded', detail);
  }
  if (purpose === parent.purpose || inventory.widerPurposes(purpose)?.includes(parent.purpose) === true) return null;
  return ApiProblem.of('parent_exceeded', `${cut(purpose)} is not within ${parent.purpose}, the purpose of the other`);
}

/** Of names that the caller chose. */
const cut = (written: string): string => written.slice(0, 512);
const unknown = (detail: string): ApiProblem => ApiProblem.of('subject_unknown', cut(detail));
const exceeded = (detail: string): ApiProblem => ApiProblem.of('issuer_exceeded', cut(detail));
