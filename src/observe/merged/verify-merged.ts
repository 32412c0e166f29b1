import { Fault } from '../../base/fault.ts';
import { ContainerLog } from '../container-log.ts';
import { digest, eachLine, type LineReader, type ReadLine, readLine } from '../line.ts';

/** Where a line stands among the files. */
export interface MergedPlace {
  /** Index of the file, in the order in which they were read. */
  readonly file: number;
  /** 1-based. */
  readonly line: number;
}

export interface MergedFault extends MergedPlace {
  readonly kind: 'unreadable' | 'changed' | 'gap' | 'cut' | 'forked';
  readonly message: string;
}

export interface MergedReport {
  /** Lines that could be read, each counted once. */
  readonly lines: number;
  readonly records: number;
  readonly boots: number;
  /** Lines that stood there before already, byte by byte: a shipper that sends again leaves them. */
  readonly repeated: number;
  readonly foreign: number;
  readonly torn: number;
  /** Records that could not be written, as the chains themselves say. */
  readonly lost: number;
  /** Chains: of each sink of each sidecar one, and one more wherever a sidecar could not know what was before. */
  readonly chains: readonly MergedChain[];
  /** In the order of starts; at most 100. */
  readonly faults: readonly MergedFault[];
  /** Those of the wanted hashes that no line has. */
  readonly missing: readonly string[];
}

/** One chain, from its first line that is here to its last. */
export interface MergedChain {
  /** Its first line names one before it that is not here: an earlier file. */
  readonly continues: boolean;
  readonly last: { readonly boot: string; readonly seq: number; readonly hash: string };
}

export interface MergedOptions {
  /** Passes over what is no line of an audit, and takes off the prefix of a container log. */
  readonly skipForeign: boolean;
  /** The member of a JSON object on each line that holds the line as it was written; null: lines are as they were written. */
  readonly member: string | null;
}

interface Kept extends MergedPlace {
  readonly seq: number;
  readonly prev: string | null;
  readonly hash: string;
  /** The line that a start found before it. */
  readonly last: { readonly boot: string; readonly seq: number } | null;
  readonly isBoot: boolean;
}

const MAX_FAULTS = 100;
/** About 400 bytes of memory each. */
const MAX_LINES = 4_000_000;

/**
 * Verifies lines of any number of chains, from any number of files in any order: rotated, shipped, merged. Lines belong to the
 * start that they name, in the order of their numbers, and each start follows the line whose hash it names. Whatever stood in a
 * chain between two lines that are here, and is not here, is a fault; what was at its end can only be missed by a hash that was
 * kept elsewhere.
 */
export class MergedAudit {
  readonly #boots = new Map<string, Map<number, Kept>>();
  readonly #wanted: Set<string>;
  readonly #options: MergedOptions;
  readonly #faults: MergedFault[] = [];
  /** Lines that could not be read, by the digest of their bytes, until a start says that it found them. */
  readonly #unread = new Map<string, MergedPlace>();
  readonly #torn = new Set<string>();
  readonly #counts = { lines: 0, records: 0, repeated: 0, foreign: 0, lost: 0 };
  #files = 0;

  constructor(wanted: readonly string[], options: MergedOptions) {
    this.#wanted = new Set(wanted);
    this.#options = options;
  }

  /** Reads one more file. A Fault where there are too many lines to hold. Rejects where the file cannot be read. */
  async read(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Fault | null> {
    const file = this.#files++;
    const container = this.#options.skipForeign ? new ContainerLog() : null;
    let line = 0;
    const reader: LineReader = {
      line: (bytes) => this.#line(container === null ? bytes : container.unwrap(bytes), { file, line: ++line }),
      overlong: (bytes) => this.#strange(bytes, { file, line: line + 1 }),
    };
    const rest = await eachLine(chunks, reader);
    if (rest.length > 0) reader.line(rest);
    return this.#counts.lines > MAX_LINES
      ? new Fault(`more than ${MAX_LINES} lines; verify fewer files at once, one after the other`)
      : null;
  }

  /** What all files are together. */
  report(): MergedReport {
    const byHash = new Map<string, { readonly boot: string; readonly seq: number }>();
    for (const [boot, lines] of this.#boots)
      for (const { hash, seq } of lines.values()) byHash.set(hash, { boot, seq });
    const followed = new Map<string, string>();
    const firsts: { readonly boot: string; readonly continues: boolean }[] = [];
    for (const [boot, lines] of this.#boots) {
      const sorted = [...lines.values()].sort((a, b) => a.seq - b.seq);
      this.#walk(boot, sorted);
      const first = sorted[0]!;
      const before = first.prev === null ? undefined : byHash.get(first.prev);
      if (before === undefined) {
        const found = first.last === null ? undefined : this.#boots.get(first.last.boot);
        if (found !== undefined)
          this.#fault(
            'cut',
            first,
            `start ${boot} follows line ${first.last!.seq} of start ${first.last!.boot}, which is missing or was changed`,
          );
        firsts.push({ boot, continues: !first.isBoot || first.prev !== null });
        continue;
      }
      const other = followed.get(first.prev!);
      if (other !== undefined || this.#boots.get(before.boot)!.has(before.seq + 1))
        this.#fault(
          'forked',
          first,
          `start ${boot} follows line ${before.seq} of start ${before.boot}, which another line follows too: a file was put back, or lines were made up`,
        );
      followed.set(first.prev!, boot);
    }
    for (const place of this.#unread.values())
      this.#fault('unreadable', place, 'is no line of an audit: it was changed, or another program wrote it');
    return {
      ...this.#counts,
      boots: this.#boots.size,
      torn: this.#torn.size,
      chains: firsts.map(({ boot, continues }) => ({ continues, last: this.#end(boot, followed) })),
      faults: this.#faults,
      missing: [...this.#wanted],
    };
  }

  #line(bytes: Uint8Array | null, place: MergedPlace): void {
    if (bytes === null || bytes.length === 0) return;
    const written = this.#options.member === null ? bytes : memberOf(bytes, this.#options.member);
    const read = written === null ? null : readLine(written);
    if (read === null) this.#strange(written ?? bytes, place);
    else if (this.#counts.lines <= MAX_LINES) this.#keep(read, digest(written!), place);
  }

  #strange(bytes: Uint8Array, place: MergedPlace): void {
    if (this.#options.skipForeign) {
      this.#counts.foreign += 1;
      return;
    }
    const hash = digest(bytes);
    if (this.#torn.has(hash)) return;
    if (this.#unread.size < MAX_FAULTS) this.#unread.set(hash, place);
  }

  #keep({ boot, seq, prev, event, torn, records, last }: ReadLine, hash: string, place: MergedPlace) {
    const lines = this.#boots.get(boot) ?? new Map<number, Kept>();
    if (lines.size === 0) this.#boots.set(boot, lines);
    const there = lines.get(seq);
    if (there !== undefined) {
      if (there.hash === hash) this.#counts.repeated += 1;
      else this.#fault('changed', place, `has number ${seq} of start ${boot}, as another line has that differs`);
      return;
    }
    lines.set(seq, { ...place, seq, prev, hash, last, isBoot: event === 'boot' });
    this.#wanted.delete(hash);
    this.#counts.lines += 1;
    if (event === null) this.#counts.records += 1;
    if (event === 'lost') this.#counts.lost += records;
    if (torn !== null && event === 'boot') {
      this.#torn.add(torn.sha256);
      this.#unread.delete(torn.sha256);
    }
  }

  /** The lines of one start, one after the other. */
  #walk(boot: string, sorted: readonly Kept[]): void {
    let before: Kept | null = null;
    for (const line of sorted) {
      if (before !== null && line.seq > before.seq + 1)
        this.#fault(
          'gap',
          line,
          `has number ${line.seq} of start ${boot} after ${before.seq}: ${line.seq - before.seq - 1} lines are missing`,
        );
      else if (before !== null && line.prev !== before.hash)
        this.#fault(
          'changed',
          line,
          `does not name the hash of line ${before.seq} of start ${boot}: that line was changed, or this one`,
        );
      if (line.isBoot !== (line.seq === 1))
        this.#fault(
          'changed',
          line,
          `has number ${line.seq} of start ${boot}, which ${line.isBoot ? 'no' : 'the'} first line has`,
        );
      before = line;
    }
  }

  /** The last line of the chain that begins with a start. */
  #end(boot: string, followed: ReadonlyMap<string, string>): MergedChain['last'] {
    const seen = new Set<string>();
    for (let at = boot; ; ) {
      seen.add(at);
      const last = [...this.#boots.get(at)!.values()].reduce((most, line) => (line.seq > most.seq ? line : most));
      const next = followed.get(last.hash);
      if (next === undefined || seen.has(next)) return { boot: at, seq: last.seq, hash: last.hash };
      at = next;
    }
  }

  #fault(kind: MergedFault['kind'], { file, line }: MergedPlace, message: string): void {
    if (this.#faults.length < MAX_FAULTS) this.#faults.push({ kind, file, line, message });
  }
}

/** The text of a member of the JSON object on a line, as a shipper wraps it; null where there is none. */
function memberOf(bytes: Uint8Array, member: string): Uint8Array | null {
  try {
    const value = (JSON.parse(Buffer.from(bytes).toString()) as Readonly<Record<string, unknown>> | null)?.[member];
    return typeof value === 'string' ? Buffer.from(value.endsWith('\n') ? value.slice(0, -1) : value) : null;
  } catch {
    return null;
  }
}
