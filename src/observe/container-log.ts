/** RFC 3339 and a blank, as `kubectl logs --timestamps` writes; then, in the files of a node (CRI), stream and tag. */
const PREFIX =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:(stdout|stderr) ([FP])(?::[^ ]*)? )?/;
/** The longest prefix is shorter. */
const PREFIX_BYTES = 128;
/** Pieces of one line are joined up to this size: lines of an audit are far shorter. */
const MAX_JOINED = 1024 * 1024;

/**
 * Takes off what a container runtime or `kubectl logs --timestamps` puts before each line, and joins the pieces (tag `P`)
 * that a runtime makes of a line longer than 16 KiB. Lines without such a prefix pass as they are.
 */
export class ContainerLog {
  readonly #pieces = new Map<string, Buffer[]>();

  /** The line as it was written; null while it is not whole. */
  unwrap(bytes: Uint8Array): Uint8Array | null {
    const head = Buffer.from(bytes.subarray(0, PREFIX_BYTES)).toString('latin1');
    const found = PREFIX.exec(head);
    if (found === null) return bytes;
    const [prefix, stream = '', tag = 'F'] = found;
    const content = bytes.subarray(prefix.length);
    const pieces = this.#pieces.get(stream) ?? [];
    if (tag === 'F') {
      this.#pieces.delete(stream);
      return pieces.length === 0 ? content : Buffer.concat([...pieces, content]);
    }
    const size = pieces.reduce((sum, piece) => sum + piece.length, content.length);
    // What has grown too long is no line of an audit, whatever follows.
    this.#pieces.set(stream, size > MAX_JOINED ? [Buffer.from(' ')] : [...pieces, Buffer.from(content)]);
    return null;
  }
}
