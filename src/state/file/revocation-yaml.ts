import { Fault } from '../../base/fault.ts';
import { formatProblem, type Problem } from '../../source/problem.ts';
import { readYaml, type YamlFile } from '../../source/yaml.ts';
import type { Revocation } from '../revocation.ts';
import { inList, type PlacedName, RevocationEntries } from './revocation-entries.ts';

const WHEN_EMPTY = 'write `revocations: []` where nothing is revoked; an empty file lifts nothing';
/** Further revocations stand there, beside the file that names it. */
export const REVOCATION_LINES = 'revocations.jsonl';

/** What a text of YAML holds. */
export interface YamlEntries {
  readonly text: string;
  /** Whether it names a file with further ones. */
  readonly namesLines: boolean;
  readonly revocations: readonly Revocation[];
  readonly places: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
  readonly names: readonly PlacedName[];
}

/** The revocations that a text of YAML holds, and every fault of the others; a Fault where it holds no list. `file` is only shown. */
export function readYamlRevocations(text: string, file: string): YamlEntries | Fault {
  const yaml = readYaml(text, file, WHEN_EMPTY);
  if (Array.isArray(yaml)) return new Fault(yaml.map(formatProblem).join('; '));
  const { value } = yaml;
  if (typeof value !== 'object' || value === null || !('revocations' in value) || !Array.isArray(value.revocations))
    return new Fault(formatProblem(yaml.problem([], `it holds no list of revocations; ${WHEN_EMPTY}`)));
  const { revocations, revocationsFile, ...others } = value as Record<string, unknown> & { revocations: unknown[] };
  const good: Revocation[] = [];
  const entries = new RevocationEntries((revocation) => void good.push(revocation));
  for (const name of Object.keys(others))
    entries.problems.push(yaml.problem([name], `${name}: no such key; write all under revocations`, true));
  if (revocationsFile !== undefined && revocationsFile !== REVOCATION_LINES)
    entries.problems.push(yaml.problem(['revocationsFile'], `revocationsFile: write ${REVOCATION_LINES}`));
  for (const [index, entry] of revocations.entries()) {
    const at: YamlFile = {
      value: entry,
      problem: (path, message, key) => yaml.problem(['revocations', index, ...path], message, key),
    };
    entries.add(entry, inList(index), () => at);
  }
  const { places, problems, names } = entries;
  return { text, namesLines: revocationsFile === REVOCATION_LINES, revocations: good, places, problems, names };
}
