const BLOCK_BYTES = 2 ** 20;
/** Unused bytes that are not worth moving everything together. */
const SPARE_BYTES = 4 * BLOCK_BYTES;
const FIRST_ENTRIES = 1024;

/** Where the bytes of an entry lie; its length is 0 where there is none. */
interface Columns {
  readonly block: Uint32Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
}

/** Texts by number, in a few large blocks: a hundred thousand strings would be twice as large, and work for the collector. */
export class RecordBlocks {
  #blocks: Buffer[] = [];
  #columns: Columns = columnsOf(FIRST_ENTRIES);
  /** Bytes that are taken of the last block. */
  #taken = 0;
  #liveBytes = 0;
  #blockBytes = 0;

  /** Of all texts together. */
  get bytes(): number {
    return this.#liveBytes;
  }

  get(entry: number): string {
    const { block, offset, length } = this.#columns;
    const start = offset[entry]!;
    return this.#blocks[block[entry]!]!.toString('utf8', start, start + length[entry]!);
  }

  set(entry: number, text: string): void {
    while (entry >= this.#columns.length.length)
      this.#columns = columnsOf(2 * this.#columns.length.length, this.#columns);
    const bytes = Buffer.byteLength(text);
    this.#room(entry, bytes).write(text, this.#taken - bytes);
  }

  delete(entry: number): void {
    this.#liveBytes -= this.#columns.length[entry]!;
    this.#columns.length[entry] = 0;
    if (this.#blockBytes > 2 * this.#liveBytes + SPARE_BYTES) this.#compact();
  }

  /** Takes so many bytes for an entry: the last of the block that is given. */
  #room(entry: number, bytes: number): Buffer {
    let last = this.#blocks.at(-1);
    if (last === undefined || this.#taken + bytes > last.length) {
      last = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, bytes));
      this.#blocks.push(last);
      this.#blockBytes += last.length;
      this.#taken = 0;
    }
    const { block, offset, length } = this.#columns;
    block[entry] = this.#blocks.length - 1;
    offset[entry] = this.#taken;
    length[entry] = bytes;
    this.#taken += bytes;
    this.#liveBytes += bytes;
    return last;
  }

  #compact(): void {
    const before = this.#blocks;
    [this.#blocks, this.#taken, this.#liveBytes, this.#blockBytes] = [[], 0, 0, 0];
    const { block, offset, length } = this.#columns;
    for (let entry = 0; entry < length.length; entry++) {
      const [from, start, bytes] = [before[block[entry]!]!, offset[entry]!, length[entry]!];
      if (bytes > 0) from.copy(this.#room(entry, bytes), this.#taken - bytes, start, start + bytes);
    }
  }
}

function columnsOf(entries: number, before?: Columns): Columns {
  const grown = (column?: Uint32Array): Uint32Array => {
    const made = new Uint32Array(entries);
    if (column !== undefined) made.set(column);
    return made;
  };
  return { block: grown(before?.block), offset: grown(before?.offset), length: grown(before?.length) };
}
