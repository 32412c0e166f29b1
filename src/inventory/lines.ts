import { isUtf8 } from 'node:buffer';
import { Fault } from '../base/fault.ts';
import { parseStrictJson } from '../base/strict-json.ts';
import { shapeProblems, withPath } from '../source/explain.ts';
import { MAX_PROBLEMS, type Problem } from '../source/problem.ts';
import { readYaml, type YamlFile } from '../source/yaml.ts';
import { addEntry, type EntryReport } from './entry-rules.ts';
import { workloadSchema } from './schema.ts';
import { EntryTableBuilder, type EntryTableData } from './table/entry-table.ts';

/** Bytes of one line. */
export const MAX_LINE_BYTES = 65_536;
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
        for (const { line, text } of split(lines.chunks())) {
          if (wanted.has(line) && text !== null) wanted.set(line, lineOf(lines.file, line, text));
        }
      }
      return noted.map(
        ({ line, path, message }) =>
          wanted.get(line)?.problem(path, withPath(path, message)) ?? at(lines.file, line, 1, withPath(path, message)),
      );
    },
  };
}

function compile(lines: EntryLines, problems: Problem[]): EntryTableData {
  const { file } = lines;
  const table = new EntryTableBuilder();
  const problem = (line: number, column: number, message: string) => {
    problems.push(at(file, line, column, message));
  };
  for (const { line, text } of split(lines.chunks())) {
    if (problems.length >= MAX_PROBLEMS) break;
    if (table.size >= MAX_ENTRIES || table.names > MAX_NAMES) {
      const many =
        table.names > MAX_NAMES ? `${MAX_NAMES} names of groups, labels and issuers` : `${MAX_ENTRIES} entries`;
      problem(line, 1, `more than ${many}; split the estate`);
      break;
    }
    if (text === null) problem(line, 1, `a line of more than ${MAX_LINE_BYTES} bytes; an entry takes one line`);
    else if (text instanceof Fault) problem(line, 1, `${text.detail}; write the file in UTF-8`);
    else if (text.trim() !== '') addLine(file, line, text, table, problems);
  }
  return table.build();
}

function addLine(file: string, line: number, text: string, table: EntryTableBuilder, problems: Problem[]): void {
  const value = parseStrictJson(text);
  if (value instanceof Fault) {
    const [, what = value.detail, column = '1'] = /^(.*) at line 1, column (\d+)$/.exec(value.detail) ?? [];
    problems.push(at(file, line, Number(column), `${what}; each line is one entry, in JSON`));
    return;
  }
  const shape = workloadSchema.safeParse(value);
  if (!shape.success) {
    const explained = workloadSchema.safeParse(value, { reportInput: true });
    if (explained.error) problems.push(...shapeProblems(explained.error, lineOf(file, line, text)));
    return;
  }
  addEntry(shape.data, line, table, (path, message) => {
    problems.push(lineOf(file, line, text).problem(path, withPath(path, message)));
  });
}

/** A line as YAML, which JSON is too: that knows the place of every value. */
function lineOf(file: string, line: number, text: string | Fault): YamlFile {
  const yaml = text instanceof Fault ? [] : readYaml(text, file, 'write an entry');
  if (Array.isArray(yaml)) return { value: null, problem: (_, message) => at(file, line, 1, message) };
  return { value: yaml.value, problem: (...of) => ({ ...yaml.problem(...of), line }) };
}

function at(file: string, line: number, column: number, message: string): Problem {
  return { file, line, column, message };
}

interface Line {
  /** From 1. */
  readonly line: number;
  /** Null where it is too long. */
  readonly text: string | Fault | null;
}

const LF = 0x0a;

/** The lines of a file; a byte order mark at its begin is none of the first one. */
function* split(chunks: Iterable<Uint8Array>): Generator<Line, void> {
  let line = 1;
  let begun: Buffer[] = [];
  let length = 0;
  const ended = (): Line => {
    const bytes = begun.length === 1 ? begun[0]! : Buffer.concat(begun);
    const text = length > MAX_LINE_BYTES ? null : textOf(bytes, line === 1);
    begun = [];
    length = 0;
    return { line: line++, text };
  };
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      add(bytes.subarray(start, end));
      yield ended();
      start = end + 1;
    }
    // The chunk's memory is used again for the next one.
    if (start < bytes.length) add(Buffer.from(bytes.subarray(start)));
  }
  if (length > 0) yield ended();

  function add(piece: Buffer): void {
    length += piece.length;
    if (length <= MAX_LINE_BYTES) begun.push(piece);
  }
}

function textOf(bytes: Buffer, first: boolean): string | Fault {
  if (!isUtf8(bytes)) return new Fault('not valid UTF-8');
  const text = bytes.toString();
  return first && text.startsWith('\ufeff') ? text.slice(1) : text;
}
