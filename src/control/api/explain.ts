import * as z from 'zod';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import { scenarioSchema } from '../../policy/load/scenario.ts';
import { ApiProblem } from '../http/problem.ts';
import { route } from '../http/route.ts';

/** Workloads of a chain: the configuration allows no more. */
const MAX_CHAIN = 16;

const explanation = z.looseObject({
  result: z.enum(['allow', 'deny']),
  reason: z.string().nullable().describe('Of a denial: a code of reasons.md.'),
  hops: z
    .array(z.looseObject({ id: z.string(), role: z.string(), result: z.string() }))
    .describe('Each workload of the chain, with what policies said.'),
});

/** `POST /explain`: what the policies in force say to one request, and which part of which condition decides. */
export const explainRoute = route({
  name: 'explain',
  method: 'POST',
  path: '/explain',
  summary: 'What the policies in force say to one request, as `policy explain --json` tells',
  action: 'explain',
  parameters: z.strictObject({}),
  body: scenarioSchema,
  answers: { 200: { what: 'The decision, and what each policy said', schema: explanation } },
  problems: ['overloaded'],
  idempotent: false,
  subject: () => null,
  prepare: async ({ body, may }, { apart }) => {
    const { caller, through = [], request } = body;
    if (caller === undefined || request === undefined)
      return ApiProblem.of(
        'body_invalid',
        'state caller, the SPIFFE ID of a workload, and request, like GET host/path',
      );
    if (through.length >= MAX_CHAIN) return ApiProblem.of('body_invalid', `a chain has at most ${MAX_CHAIN} workloads`);
    const ids = [...through, caller].map((text) => SpiffeId.parse(text));
    // Whoever asks must be allowed to ask about each workload of the chain.
    const verdicts = ids.map((id) =>
      may('explain', id instanceof Refusal ? { kind: 'everything' } : { kind: 'workload', id }),
    );
    const verdict = verdicts.find(({ allowed }) => !allowed) ?? verdicts.at(-1)!;
    const run = async () => {
      const told = await apart.explain(body);
      return told instanceof ApiProblem ? told : ({ status: 200, body: told } as const);
    };
    return { about: { caller, through, request }, verdict, run };
  },
});
