import { dirname, join } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { inSlices } from '../../base/slices.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { readBounded } from '../../source/bounded.ts';
import { formatProblem, MAX_PROBLEMS, type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import type { PlacedName } from './revocation-entries.ts';
import { type LinesRead, readRevocations, stampOfLines } from './revocation-lines.ts';
import { RevocationRows } from './revocation-rows.ts';
import { RevocationSet } from './revocation-set.ts';
import { REVOCATION_LINES, readYamlRevocations } from './revocation-yaml.ts';

/** What people write; more goes into lines. */
const MAX_BYTES = 128 * 1024;
/** So much YAML is read by the thread that serves, at once: a few milliseconds. */
const AT_ONCE_BYTES = 2048;

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
  const yaml = bytes.length <= AT_ONCE_BYTES ? readYamlRevocations(text, path) : null;
  if (yaml instanceof Fault) return yaml;
  if (yaml?.namesLines === false) return fileOf(yaml, null, new RevocationSet(yaml.revocations));
  const read = await readRevocations({ text, file: path, linesPath }, signal);
  if (read instanceof Fault) {
    if (yaml === null) return read;
    const problems = [...yaml.problems, problemAtStart(linesPath, read.detail)];
    return fileOf({ ...yaml, problems }, UNREAD, new RevocationSet(yaml.revocations));
  }
  const { lines, table } = read;
  const digest = lines?.digest ?? null;
  if (known !== null && digest !== null && digest === known.lines?.digest) return { ...known, lines };
  return fileOf({ text, ...read }, lines, new RevocationSet(await inSlices(RevocationRows.of(table))));
}

/** The revocations that a text of YAML holds, without those of the file that it names. `file` is only shown. */
export function parseRevocations(text: string, file: string): RevocationFile | Fault {
  const yaml = readYamlRevocations(text, file);
  return yaml instanceof Fault ? yaml : fileOf(yaml, null, new RevocationSet(yaml.revocations));
}

/** It is read again with the next look. */
const UNREAD: LinesRead = { stamp: '', digest: null, fault: 'not read' };

const fileOf = (
  { text, problems, names }: Pick<RevocationFile, 'text' | 'names'> & { readonly problems: readonly Problem[] },
  lines: LinesRead | null,
  revocations: RevocationSet,
): RevocationFile => ({
  text,
  lines,
  revocations,
  problems: sortProblems(problems).slice(0, MAX_PROBLEMS).map(formatProblem),
  names,
});
