import * as z from 'zod';

const clause = z.object({
  kind: z.enum(['when', 'unless']),
  result: z.enum(['true', 'false', 'error']),
  part: z.string(),
  values: z.array(z.object({ path: z.string(), value: z.string().nullable() })).readonly(),
  error: z.string().nullable(),
});

const policy = z.object({
  id: z.string(),
  effect: z.enum(['permit', 'forbid']),
  shadow: z.boolean(),
  file: z.string(),
  line: z.number(),
  result: z.enum(['applies', 'scope', 'condition', 'error']),
  scope: z.string().nullable(),
  clauses: z.array(clause).readonly(),
});

const explanation = z.object({
  result: z.enum(['allow', 'deny']),
  reason: z.string().nullable(),
  detail: z.string().nullish(),
  hops: z.array(z.object({ id: z.string(), role: z.string(), result: z.string(), policies: z.array(policy) })),
});

/** What one policy said, as `accountJson` tells it. */
type Told = z.output<typeof policy>;

/** What the control API explains, for a person; null where it is no explanation. */
export function explanationText(answer: unknown): string | null {
  const { data } = explanation.safeParse(answer);
  if (data === undefined) return null;
  const { result, reason, detail } = data;
  const hops = data.hops.map(({ id, role, result: of, policies }) =>
    [`${role} ${id}: ${of}`, ...policyLines(policies), ''].join('\n'),
  );
  const why = detail == null ? '' : `: ${detail}`;
  return [...hops, reason === null ? result : `${result} (${reason})${why}`].join('\n');
}

/** Each policy with its conditions, what decides first. */
export function policyLines(policies: readonly Told[]): string[] {
  return policies
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((told) => {
      const { id, shadow, file, line, clauses } = told;
      return [
        `  ${saying(told)}${shadow ? ' in shadow' : ''}  ${id}  ${file}:${line}`,
        ...clauses.flatMap(clauseLines),
      ];
    });
}

/** What decides first, then permits that came close, then the rest. */
function rank({ result, effect }: Told): number {
  if (result === 'error') return 0;
  if (result === 'applies') return effect === 'forbid' ? 1 : 2;
  if (result === 'condition') return effect === 'permit' ? 3 : 4;
  return 5;
}

function saying({ result, effect, scope }: Told): string {
  if (result === 'applies') return `${effect}s`;
  if (result === 'error') return 'fails to evaluate';
  return result === 'scope' ? `is about another ${scope}` : `does not ${effect}`;
}

function clauseLines({ kind, result, part, values, error }: Told['clauses'][number]): string[] {
  const what =
    result === 'true' ? `${kind} holds` : result === 'false' ? `${kind} fails at` : `${kind} fails to evaluate at`;
  const read = values.map(({ path, value }) => `        ${path} ${value === null ? 'is absent' : `is ${value}`}`);
  return [`      ${what}: ${part}`, ...read, ...(error === null ? [] : [`        ${error}`])];
}
