import * as z from 'zod';
import { Fault } from '../../base/fault.ts';
import { isIdentifier } from '../../base/identifier.ts';
import { parseStrictJson } from '../../base/strict-json.ts';
import { shapeFaults } from '../../source/explain.ts';
import { MAX_RESOURCES, resourceSchema, type TaskResource } from '../../task/resources.ts';

/** What a request says of its task, beside whose it is. What is left out is null. */
export interface TaskDetails {
  readonly purpose: string | null;
  /** How long the task may take in all. */
  readonly lifetimeSeconds: number | null;
  /** How long it lives without another heartbeat; of a new task alone. */
  readonly leaseSeconds: number | null;
  /** Of a new task alone. */
  readonly budgets: {
    readonly calls: number | null;
    readonly writes: number | null;
    readonly resources: number | null;
  };
  readonly resources: readonly TaskResource[] | null;
}

/** Thirty days: longer than any task, and far from where arithmetic of times ends. */
const MAX_SECONDS = 30 * 86_400;
const MAX_COUNT = 1_000_000_000;
const MAX_TEXT = 256;

const seconds = z.int().min(1).max(MAX_SECONDS);
const count = z.int().min(0).max(MAX_COUNT);

export const resourcesSchema = z.array(resourceSchema).min(1).max(MAX_RESOURCES);

const details = z.strictObject({
  purpose: z.string().refine(isIdentifier, 'is no name of a purpose').optional(),
  lifetime: seconds.optional(),
  lease: seconds.optional(),
  budgets: z
    .strictObject({ calls: count.optional(), writes: count.optional(), resources: count.optional() })
    .optional(),
  resources: resourcesSchema.optional(),
});

/** The parameter `request_details`: a JSON object by the strict reading, in which whatever is not known is a fault. */
export function readDetails(given: string | undefined): TaskDetails | Fault {
  const json = given === undefined ? {} : parseStrictJson(given, { maxDepth: 4 });
  if (json instanceof Fault) return json;
  const read = details.safeParse(json, { reportInput: true });
  if (!read.success) {
    const [first] = shapeFaults(read.error, 1);
    return new Fault(`${first?.path.join('/') ?? ''} ${first?.message ?? ''}`.trim().slice(0, MAX_TEXT));
  }
  const { purpose = null, lifetime = null, lease = null, budgets = {}, resources = null } = read.data;
  const { calls = null, writes = null, resources: distinct = null } = budgets;
  return {
    purpose,
    lifetimeSeconds: lifetime,
    leaseSeconds: lease,
    budgets: { calls, writes, resources: distinct },
    resources,
  };
}
