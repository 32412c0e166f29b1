import { isUtf8 } from 'node:buffer';
import { Fault } from '../base/fault.ts';
import { type JsonValue, parseStrictJson } from '../base/strict-json.ts';
import type { Problem } from './problem.ts';
import { readYaml, type YamlFile } from './yaml.ts';

/** Bytes of one line. */
export const MAX_LINE_BYTES = 65_536;

const LF = 0x0a;

/** One line of a file of entries. */
export interface TextLine {
  /** From 1. */
  readonly line: number;
  /** A Fault where it is too long or no UTF-8. */
  readonly text: string | Fault;
}

/** Takes the pieces of a file, and gives its lines; a byte order mark at its begin is none of the first one. */
export class LineSplitter {
  #line = 1;
  #begun: Buffer[] = [];
  #length = 0;

  /** The lines that end in this piece, whose memory may be used again then. */
  *add(chunk: Uint8Array): Generator<TextLine, void> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      this.#append(bytes.subarray(start, end));
      yield this.#ended();
      start = end + 1;
    }
    if (start < bytes.length) this.#append(Buffer.from(bytes.subarray(start)));
  }

  /** What stands behind the last line end; null where nothing does. */
  rest(): TextLine | null {
    return this.#length > 0 ? this.#ended() : null;
  }

  #append(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length <= MAX_LINE_BYTES) this.#begun.push(piece);
  }

  #ended(): TextLine {
    const bytes = this.#begun.length === 1 ? this.#begun[0]! : Buffer.concat(this.#begun);
    const text =
      this.#length > MAX_LINE_BYTES
        ? new Fault(`a line of more than ${MAX_LINE_BYTES} bytes; an entry takes one line`)
        : textOf(bytes, this.#line === 1);
    this.#begun = [];
    this.#length = 0;
    return { line: this.#line++, text };
  }
}

function textOf(bytes: Buffer, first: boolean): string | Fault {
  if (!isUtf8(bytes)) return new Fault('not valid UTF-8; write the file in UTF-8');
  const text = bytes.toString();
  return first && text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** The entry of a line, in strict JSON (RFC 8259), or where it has none and why; null of an empty line. */
export function entryOf(file: string, { line, text }: TextLine): { readonly value: JsonValue } | Problem | null {
  if (text instanceof Fault) return lineProblem(file, line, 1, text.detail);
  if (text.trim() === '') return null;
  const value = parseStrictJson(text);
  if (!(value instanceof Fault)) return { value };
  const [, what = value.detail, column = '1'] = /^(.*) at line 1, column (\d+)$/.exec(value.detail) ?? [];
  return lineProblem(file, line, Number(column), `${what}; each line is one entry, in JSON`);
}

/** A line as YAML, which JSON is too: that knows the place of every value. */
export function yamlLine(file: string, { line, text }: TextLine): YamlFile {
  const yaml = text instanceof Fault ? [] : readYaml(text, file, 'write an entry');
  if (Array.isArray(yaml)) return { value: null, problem: (_, message) => lineProblem(file, line, 1, message) };
  return { value: yaml.value, problem: (...of) => ({ ...yaml.problem(...of), line }) };
}

/** A problem at a place of a file. */
export function lineProblem(file: string, line: number, column: number, message: string): Problem {
  return { file, line, column, message };
}
