import type { Cedar } from '../../policy/decide/engine.ts';
import type { ParsedPolicy } from '../../policy/lint/parsed.ts';
import { checkAgainstSchema, readSet, repeatedIds } from '../../policy/load/parsed-set.ts';
import type { SourceFile } from '../../policy/text/source-file.ts';
import { NO_SETTINGS } from '../../policy/text/sources.ts';
import { problemIn } from '../../policy/text/split-policies.ts';
import { effectToken, tokenize } from '../../policy/text/tokens.ts';
import type { Problem } from '../../source/problem.ts';

/** A policy by its id. */
export type Rule = Pick<ParsedPolicy, 'id' | 'text' | 'tokens' | 'json'>;

/** A forbid with its sentence: a claim, or a fact. */
export interface Sentence extends Rule {
  readonly sentence: string;
  /** The guardrails that suffice for a claim, by `@by`; null where it does not say. */
  readonly by: readonly string[] | null;
}

/** What every request passes. */
export const PERMIT_ALL = '@id("any")\npermit (principal, action, resource);';

/** The claims or the facts of files, which are forbids that Cedar's strict mode accepts; or every problem with them. */
export function readSentences(
  files: readonly SourceFile[],
  schema: string,
  cedar: Cedar,
): readonly Sentence[] | readonly Problem[] {
  const { parsed, problems } = readSet({ guardrails: [], policies: files, settings: NO_SETTINGS }, cedar, () => []);
  const { errors, warnings } = checkAgainstSchema(cedar, schema, parsed, () => []);
  const wrong = [...problems, ...repeatedIds(parsed), ...errors, ...warnings];
  const found = parsed.map((policy): Sentence => {
    const { effect, annotations } = policy.json;
    const sentence = annotations?.description ?? '';
    if (effect !== 'forbid') wrong.push(problemIn(policy, 0, 'is a permit; write a forbid of what shall be refused'));
    if (sentence === '') wrong.push(problemIn(policy, 0, 'says nothing; write the sentence as its @description'));
    return { ...policy, sentence, by: annotations?.by?.split(/,\s*/) ?? null };
  });
  return wrong.length > 0 ? wrong : found;
}

/** A policy of our own making. Throws where Cedar does not take it. */
export function readRule(id: string, text: string, cedar: Cedar): Rule {
  const answer = cedar.policyToJson(text);
  if (answer.type === 'failure') throw new Error(`${id}: ${answer.errors.map(({ message }) => message).join('; ')}`);
  const tokens = tokenize(text);
  return { id, text, tokens: 'message' in tokens ? [] : tokens, json: answer.json };
}

/** Whether a reading gave problems. */
export const areProblems = <T extends object>(read: readonly T[] | readonly Problem[]): read is readonly Problem[] =>
  read.some((one) => 'message' in one);

/** The text of the policy with the other effect: a permit of what it would forbid. */
export function asPermit({ text, tokens }: Rule): string {
  const effect = effectToken(tokens);
  return effect === undefined ? text : `${text.slice(0, effect.start)}permit${text.slice(effect.end)}`;
}

const ID = /@id\s*\(\s*"(?:[^"\\]|\\.)*"\s*\)/;

/** Policies as one file, whose ids are numbers: two versions of a policy have one id. */
export const inOneFile = (texts: readonly string[]): string =>
  texts.map((text, index) => `${text.replace(ID, `@id("n${index}")`)}\n`).join('');

/** Operators and functions that fail for some values, where a policy is valid. */
const CAN_FAIL: ReadonlySet<string> = new Set(['+', '-', '*', 'neg', 'offset', 'durationSince', 'toDate']);

/** Whether a valid policy may fail to be evaluated, told by its operators alone. */
export const mayErr = ({ json }: Rule): boolean => {
  const text = JSON.stringify(json.conditions);
  return [...CAN_FAIL].some((operator) => text.includes(`{"${operator}":`));
};
