import { Fault } from '../base/fault.ts';
import { decodeUtf8 } from '../base/strict-json.ts';
import { readBounded } from '../source/bounded.ts';
import { shapeProblems, withPath } from '../source/explain.ts';
import { formatProblem, MAX_PROBLEMS, sortProblems } from '../source/problem.ts';
import { readYaml, type YamlFile } from '../source/yaml.ts';
import type { Revocation } from './revocation.ts';
import { revocationSchema } from './revocation-entry.ts';
import { Revocations } from './revocations.ts';

/** The thread that serves reads the file: some thousand revocations. */
const MAX_BYTES = 256 * 1024;
const WHEN_EMPTY = 'write `revocations: []` where nothing is revoked; an empty file lifts nothing';

/** What a file holds: the revocations that can be read, and every fault of the others. */
export interface RevocationFile {
  readonly text: string;
  readonly revocations: Revocations;
  readonly problems: readonly string[];
}

/** Reads a file of revocations: `last` itself where it says the same; a Fault where none of it can be read. Never rejects. */
export async function readRevocationFile(
  path: string,
  signal: AbortSignal,
  last: RevocationFile | null,
): Promise<RevocationFile | Fault> {
  const bytes = await readBounded(path, MAX_BYTES, signal);
  if (bytes instanceof Fault) return new Fault(`${path}: ${bytes.detail}`);
  const text = decodeUtf8(bytes);
  if (text instanceof Fault) return new Fault(`${path}: ${text.detail}`);
  return text === last?.text ? last : parseRevocations(text, path);
}

/** The revocations that a text of YAML holds. `file` is only shown. */
export function parseRevocations(text: string, file: string): RevocationFile | Fault {
  const yaml = readYaml(text, file, WHEN_EMPTY);
  if (Array.isArray(yaml)) return new Fault(yaml.map(formatProblem).join('; '));
  const { value } = yaml;
  if (typeof value !== 'object' || value === null || !('revocations' in value) || !Array.isArray(value.revocations))
    return new Fault(formatProblem(yaml.problem([], `it holds no list of revocations; ${WHEN_EMPTY}`)));
  const entries: readonly unknown[] = value.revocations;
  const found: Revocation[] = [];
  const problems = Object.keys(value)
    .filter((name) => name !== 'revocations')
    .map((name) => yaml.problem([name], `${name}: no such key; write all under revocations`, true));
  const places = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const parsed = revocationSchema.safeParse(entry, { reportInput: true });
    if (!parsed.success) {
      const at: YamlFile = {
        value: entry,
        problem: (path, message, key) => yaml.problem(['revocations', index, ...path], message, key),
      };
      problems.push(...shapeProblems(parsed.error, at));
      continue;
    }
    const first = places.get(parsed.data.id);
    if (first === undefined) places.set(parsed.data.id, index);
    else {
      const path = ['revocations', index, 'id'];
      problems.push(yaml.problem(path, withPath(path, `is the id of revocations[${first}] too; write another one`)));
    }
    // What stands twice is applied twice: a faulty file never refuses less than it says.
    found.push(parsed.data);
  }
  const shown = sortProblems(problems).slice(0, MAX_PROBLEMS).map(formatProblem);
  return { text, revocations: new Revocations(found), problems: shown };
}
