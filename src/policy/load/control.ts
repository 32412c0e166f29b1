import { type Problem, problemAtStart } from '../../source/problem.ts';
import type { Cedar } from '../decide/engine.ts';
import type { ValidatedControl } from '../decide/validated.ts';
import { annotationProblems } from '../lint/annotations.ts';
import { literalProblems, readingProblems } from '../lint/literals.ts';
import { literalNameProblems } from '../lint/names.ts';
import { viewScope } from '../lint/scopes.ts';
import type { Names } from '../lint/strings.ts';
import { controlPlaceProblems } from '../lint/teams.ts';
import type { Sources } from '../text/sources.ts';
import { checkAgainstSchema, namedBy, type ParsedSet, policyFacts, program, readSet } from './parsed-set.ts';

/** The control policies of sources, with the schema that they are written against. */
export interface ControlSet extends ParsedSet {
  readonly schema: string;
}

/**
 * The control API asks on the thread that serves: so many are parsed in some 5 ms, where other policies took their place
 * in the engine, and evaluated in a tenth of that. Who names groups, teams and paths needs few.
 */
const MAX_POLICIES = 100;
const MAX_BYTES = 32 * 1024;
const ANNOTATIONS = ['id', 'control', 'description'];

/** The table of mistakes is about requests: what Cedar says of a control policy stands as it is. */
const noMistakes = () => [];

/** Splits and parses the control policies; null where there are none. */
export function readControl({ control, settings }: Sources, cedar: Cedar): ControlSet | null {
  if (control === undefined) return null;
  const set = readSet({ ...control, settings }, cedar, noMistakes);
  const bytes = set.all.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  const problems = [...set.problems];
  const over = (what: string) =>
    problems.push(problemAtStart('control', `${what}; name groups, teams or paths instead of workloads`));
  if (set.all.length > MAX_POLICIES) over(`more than ${MAX_POLICIES} control policies`);
  if (bytes > MAX_BYTES) over(`more than ${MAX_BYTES} bytes of control policies`);
  return { ...set, problems, schema: control.schema.text };
}

/** Lints and validates control policies against their schema, and the names in them against inventory and config. */
export function checkControl(
  { schema, parsed }: ControlSet,
  names: Names,
  cedar: Cedar,
): {
  readonly validated: ValidatedControl;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
} {
  const { errors, warnings } = checkAgainstSchema(cedar, schema, parsed, noMistakes);
  const problems = [...errors, ...(names.settings.allowWarnings ? [] : warnings)];
  for (const policy of parsed) {
    problems.push(...annotationProblems(policy, ANNOTATIONS), ...readingProblems(policy), ...literalProblems(policy));
    problems.push(...literalNameProblems(policy, names), ...controlPlaceProblems(policy));
  }
  const views = parsed.map(viewScope).filter((scope) => scope !== null);
  const validated = {
    schema,
    policies: program(parsed),
    facts: parsed.map(policyFacts),
    views,
    named: namedBy(parsed),
  };
  return { validated, problems, warnings };
}
