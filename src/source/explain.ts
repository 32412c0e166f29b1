import type { z } from 'zod';
import { MAX_PROBLEMS, type Problem } from './problem.ts';
import { renamedKey } from './renamed.ts';
import type { DataPath, YamlFile } from './yaml.ts';

type Issue = z.core.$ZodIssue;

/** Something wrong with data: where, and in which words. `key`: at the key of the path, not at its value. */
export interface Explained {
  readonly path: DataPath;
  readonly message: string;
  readonly key: boolean;
}

/** What a zod schema finds wrong in a YAML file (parsed with `reportInput`), each at its place, with what to do. */
export function shapeProblems(error: z.ZodError, yaml: YamlFile, atKeys = false): Problem[] {
  return shapeFaults(error).map(({ path, message, key }) => yaml.problem(path, withPath(path, message), key || atKeys));
}

/** The same of data that no file holds. */
export const shapeFaults = (error: z.ZodError, most = MAX_PROBLEMS): Explained[] => [
  ...explain(error.issues).take(most),
];

/** One for each unknown key, the nearest alternative of a union, and the fault of a bad mapping key itself. */
function* explain(issues: readonly Issue[], at: DataPath = [], atKey = false): Generator<Explained, void> {
  for (const issue of issues) {
    const path = [...at, ...issue.path];
    const own = DEFAULT.test(issue.message) ? null : issue.message;
    if (issue.code === 'unrecognized_keys') {
      const message = own ?? 'no such key; remove it, or correct its spelling';
      yield* issue.keys
        .values()
        .map((key) => ({ path: [...path, key], message: renamedKey(key) ?? message, key: true }));
    } else if (issue.code === 'invalid_key') yield* explain(issue.issues, path, true);
    // YAML has no undefined: an undefined input is a key that is absent.
    else if (issue.code.startsWith('invalid_') && issue.input === undefined)
      yield { path, message: 'missing, and has no default; state it', key: atKey };
    else if (issue.code === 'invalid_union' && reaches(issue.errors))
      yield* explain(nearest(issue.errors), path, atKey);
    else yield { path, message: own ?? sentence(issue), key: atKey };
  }
}

/** What zod writes where the schema has no words of its own. */
const DEFAULT = /^(?:Invalid (?:input|option)\b|Unrecognized key)/;

function sentence(issue: Issue): string {
  if (issue.code === 'invalid_type') return EXPECTED.get(issue.expected) ?? issue.message;
  if (issue.code === 'invalid_value') return `write ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  return issue.message;
}

const EXPECTED: ReadonlyMap<string, string> = new Map([
  ['string', 'not a text; put it in quotes'],
  ['boolean', 'write true or false, without quotes'],
  ['array', 'not a list; write [] where it is empty'],
  ['object', 'not a map of keys; write {} where it is empty'],
  ['record', 'not a map of keys; write {} where it is empty'],
]);

/** How far an alternative of a union got into the value before it failed. */
const depth = (issues: readonly Issue[]) =>
  Math.max(...issues.map((issue) => issue.path.length + (issue.code === 'custom' ? 1 : 0)));

/** Whether any alternative got beyond the type of the value: then its own words say more than those of the union. */
const reaches = (alternatives: readonly (readonly Issue[])[]) =>
  alternatives.some((issues) => depth(issues) > 0 || issues.some((issue) => issue.code === 'unrecognized_keys'));

/** The alternative that was most likely meant. */
const nearest = (alternatives: readonly (readonly Issue[])[]) =>
  alternatives.reduce((best, other) => (depth(other) >= depth(best) ? other : best));

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `identity.trustDomains["prod.example"].oidc[3]: message`: keys that are no plain names in brackets. */
export function withPath(path: DataPath, message: string): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (PLAIN_KEY.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text === '' ? message : `${text}: ${message}`;
}
