import { dirname, join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { inSlices } from '../../base/slices.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { readBounded } from '../../source/bounded.ts';
import { formatProblem, MAX_PROBLEMS, type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import { readYaml, type YamlFile } from '../../source/yaml.ts';
import type { Revocation } from '../revocation.ts';
import { inList, type PlacedName, RevocationEntries } from './revocation-entries.ts';
import { type LinesRead, readRevocationLines, stampOfLines } from './revocation-lines.ts';
import { RevocationRows } from './revocation-rows.ts';
import { RevocationSet } from './revocation-set.ts';

/** The thread that serves reads YAML at once: some thousand revocations. */
const MAX_BYTES = 128 * 1024;
const WHEN_EMPTY = 'write `revocations: []` where nothing is revoked; an empty file lifts nothing';
/** Further revocations stand there, beside the file that names it. */
export const REVOCATION_LINES = 'revocations.jsonl';

/** What a file holds, with the one that it names: the revocations that can be read, and every fault of the others. */
export interface RevocationFile {
  readonly text: string;
  /** Null where it names no other file. */
  readonly lines: LinesRead | null;
  /** The same ones where both files say the same as before. */
  readonly revocations: RevocationSet;
  readonly problems: readonly string[];
  /** The teams, issuers and trust domains that its revocations name. */
  readonly names: readonly PlacedName[];
}

/**
 * Reads a file of revocations, and the one beside it that it names: `last` itself where both are as they were; a Fault where
 * nothing can be read. Never rejects.
 */
export async function readRevocationFile(
  path: string,
  signal: AbortSignal,
  last: RevocationFile | null,
): Promise<RevocationFile | Fault> {
  const bytes = await readBounded(path, MAX_BYTES, signal);
  if (bytes instanceof Fault) return new Fault(`${path}: ${bytes.detail}`);
  const text = decodeUtf8(bytes);
  if (text instanceof Fault) return new Fault(`${path}: ${text.detail}`);
  const linesPath = join(dirname(path), REVOCATION_LINES);
  const known = text === last?.text ? last : null;
  if (known !== null && (known.lines === null || known.lines.stamp === (await stampOfLines(linesPath)))) return known;
  const yaml = readEntries(text, path);
  if (yaml instanceof Fault) return yaml;
  if (!yaml.namesLines) return fileOf(yaml, null, new RevocationSet(yaml.revocations));
  const { revocations: first, places } = yaml;
  const lines = await readRevocationLines({ path: linesPath, first, places }, signal);
  if (lines instanceof Fault) {
    const problems = [...yaml.problems, problemAtStart(linesPath, lines.detail)];
    return fileOf({ ...yaml, problems }, UNREAD, new RevocationSet(first));
  }
  const { stamp, digest, fault } = lines;
  const read: LinesRead = { stamp, digest, fault };
  if (known !== null && digest !== null && digest === known.lines?.digest) return { ...known, lines: read };
  const problems = fault === null ? lines.problems : [problemAtStart(linesPath, fault), ...lines.problems];
  const all = { text, problems: [...yaml.problems, ...problems], names: each([...yaml.names, ...lines.names]) };
  return fileOf(all, read, new RevocationSet(await inSlices(RevocationRows.of(lines.table))));
}

/** The revocations that a text of YAML holds, without those of the file that it names. `file` is only shown. */
export function parseRevocations(text: string, file: string): RevocationFile | Fault {
  const yaml = readEntries(text, file);
  return yaml instanceof Fault ? yaml : fileOf(yaml, null, new RevocationSet(yaml.revocations));
}

/** Each name once, where it stands first. */
const each = (names: readonly PlacedName[]): readonly PlacedName[] =>
  [...new Map(names.toReversed().map((name) => [`${name.kind} ${name.name}`, name])).values()].toReversed();

/** It is read again with the next look. */
const UNREAD: LinesRead = { stamp: '', digest: null, fault: 'not read' };

/** What a text of YAML holds. */
interface YamlEntries {
  readonly text: string;
  /** Whether it names a file with further ones. */
  readonly namesLines: boolean;
  readonly revocations: readonly Revocation[];
  readonly places: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
  readonly names: readonly PlacedName[];
}

function readEntries(text: string, file: string): YamlEntries | Fault {
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

const fileOf = (
  { text, problems, names }: Pick<YamlEntries, 'text' | 'problems' | 'names'>,
  lines: LinesRead | null,
  revocations: RevocationSet,
): RevocationFile => ({
  text,
  lines,
  revocations,
  problems: sortProblems(problems).slice(0, MAX_PROBLEMS).map(formatProblem),
  names,
});
