import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { kinds } from '../../inventory/model.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import type { Activity, LastUse } from '../../state/activity/model.ts';
import { cursorBehind } from '../../state/activity/names.ts';
import { cursorOf, listParameters, pageSchema, readCursor, visible } from '../http/page.ts';
import { ApiProblem } from '../http/problem.ts';
import { type Call, route } from '../http/route.ts';
import { type SeenBy, seenBy } from '../http/seen-by.ts';

/** Each of these is asked for in a worker, one after the other. */
const MOST_WITH_REACH = 5;
/** Within which they are asked for; of those that come later nothing is told. */
const REACH_MS = 4000;

const workloadView = z.object({
  id: z.string().describe('The SPIFFE ID; of `under`, that of the prefix.'),
  scope: z
    .enum(['id', 'under', 'seen'])
    .describe(
      '`id`: an entry of the inventory for this workload; `under`: one for all below this prefix; `seen`: a workload that was proven, and that a prefix holds for.',
    ),
  owner: z.string(),
  kind: z.enum(kinds),
  reviewed: z.string().nullable().describe('The day of the last review that the inventory states.'),
  lastUse: z.iso.datetime().nullable().describe('When it was last proven as the caller of a request.'),
  credentials: z.array(z.string()).describe('The kinds of credentials that were seen of it.'),
  tasks: z.array(z.object({ issuer: z.string(), id: z.string(), until: z.iso.datetime() })).describe('Its live tasks.'),
  reach: z
    .unknown()
    .optional()
    .describe(
      'With `reach=true`: what it could do, as `policy reach --json` tells; null for a prefix, and where no time was left: ask for fewer.',
    ),
});

interface Listed {
  readonly id: string;
  readonly scope: 'id' | 'under' | 'seen';
  readonly owner: string;
  readonly kind: (typeof kinds)[number];
  readonly reviewed: string | null;
}

/** `GET /workloads`: those of the inventory, its prefixes, and what was seen below them. */
export const workloadsRoute = route({
  name: 'workloads',
  method: 'GET',
  path: '/workloads',
  summary: 'The workloads of the inventory with their owner, their last use and the credentials that were seen',
  action: 'view',
  parameters: z.strictObject({
    ...listParameters,
    owner: z.string().min(1).max(2048).optional().describe('Only of this team.'),
    reach: z
      .enum(['true', 'false'])
      .default('false')
      .describe(`true: with what each could reach; then a page has at most ${MOST_WITH_REACH}.`),
  }),
  body: null,
  answers: { 200: { what: 'A page of workloads', schema: pageSchema(workloadView) } },
  problems: ['cursor_invalid', 'state_unavailable', 'overloaded'],
  idempotent: false,
  subject: () => null,
  prepare: async (call, { snapshot, activity, apart }) => {
    const inventory = snapshot()?.inventory;
    if (inventory === undefined) return ApiProblem.of('policy_unavailable');
    const seeing = seenBy(call, ['workload', 'path', 'trustDomain']);
    const withReach = call.parameters.reach === 'true';
    const limit = withReach ? Math.min(call.parameters.limit, MOST_WITH_REACH) : call.parameters.limit;
    const page = await pageOfListed(call, call.parameters, limit, inventory, activity, seeing);
    if (page instanceof ApiProblem) return page;
    const uses = await activity.lastUses(page.items.flatMap(({ id, scope }) => (scope === 'under' ? [] : [id])));
    if (uses instanceof Fault) return ApiProblem.of('state_unavailable', uses.detail);
    const items = page.items.map((item) => ({ ...item, ...useOf(uses.get(item.id)) }));
    const { next } = page;
    const run = async () => {
      if (!withReach) return { status: 200 as const, body: { items, next, covers: activity.covers } };
      const reached: unknown[] = [];
      const end = performance.now() + REACH_MS;
      for (const item of items) {
        const isAsked = item.scope !== 'under' && performance.now() < end;
        const reach = isAsked ? await apart.reach(item.id) : null;
        if (reach instanceof ApiProblem) return reach;
        reached.push({ ...item, reach });
      }
      return { status: 200 as const, body: { items: reached, next, covers: activity.covers } };
    };
    return { about: {}, verdict: seeing.verdict(items.length), run };
  },
});

interface PageOfListed {
  readonly items: readonly Listed[];
  readonly next: string | null;
}

const CURSOR = /^\d{1,7}$/;

/**
 * Entries of workloads, then of prefixes, then what was seen below prefixes; each in the order of its SPIFFE IDs. Where a page
 * ends is told by the last that was shown and by how many come behind it, so that no cursor names what may not be viewed.
 */
async function pageOfListed(
  { slices }: Call,
  { cursor, owner }: { readonly cursor?: string | undefined; readonly owner?: string | undefined },
  limit: number,
  inventory: Inventory,
  activity: Activity,
  seeing: SeenBy,
): Promise<PageOfListed | ApiProblem> {
  const at = readCursor('workloads', 3, cursor);
  if (at instanceof ApiProblem) return at;
  const wrong = ApiProblem.of('cursor_invalid', 'write `next` of the page before');
  let [scope, shown, text] = at ?? ['id', null, '0'];
  if (!CURSOR.test(text ?? '')) return wrong;
  let skip = Number(text);
  const items: Listed[] = [];
  const next = (behind: number): string => cursorOf('workloads', scope!, shown!, String(behind));
  for (const listing of ['id', 'under'] as const) {
    if (scope !== listing) continue;
    let behind = 0;
    const selection = {
      wanted: (entry: { readonly owner: string }) => ++behind > skip && (owner === undefined || entry.owner === owner),
      maySee: ({ entry }: { readonly entry: string }) => {
        if (!seeing.maySee(resourceOfEntry(entry, listing))) return false;
        [shown, behind, skip] = [entry, 0, 0];
        return true;
      },
    };
    const entries = inventory.entriesAfter(listing, shown ?? null);
    const seen = await visible(entries, limit - items.length, selection, slices);
    items.push(...seen.items.map(({ entry, ...rest }) => ({ id: entry, ...rest })));
    if (seen.last !== null) return { items, next: next(behind) };
    [scope, shown, skip] = [listing === 'id' ? 'under' : 'seen', null, 0];
    if (items.length === limit) return { items, next: next(0) };
  }
  if (scope !== 'seen') return wrong;
  const from = shown == null ? null : cursorBehind(shown);
  const uses = await activity.allLastUses(limit - items.length, from, skip);
  if (typeof uses === 'symbol') return wrong;
  if (uses instanceof Fault) return ApiProblem.of('state_unavailable', uses.detail);
  let behind = skip + uses.names.length;
  for (const { workload } of uses.items) {
    if (slices.due) await slices.pause();
    const listed = listedAs(workload, inventory);
    if (listed === null || (owner !== undefined && listed.owner !== owner)) continue;
    if (!seeing.maySee(resourceOfEntry(workload, 'id'))) continue;
    items.push(listed);
    [shown, behind] = [workload, uses.names.length - uses.names.indexOf(workload) - 1];
  }
  return { items, next: uses.next === null ? null : next(behind) };
}

/** A workload that a prefix holds for; null where it has an entry of its own, or none any more. */
function listedAs(workload: string, inventory: Inventory): Listed | null {
  const id = SpiffeId.parse(workload);
  const known = id instanceof Refusal ? id : inventory.workload(id);
  if (known instanceof Refusal || known.entry === workload) return null;
  return { id: workload, scope: 'seen', owner: known.owner, kind: known.kind, reviewed: null };
}

function resourceOfEntry(entry: string, scope: 'id' | 'under'): ControlResource {
  const id = SpiffeId.parse(entry);
  if (id instanceof Refusal) return { kind: 'everything' };
  if (id.path === '') return { kind: 'trustDomain', name: id.trustDomain };
  return scope === 'id' ? { kind: 'workload', id } : { kind: 'path', id };
}

const useOf = (use: LastUse | undefined) => ({
  lastUse: use === undefined ? null : new Date(use.lastMs).toISOString(),
  credentials: use?.credentials ?? [],
  tasks: (use?.tasks ?? []).map(({ issuer, id, untilMs }) => ({ issuer, id, until: new Date(untilMs).toISOString() })),
});
