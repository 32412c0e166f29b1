import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Fault, messageOf } from '../../base/fault.ts';
import { atOnce } from '../../base/slices.ts';
import { entryOf, LineSplitter, type TextLine, yamlLine } from '../../source/json-lines.ts';
import { MAX_PROBLEMS, problemAtStart } from '../../source/problem.ts';
import { stampOf } from '../../source/stamp.ts';
import { ColumnsBuilder } from './revocation-columns.ts';
import { type PlacedName, RevocationEntries } from './revocation-entries.ts';
import {
  type LinesRead,
  MAX_BYTES,
  MAX_ENTRIES,
  type ReadAnswer,
  type ReadOrder,
  unreadable,
} from './revocation-lines.ts';
import { readYamlRevocations } from './revocation-yaml.ts';

const CHUNK = 1024 * 1024;
const LF = 0x0a;

/** Each name once, where it stands first. */
const each = (names: readonly PlacedName[]): readonly PlacedName[] =>
  [...new Map(names.toReversed().map((name) => [`${name.kind} ${name.name}`, name])).values()].toReversed();

parentPort?.postMessage(answer(workerData as ReadOrder));

function answer({ text, file, linesPath }: ReadOrder): ReadAnswer {
  const yaml = readYamlRevocations(text, file);
  if (yaml instanceof Fault) return { unreadable: yaml.detail };
  const { revocations, places, namesLines } = yaml;
  const rows = new ColumnsBuilder();
  for (const revocation of revocations) rows.add(revocation);
  const entries = new RevocationEntries((revocation) => void rows.add(revocation), places);
  const lines = namesLines ? readFile(linesPath, entries, rows) : null;
  const unread = lines === null || lines.fault === null ? [] : [problemAtStart(linesPath, lines.fault)];
  return {
    lines,
    table: atOnce(rows.table()),
    problems: [...yaml.problems, ...unread, ...entries.problems],
    names: each([...yaml.names, ...entries.names]),
  };
}

function readFile(path: string, entries: RevocationEntries, rows: ColumnsBuilder): LinesRead {
  let stamp: string | null = null;
  const failed = (fault: string): LinesRead => ({ stamp: stamp ?? fault, digest: null, fault });
  try {
    const stats = statSync(path, { bigint: true });
    if (!stats.isFile() || stats.size > MAX_BYTES) return failed(unreadable(stats));
    stamp = stampOf(stats);
    // A pipe would be waited for, if one came in its place.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const digest = readAll(file, path, entries, rows);
      if (digest instanceof Fault) return failed(digest.detail);
      if (stampOf(fstatSync(file, { bigint: true })) !== stamp)
        return failed('was written while it was read; it is read again');
      return { stamp, digest, fault: null };
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return failed(messageOf(error));
  }
}

/** Gives the digest. */
function readAll(file: number, path: string, entries: RevocationEntries, rows: ColumnsBuilder): string | Fault {
  const [lines, hash, buffer] = [new LineSplitter(), createHash('sha256'), Buffer.allocUnsafeSlow(CHUNK)];
  let [last, left]: [number | undefined, number] = [undefined, MAX_BYTES];
  for (let length = readSync(file, buffer); length > 0; length = readSync(file, buffer)) {
    left -= length;
    if (left < 0) return new Fault(`longer than ${MAX_BYTES} bytes`);
    const chunk = buffer.subarray(0, length);
    hash.update(chunk);
    for (const line of lines.add(chunk)) {
      if (rows.size >= MAX_ENTRIES) return new Fault(`more than ${MAX_ENTRIES} revocations`);
      addLine(path, line, entries);
    }
    last = chunk.at(-1);
  }
  if (last === undefined)
    return new Fault('the file is empty; take its key out of the file beside it to lift all of it');
  // Of a file that is written in place a part would lift what is not there yet.
  if (last !== LF) return new Fault('the last line has no end, so that the file may not be whole; end it with one');
  return hash.digest('base64url');
}

function addLine(path: string, line: TextLine, entries: RevocationEntries): void {
  const entry = entryOf(path, line);
  if (entry === null) return;
  if ('value' in entry) entries.add(entry.value, line.line, () => yamlLine(path, line));
  else if (entries.problems.length < MAX_PROBLEMS) entries.problems.push(entry);
}
