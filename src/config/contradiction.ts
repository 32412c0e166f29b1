import type * as z from 'zod';

/** What a check of zod can report to. */
export type Context = { issues: { push(issue: z.core.$ZodRawIssue): void } };

/** Reports a contradiction at a key below the value that is being checked. */
export function contradiction(ctx: Context, path: PropertyKey[], message: string): void {
  ctx.issues.push({ code: 'custom', message, path, input: null });
}
