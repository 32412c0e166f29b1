import * as z from 'zod';
import { Refusal } from '../../../base/outcome.ts';
import { SpiffeId } from '../../../base/spiffe-id.ts';
import type { ControlApproval } from '../../../policy/control/question.ts';
import { controlTask } from '../../../policy/control/registered.ts';
import type { ApprovalBook, ApprovalRequest, Review } from '../../../state/approvals/book.ts';
import { REVIEW_MS, withGlass } from '../../../state/approvals/break-glass.ts';
import { stateOfRequest } from '../../../state/approvals/request-state.ts';
import type { TaskLookup } from '../../../state/tasks/registry.ts';

export const approvalStates = ['pending', 'granted', 'refused', 'withdrawn', 'expired'] as const;

const time = z.iso.datetime();
const text = z.string();

/** What became of a request, for whoever asked. */
const statusShape = {
  id: text,
  state: z.enum(approvalStates).describe('Send the very same request again once it is `granted`.'),
  approvals: z.array(text).describe('What is missing, by its names.'),
  askedAt: time,
  answerBy: time.describe('Nobody can grant it from then on.'),
  grant: z
    .object({ at: time, by: z.array(text), uses: z.int(), until: time })
    .nullable()
    .describe('So many of the very same request pass, until then.'),
};

const saidShape = z.object({ by: text, at: time, reason: text });

/** A request for an approval as whoever decides about it sees it: what was verified, and what was sent. */
export const approvalView = z.object({
  ...statusShape,
  digest: text.describe('Of all that is shown of the request; a grant names it.'),
  caller: text,
  chain: z.array(text).describe('Who acts through whom.'),
  task: z
    .object({ issuer: text, id: text, purpose: text.nullable(), subject: text.nullable() })
    .nullable()
    .describe('`subject`: for whom its issuer says that it was started.'),
  declared: z
    .object({ id: text, purpose: text })
    .nullable()
    .describe('The task that the caller only claims: nobody has signed it.'),
  action: text,
  host: text,
  method: text,
  path: text,
  query: text.nullable(),
  contentType: text.nullable(),
  headers: z
    .array(z.object({ name: text, value: text }))
    .describe('Those that policies read, and how the body is coded.'),
  body: z
    .object({ sha256: text, bytes: z.int(), shown: text.nullable() })
    .nullable()
    .describe('`shown`: its text, where that is short, and neither coded nor of another charset than UTF-8.'),
  owner: text.nullable().describe('The team of the caller.'),
  sensitivity: text.nullable(),
  consents: z
    .array(z.object({ ...saidShape.shape, uses: z.int(), seconds: z.number() }))
    .describe('Who said yes, and to how many uses, so long after the grant: of two persons the least counts.'),
  breakGlass: z
    .object({
      ...saidShape.shape,
      reviewBy: time.describe('Until then another person has to look at it.'),
      review: saidShape.nullable(),
    })
    .nullable()
    .describe('Who let it pass alone, and who looked at it afterwards.'),
  alike: z
    .object({ asked: z.int(), granted: z.int(), since: time })
    .describe(
      'Requests of the same caller for the same approvals, action and host in the last day, this one among them, and how many people granted. All since then are counted, and earlier ones as far as this process knew them.',
    ),
  decided: saidShape.nullable().describe('Who refused or withdrew it, or granted it last.'),
});
export const approvalStatus = z.object(statusShape);

const timeOf = (ms: number): string => new Date(ms).toISOString();
const said = ({ by, atMs, reason }: Review) => ({ by, at: timeOf(atMs), reason });

/** A request that is remembered, or that waits for a review after it is over. */
export function shownRequest(book: ApprovalBook, id: string): ApprovalRequest | null {
  const broken = book.glass.find(id);
  return book.find(id) ?? (broken === null ? null : withGlass(broken.asked, broken.use));
}

/** All of them. */
export function* shownRequests(book: ApprovalBook): Iterable<ApprovalRequest> {
  yield* book.all();
  for (const { asked, use } of book.glass.all()) if (book.find(asked.id) === null) yield withGlass(asked, use);
}

/** What the asking caller is told. `nowMs`: milliseconds since the epoch. */
export function shownStatus(request: ApprovalRequest, nowMs: number): z.output<typeof approvalStatus> {
  const { id, order, askedAtMs, askUntilMs, grant } = request;
  return {
    id,
    state: stateOfRequest(request, nowMs),
    approvals: [...order.approvals],
    askedAt: timeOf(askedAtMs),
    answerBy: timeOf(askUntilMs),
    grant:
      grant === null
        ? null
        : { at: timeOf(grant.grantedAtMs), by: [...grant.by], uses: grant.uses, until: timeOf(grant.untilMs) },
  };
}

/** The same with the whole request. */
export function shownApproval(
  request: ApprovalRequest,
  nowMs: number,
  book: Pick<ApprovalBook, 'glass' | 'alikeTo'>,
): z.output<typeof approvalView> {
  const { order, consents, closing } = request;
  const broken = book.glass.find(request.id);
  const { asked, granted, sinceMs } = book.alikeTo(order, nowMs);
  const { digest, caller, chain, task, declared, action, host, method, path, query, contentType, body } = order;
  const headers = order.headers.map(([name, value]) => ({ name, value }));
  const { owner, sensitivity } = order;
  const last = closing ?? consents.at(-1) ?? null;
  return {
    ...shownStatus(request, nowMs),
    ...{ digest, caller, chain: [...chain], task, declared, action, host, method, path, query, contentType, headers },
    ...{ body, owner, sensitivity },
    consents: consents.map((one) => ({ ...said(one), uses: one.uses, seconds: one.useForMs / 1000 })),
    breakGlass:
      broken === null
        ? null
        : {
            ...said(broken.use),
            reviewBy: timeOf(broken.use.atMs + REVIEW_MS),
            review: broken.review && said(broken.review),
          },
    alike: { asked, granted, since: timeOf(sinceMs) },
    decided: last && said(last),
  };
}

/** What control policies judge of a request: each name that it asks for is judged. Empty: nothing that they can judge. */
export function controlApprovals({ id, order }: ApprovalRequest, tasks: Pick<TaskLookup, 'find'>): ControlApproval[] {
  const caller = SpiffeId.parse(order.caller);
  if (caller instanceof Refusal) return [];
  const { action, host, method, path, sensitivity } = order;
  const task = order.task === null ? null : controlTask(tasks, order.task.issuer, order.task.id);
  const request = { caller, action, host, method, path, sensitivity, task };
  return order.approvals.map((name) => ({ kind: 'approval', id, name, ...request }));
}
