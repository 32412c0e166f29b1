import { z } from 'zod';
import { Fault } from '../base/fault.ts';
import { parseExactJson } from '../base/strict-json.ts';
import type { AuthorizationCall, Entity, EntityUid } from '../policy/decide/call.ts';
import type { Engine, Program } from '../policy/decide/engine.ts';
import { literals, tokenize } from '../policy/text/tokens.ts';

const caseSchema = z.looseObject({
  name: z.string().optional(),
  request: z.looseObject({
    principal: z.string(),
    action: z.string(),
    resource: z.string(),
    context: z.unknown().optional(),
  }),
  /** The entities, or the name of a file that holds them. */
  entities: z.unknown(),
  decision: z.enum(['allow', 'deny']),
  /** Policies that must be among those that decide. */
  reason: z.array(z.string()),
  num_errors: z.int().min(0),
});

/** One case of the file format of the Cedar CLI's `run-tests`. */
export type CedarCase = z.output<typeof caseSchema> & { readonly name: string };

/** As deep as a call may be, and what stands around it. */
const MAX_DEPTH = 70;

/** The cases of a file, or why it cannot be read. Integers that a double does not hold stay exact, and are refused later. */
export function readCedarCases(text: string): readonly CedarCase[] | string {
  const value = parseExactJson(text, { maxDepth: MAX_DEPTH });
  if (value instanceof Fault) return value.detail;
  const parsed = z.array(caseSchema).min(1, 'a file of tests holds at least one case').safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
  }
  return parsed.data.map((stated, i) => ({ ...stated, name: stated.name ?? `case ${i + 1}` }));
}

/**
 * How Cedar's answer differs from what the case expects, by the rules of `run-tests`: the decision, the stated policies
 * among the deciding ones, and the number of errors. Null when it does not.
 */
export function cedarDifference(stated: CedarCase, entities: unknown, engine: Engine, program: Program): string | null {
  const call = callOf(stated, entities);
  if (typeof call === 'string') return call;
  const answer = engine.ask(program, call);
  if (answer.kind !== 'answered') return `Cedar was not asked: ${answer.message}`;
  const faults: string[] = [];
  if (answer.decision !== stated.decision) faults.push(`expected ${stated.decision}, got ${answer.decision}`);
  const missing = stated.reason.filter((id) => !answer.reasons.includes(id));
  if (missing.length > 0) {
    faults.push(`expected by ${missing.join(', ')}, got by ${answer.reasons.join(', ') || 'no policy'}`);
  }
  if (answer.errors.length !== stated.num_errors) {
    const said = answer.errors.map(({ policy, message }) => ` ${policy}: ${message}`).join(';');
    faults.push(`expected ${stated.num_errors} errors, got ${answer.errors.length}${said === '' ? '' : `:${said}`}`);
  }
  return faults.length === 0 ? null : faults.join('; ');
}

function callOf({ request }: CedarCase, entities: unknown): AuthorizationCall | string {
  const { context = {} } = request;
  const [principal, action, resource] = [request.principal, request.action, request.resource].map(uidOf);
  if (principal == null || action == null || resource == null) {
    const bad = [request.principal, request.action, request.resource].find((text) => uidOf(text) === null);
    return `${JSON.stringify(bad)} is no entity; write it like User::"alice"`;
  }
  if (!Array.isArray(entities)) return 'the entities are no list';
  return {
    principal,
    action,
    resource,
    context: context as AuthorizationCall['context'],
    entities: entities as readonly Entity[],
  };
}

/** `User::"alice"` as Cedar writes it; null for anything else. */
function uidOf(text: string): EntityUid | null {
  const tokens = tokenize(text);
  if ('message' in tokens) return null;
  const [literal, ...more] = literals(tokens);
  const length = tokens.length;
  if (literal === undefined || more.length > 0 || length !== literal.type.split('::').length * 2 + 1) return null;
  return { type: literal.type, id: literal.id };
}
