import { createHash, type Hash } from 'node:crypto';
import { changeEvents } from './change.ts';
import { ContainerLog } from './container-log.ts';
import { digest, eachLine, type LineReader, type ReadLine, readLine } from './line.ts';

/** One place where the audit is not what was written. */
export interface AuditFault {
  /** 1-based. */
  readonly line: number;
  readonly kind: 'unreadable' | 'torn' | 'changed' | 'gap' | 'order' | 'cut' | 'start' | 'writers';
  /** What was seen, and what it means. */
  readonly message: string;
}

export interface AuditReport {
  /** Lines that could be read. */
  readonly lines: number;
  /** Of these, records of checks. */
  readonly records: number;
  /** Of these, changes of what decides: policies and trust bundles. */
  readonly changes: number;
  /** Calls of the control API, and calls that were refused without a line of their own. */
  readonly controlCalls: number;
  readonly boots: number;
  /** Starts that did not know the line before them, as a stream cannot: what came before them may be incomplete. */
  readonly unlinked: number;
  /** Writes that were cut off, as the start after them says. */
  readonly torn: number;
  /** Lines of others that were skipped. */
  readonly foreign: number;
  /** Records that could not be written, as the chain itself says. */
  readonly lost: number;
  /** Allows that were answered as refusals. */
  readonly withdrawn: number;
  /** The first line continues a chain that began in an earlier file. */
  readonly continues: boolean;
  /** The last line: compare it with what is kept elsewhere, since a cut end cannot show inside the file. */
  readonly last: { readonly boot: string; readonly seq: number; readonly hash: string } | null;
  /** In the order of the file; at most 100. */
  readonly faults: readonly AuditFault[];
  /** Those of the wanted hashes that no line has: lines that were written and are gone. */
  readonly missing: readonly string[];
}

export interface VerifyOptions {
  /**
   * Passes over lines that are no lines of an audit, and takes off the prefix of a container log. A line of the audit that
   * was changed beyond recognition is passed over too, and shows as a gap before the next one; at the end of the file only
   * a hash among `wanted` shows it.
   */
  readonly skipForeign: boolean;
}

const MAX_FAULTS = 100;

/**
 * Walks an audit and checks that each line names the hash of the one before it, that the numbers have no gap, and that
 * each start continues what was there. `wanted` are hashes kept elsewhere, such as in Envoy's access log: each must
 * belong to a line. Without a fault and without anything missing, the lines are as they were written, up to `last`. One
 * who rewrites all lines from some place on passes, unless a hash from behind that place is among `wanted`.
 * Linear in time, bounded in memory.
 */
export async function verifyAudit(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  wanted: readonly string[] = [],
  options: VerifyOptions = { skipForeign: false },
): Promise<AuditReport> {
  const walk = new Walk(wanted, options);
  return walk.end(await eachLine(chunks, walk));
}

/** Lines that are none, one after the other: left by a write that was cut off, or by a stranger. */
interface Region {
  readonly from: number;
  bytes: number;
  readonly hash: Hash;
}

class Walk implements LineReader {
  readonly #wanted: Set<string>;
  readonly #faults: AuditFault[] = [];
  readonly #boots = new Set<string>();
  readonly #counts = {
    lines: 0,
    records: 0,
    changes: 0,
    controlCalls: 0,
    unlinked: 0,
    torn: 0,
    foreign: 0,
    lost: 0,
    withdrawn: 0,
  };
  readonly #container: ContainerLog | null;
  #at = 0;
  #region: Region | null = null;
  #last: { boot: string; seq: number; hash: string } | null = null;
  #continues = false;

  constructor(wanted: readonly string[], { skipForeign }: VerifyOptions) {
    this.#wanted = new Set(wanted);
    this.#container = skipForeign ? new ContainerLog() : null;
  }

  line(bytes: Uint8Array): void {
    this.#at += 1;
    const line = this.#container === null ? readLine(bytes) : null;
    if (this.#container !== null) this.#lineAmongOthers(bytes, this.#container);
    else if (line === null) this.#unreadable(bytes, this.#region === null ? null : '\n');
    else this.#readable(line, digest(bytes));
  }

  #lineAmongOthers(bytes: Uint8Array, container: ContainerLog): void {
    const written = container.unwrap(bytes);
    if (written === null || written.length === 0) return;
    const line = readLine(written);
    if (line === null) this.#counts.foreign += 1;
    else this.#readable(line, digest(written));
  }

  /** A piece of a line longer than any of ours; the pieces of one line count as one region. */
  overlong(bytes: Uint8Array): void {
    if (this.#container !== null) return;
    this.#unreadable(bytes, null, this.#at + 1);
  }

  end(rest: Uint8Array): AuditReport {
    if (rest.length > 0 && this.#container !== null) this.line(rest);
    else if (rest.length > 0) {
      this.#at += 1;
      const line = readLine(rest);
      if (line !== null) this.#readable(line, digest(rest));
      else this.#fault('torn', 'is cut off: the write was not completed, or the file was cut here', this.#region?.from);
    } else if (this.#region !== null) this.#strange(this.#region);
    return {
      ...this.#counts,
      boots: this.#boots.size,
      continues: this.#continues,
      last: this.#last,
      faults: this.#faults,
      missing: [...this.#wanted],
    };
  }

  #unreadable(bytes: Uint8Array, joint: string | null, at = this.#at): void {
    this.#region ??= { from: at, bytes: 0, hash: createHash('sha256') };
    if (joint !== null) {
      this.#region.hash.update(joint);
      this.#region.bytes += joint.length;
    }
    this.#region.hash.update(bytes);
    this.#region.bytes += bytes.length;
  }

  #readable(line: ReadLine, hash: string): void {
    this.#settleRegion(line);
    this.#place(line);
    this.#counts.lines += 1;
    if (line.event === null) this.#counts.records += 1;
    if (line.event !== null && changeEvents.has(line.event)) this.#counts.changes += 1;
    if (line.event === 'control') this.#counts.controlCalls += 1;
    if (line.event === 'control-dropped') this.#counts.controlCalls += line.records;
    if (line.event === 'lost') this.#counts.lost += line.records;
    if (line.event === 'withdrawn') this.#counts.withdrawn += 1;
    this.#wanted.delete(hash);
    this.#boots.add(line.boot);
    this.#last = { boot: line.boot, seq: line.seq, hash };
  }

  /** A start admits what it found behind the last whole line; nothing else may stand between two lines. */
  #settleRegion({ event, torn }: ReadLine): void {
    const region = this.#region;
    this.#region = null;
    if (region === null || (region.bytes === 0 && event === 'boot')) return;
    const admitted =
      event === 'boot' && torn?.bytes === region.bytes && torn.sha256 === `sha256:${region.hash.digest('hex')}`;
    if (admitted) this.#counts.torn += 1;
    else this.#strange(region);
  }

  #strange({ from }: Region): void {
    this.#fault('unreadable', 'is no line of an audit: it was changed, or another program wrote it', from);
  }

  #place(line: ReadLine): void {
    const last = this.#last;
    if (last === null) {
      this.#continues = line.event !== 'boot' || line.prev !== null;
      return;
    }
    if (line.event === 'boot') {
      this.#placeBoot(line, last.hash);
    } else if (line.boot !== last.boot) {
      if (this.#boots.has(line.boot))
        this.#fault('writers', 'belongs to an earlier start: two sidecars wrote to one file, or lines were moved');
      else this.#fault('start', 'belongs to a start whose first line is missing');
    } else if (line.seq > last.seq + 1) {
      this.#fault(
        'gap',
        `has number ${line.seq} after ${last.seq}: ${line.seq - last.seq - 1} lines are missing before it`,
      );
    } else if (line.seq <= last.seq) {
      this.#fault('order', `has number ${line.seq} after ${last.seq}: lines were moved or repeated`);
    } else if (line.prev !== last.hash) {
      this.#fault('changed', 'does not name the hash of the line before it: that line was changed, or this one');
    }
  }

  #placeBoot(line: ReadLine, head: string): void {
    if (this.#boots.has(line.boot)) this.#fault('order', 'is the first line of a start that stands above already');
    else if (line.seq !== 1) this.#fault('order', `is the first line of a start, but has number ${line.seq}`);
    else if (line.prev === null) this.#counts.unlinked += 1;
    else if (line.prev !== head)
      this.#fault(
        'cut',
        'starts after a line that is not the one before it: lines are missing before it, or the line before it was changed',
      );
  }

  #fault(kind: AuditFault['kind'], message: string, line = this.#at): void {
    if (this.#faults.length < MAX_FAULTS) this.#faults.push({ line, kind, message });
  }
}
