import { z } from 'zod';
import { type Reason, Refusal, reasons } from '../../base/outcome.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { shapeProblems } from '../../source/explain.ts';
import type { Problem } from '../../source/problem.ts';
import { readYaml } from '../../source/yaml.ts';
import { controlPolicies, whyDenied } from '../control/decide.ts';
import type { ControlQuestion } from '../control/question.ts';
import { refusalOf } from '../decide/permit.ts';
import type { HopVerdict, Question } from '../decide/question.ts';
import type { Snapshot } from '../decide/snapshot.ts';
import type { SourceFile } from '../text/source-file.ts';
import type { DeclaredHeader, Sources } from '../text/sources.ts';
import { controlQuestionFor, controlShape } from './control-scenario.ts';
import { misspelt, questionsFor, scenarioSchema } from './scenario.ts';

const text = z.string().min(1);
const ids = z.array(text);

const givenSchema = scenarioSchema.extend(controlShape);
const caseSchema = givenSchema.extend({
  name: text.describe('One sentence: what must hold.'),
  expect: z.enum(['allow', 'deny']),
  by: ids.optional().describe('The deciding policies, in any order: the permits of an allow, the forbids of a denial.'),
  reason: z
    .enum(Object.keys(reasons) as [Reason, ...Reason[]])
    .optional()
    .describe('The reason of a denial.'),
});

/** The file format of policy tests: `tests/*.yaml` beside the policies. `given` holds for every case that says nothing else. */
export const casesSchema = z.strictObject({
  given: givenSchema.optional(),
  cases: z.array(caseSchema).min(1, 'a file of tests holds at least one case'),
});

/** One case, ready to be judged: a request, or a call of the control API. */
export type PolicyCase = RequestCase | ControlCase;

interface CaseParts {
  readonly name: string;
  readonly expected: {
    readonly result: 'allow' | 'deny';
    readonly by: readonly string[] | null;
    readonly reason: Reason | null;
  };
  /** A problem at the case. */
  readonly problem: (message: string) => Problem;
}

interface RequestCase extends CaseParts {
  /** One question for each hop, or why the inventory refuses the request before policy is asked. */
  readonly questions: readonly Question[] | Refusal;
}

interface ControlCase extends CaseParts {
  readonly control: ControlQuestion;
}

/** What came of a case. */
export interface CaseResult {
  readonly result: 'allow' | 'deny';
  /** Sorted. */
  readonly by: readonly string[];
  readonly reason: Reason | null;
  readonly detail: string;
}

/** The cases of one file; whatever cannot be read, or names what the inventory or config does not know, is a problem. */
export function readCases(
  source: SourceFile,
  inventory: Inventory,
  headers: readonly DeclaredHeader[],
): PolicyCase[] | Problem[] {
  const yaml = readYaml(source.text, source.file, 'write a list of cases, or remove it');
  if (Array.isArray(yaml)) return yaml;
  const parsed = casesSchema.safeParse(yaml.value, { reportInput: true });
  if (!parsed.success) return shapeProblems(parsed.error, yaml);
  const { given = {}, cases } = parsed.data;
  const problems: Problem[] = [];
  const found = cases.flatMap((stated, index): PolicyCase[] => {
    const asked = askedBy(stated, given, inventory, headers);
    if (typeof asked === 'string') {
      problems.push(yaml.problem(['cases', index], `${stated.name}: ${asked}`));
      return [];
    }
    return [
      {
        name: stated.name,
        expected: { result: stated.expect, by: stated.by?.toSorted() ?? null, reason: stated.reason ?? null },
        ...asked,
        problem: (message) => yaml.problem(['cases', index], message),
      },
    ];
  });
  return problems.length > 0 ? problems : found;
}

type Asked = Pick<RequestCase, 'questions'> | Pick<ControlCase, 'control'>;

/** What a case can state of a call of the control API. */
const CONTROL_KEYS: ReadonlySet<string> = new Set([
  'name',
  'expect',
  'by',
  'caller',
  'at',
  ...Object.keys(controlShape),
]);

/** What a case asks, or what it says wrongly. What is given for all cases of a file counts where it means something. */
function askedBy(
  stated: z.output<typeof caseSchema>,
  given: z.output<typeof givenSchema>,
  inventory: Inventory,
  headers: readonly DeclaredHeader[],
): Asked | string {
  const asPerson = stated.person === undefined ? {} : { caller: undefined, proof: undefined };
  const facts = { ...given, ...asPerson, ...stated };
  const isControl = stated.control !== undefined || (given.control !== undefined && stated.request === undefined);
  const isVain = (key: string): boolean => (isControl ? !CONTROL_KEYS.has(key) : Object.hasOwn(controlShape, key));
  const vain = Object.keys(stated).find(isVain);
  if (vain !== undefined)
    return `${vain} says nothing of a ${isControl ? 'control question' : 'request'}; leave it out`;
  if (isControl) {
    const control = controlQuestionFor(facts, inventory);
    return typeof control === 'string' ? control : { control };
  }
  const questions = misspelt(facts, inventory) ?? questionsFor(facts, inventory, headers);
  return typeof questions === 'string' ? questions : { questions };
}

/** A case and what came of it. */
export interface Outcome {
  readonly stated: PolicyCase;
  readonly result: CaseResult;
  /** How the two differ, in one line; null when they do not. */
  readonly differs: string | null;
}

/** Runs every case of the folder's tests. `unread`: what cannot be read of them; `failed`: what differs. */
export function runTests({ tests }: Sources, snapshot: Snapshot<Inventory>) {
  const unread: Problem[] = [];
  const runs = tests.map((source) => {
    const outcomes = readCases(source, snapshot.inventory, snapshot.headers).flatMap((stated): Outcome[] => {
      if (!('expected' in stated)) {
        unread.push(stated);
        return [];
      }
      const result = judgeCase(stated, snapshot);
      return [{ stated, result, differs: difference(stated, result) }];
    });
    return { source, outcomes };
  });
  const outcomes = runs.flatMap((run) => run.outcomes);
  const failed = outcomes.flatMap(({ stated, differs }) => (differs === null ? [] : [stated.problem(differs)]));
  return { runs, outcomes, unread, failed };
}

/** What came of a case with the policies of a snapshot. */
export function judgeCase(stated: PolicyCase, snapshot: Snapshot<Inventory>): CaseResult {
  if ('questions' in stated) return runCase(stated, (question) => snapshot.decide(question));
  const { principal, action, resource, ...context } = stated.control;
  const decision = controlPolicies(snapshot).decide(principal, action, resource, context);
  const [result, by] = decision.allowed
    ? (['allow', decision.permits] as const)
    : (['deny', decision.forbids] as const);
  return { result, by, reason: null, detail: decision.allowed ? '' : whyDenied(decision) };
}

/** Judges a request as a check would: every hop by itself, and all must be permitted. */
export function runCase(
  { questions }: Pick<RequestCase, 'questions'>,
  decide: (question: Question) => HopVerdict,
): CaseResult {
  if (questions instanceof Refusal) {
    return { result: 'deny', by: [], reason: questions.reason, detail: questions.detail };
  }
  const verdicts = questions.map(decide);
  const refusal = refusalOf(verdicts);
  const by = verdicts.flatMap((verdict) => (refusal === null ? verdict.permits : verdict.forbids));
  return {
    result: refusal === null ? 'allow' : 'deny',
    by: [...new Set(by)].toSorted(),
    reason: refusal?.reason ?? null,
    detail: refusal?.detail ?? '',
  };
}

/** How the result differs from what the case expects, in one line; null when it does not. */
export function difference({ name, expected }: PolicyCase, result: CaseResult): string | null {
  const same =
    expected.result === result.result &&
    (expected.by === null || expected.by.join() === result.by.join()) &&
    (expected.reason === null || expected.reason === result.reason);
  if (same) return null;
  const say = (what: string, by: readonly string[] | null, reason: string | null): string =>
    [what, reason === null ? '' : `(${reason})`, by === null || by.length === 0 ? '' : `by ${by.join(', ')}`]
      .filter((part) => part !== '')
      .join(' ');
  const detail = result.detail === '' ? '' : `: ${result.detail}`;
  return `${name}: expected ${say(expected.result, expected.by, expected.reason)}, got ${say(result.result, result.by, result.reason)}${detail}; correct the policies, or the case`;
}
