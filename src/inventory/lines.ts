import { shapeProblems, withPath } from '../source/explain.ts';
import { entryOf, LineSplitter, lineProblem, type TextLine, yamlLine } from '../source/json-lines.ts';
import { MAX_PROBLEMS, type Problem } from '../source/problem.ts';
import type { YamlFile } from '../source/yaml.ts';
import { addEntry, type EntryReport } from './entry-rules.ts';
import { workloadSchema } from './schema.ts';
import { EntryTableBuilder, type EntryTableData } from './table/entry-table.ts';

const MAX_ENTRIES = 2_000_000;
/** Groups, names of labels, issuers and trust domains that are different from each other. */
const MAX_NAMES = 65_536;

/** A file of workload entries, one a line, in JSON. */
export interface EntryLines {
  readonly file: string;
  /** What stands in it, in pieces of any length. Asked for again where problems are to be placed. */
  chunks(): Iterable<Uint8Array>;
  /** Its entries, where they were read before. */
  readonly table?: EntryTableData | undefined;
}

/** Entries that were read, and what is wrong with the others. */
export interface ReadLines {
  readonly table: EntryTableData;
  readonly problems: readonly Problem[];
  /** Notes what the rules find; `placed` says where. */
  readonly report: EntryReport;
  placed(): readonly Problem[];
}

/** Reads workload entries as a stream: each line is one in strict JSON (RFC 8259), by the schema of the inventory. */
export function readEntryLines(lines: EntryLines): ReadLines {
  const problems: Problem[] = [];
  const table = lines.table ?? compile(lines, problems);
  const noted: { line: number; path: Parameters<EntryReport>[1]; message: string }[] = [];
  return {
    table,
    problems,
    report: (line, path, message) => {
      if (noted.length < MAX_PROBLEMS) noted.push({ line, path, message });
    },
    placed() {
      const wanted = new Map(noted.map(({ line }) => [line, null as YamlFile | null]));
      if (wanted.size > 0) {
        for (const line of split(lines.chunks()))
          if (wanted.has(line.line)) wanted.set(line.line, yamlLine(lines.file, line));
      }
      return noted.map(
        ({ line, path, message }) =>
          wanted.get(line)?.problem(path, withPath(path, message)) ??
          lineProblem(lines.file, line, 1, withPath(path, message)),
      );
    },
  };
}

function compile(lines: EntryLines, problems: Problem[]): EntryTableData {
  const { file } = lines;
  const table = new EntryTableBuilder();
  for (const line of split(lines.chunks())) {
    if (problems.length >= MAX_PROBLEMS) break;
    if (table.size >= MAX_ENTRIES || table.names > MAX_NAMES) {
      const many =
        table.names > MAX_NAMES ? `${MAX_NAMES} names of groups, labels and issuers` : `${MAX_ENTRIES} entries`;
      problems.push(lineProblem(file, line.line, 1, `more than ${many}; split the estate`));
      break;
    }
    addLine(file, line, table, problems);
  }
  return table.build();
}

function addLine(file: string, line: TextLine, table: EntryTableBuilder, problems: Problem[]): void {
  const entry = entryOf(file, line);
  if (entry === null) return;
  if (!('value' in entry)) {
    problems.push(entry);
    return;
  }
  const shape = workloadSchema.safeParse(entry.value);
  if (!shape.success) {
    const explained = workloadSchema.safeParse(entry.value, { reportInput: true });
    if (explained.error) problems.push(...shapeProblems(explained.error, yamlLine(file, line)));
    return;
  }
  addEntry(shape.data, line.line, table, (path, message) => {
    problems.push(yamlLine(file, line).problem(path, withPath(path, message)));
  });
}

function* split(chunks: Iterable<Uint8Array>): Generator<TextLine, void> {
  const lines = new LineSplitter();
  for (const chunk of chunks) yield* lines.add(chunk);
  const rest = lines.rest();
  if (rest !== null) yield rest;
}
