import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Verdict, verdictOf } from './verdict.ts';

/** Told the decision of a check, and the message that it was read from; empty when there was none. */
export type Done = (verdict: Verdict, message: Buffer) => void;

/** HTTP/2 frame types (RFC 9113 section 6) and flags. */
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;
const [END_STREAM, END_HEADERS, ACK, PADDED] = [1, 4, 1, 8];
const CANCEL = 8;
const FRAME_HEAD = 9;
const GRPC_HEAD = 5;
/** What a connection, and each of its streams, may send before the server says more (RFC 9113 section 6.9.2). */
const INITIAL_WINDOW = 65_535;
const MAX_FRAME = 16_384;
const OUR_WINDOW = 0x3fff_ffff;

const NOTHING = Buffer.alloc(0);
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const PATH = '/envoy.service.auth.v3.Authorization/Check';

/**
 * The header block of a Check (RFC 7541) as a proxy sends it: the first of a connection puts its fields into the dynamic
 * table, all others are indexes.
 */
function headerBlocks(timeout: string): readonly [first: Buffer, other: Buffer] {
  const text = (value: string): Buffer[] => [Buffer.from([value.length]), Buffer.from(value)];
  // With incremental indexing: the name by its index in the static table, or in full (0x40).
  const first = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x44]),
    ...text(PATH),
    Buffer.from([0x41]),
    ...text('authz'),
    Buffer.from([0x5f]),
    ...text('application/grpc'),
    Buffer.from([0x40]),
    ...text('te'),
    ...text('trailers'),
    Buffer.from([0x40]),
    ...text('grpc-timeout'),
    ...text(timeout),
  ]);
  // The newest entry has index 62: :method, :scheme, then the five from the oldest on.
  return [first, Buffer.from([0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62])];
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD + payload.length);
  writeHead(bytes, 0, payload.length, type, flags, stream);
  bytes.set(payload, FRAME_HEAD);
  return bytes;
}

function writeHead(bytes: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  bytes.writeUIntBE(length, at, 3);
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(stream, at + 5);
}

interface Open {
  readonly done: Done;
  message: Buffer;
  /** The beginning of a message that came in several frames. */
  part: Buffer | null;
}

/**
 * One connection of a load generator that costs a tenth of a gRPC library, and so is not what is measured: HTTP/2 frames by
 * hand, and of each answer its decision.
 */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #blocks: readonly [Buffer, Buffer];
  readonly #open = new Map<number, Open>();
  #nextStream = 1;
  /** What may still be sent on the connection, and what waits for more. */
  #window = INITIAL_WINDOW;
  readonly #waiting: (() => void)[] = [];
  #out: Buffer[] = [];
  #rest: Buffer | null = null;
  #consumed = 0;
  #flushing = false;
  #ended = false;

  private constructor(socket: Socket, timeout: string) {
    this.#socket = socket;
    this.#blocks = headerBlocks(timeout);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      this.#read(bytes);
      this.flush();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0); // SETTINGS_INITIAL_WINDOW_SIZE
    settings.writeUInt32BE(OUR_WINDOW, 2);
    socket.write(Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0, settings), windowUpdate(OUR_WINDOW)]));
  }

  /** Opens a connection to loopback; each check has `timeout` as Envoy's gRPC client states it (`200m`). */
  static async to(port: number, timeout = '30S'): Promise<LoadConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new LoadConnection(socket, timeout);
  }

  /** Checks without an answer so far. */
  get inFlight(): number {
    return this.#open.size + this.#waiting.length;
  }

  /** Whether the server, or we, have ended the connection; then `send` answers `none` at once. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Sends a CheckRequest with the next `flush`, or the end of this turn of the event loop. What it returns gives the check up,
   * as Envoy does at its timeout: it is then answered `none`, if it was not answered before.
   */
  send(message: Uint8Array, done: Done): () => void {
    if (this.#ended) {
      done('none', NOTHING);
      return () => {};
    }
    const bytes = message.length + GRPC_HEAD;
    if (bytes > MAX_FRAME) throw new Error(`a message of ${message.length} bytes needs more than one frame`);
    if (bytes > this.#window) return this.#sendLater(message, done);
    this.#window -= bytes;
    const stream = this.#nextStream;
    const block = this.#blocks[stream === 1 ? 0 : 1];
    this.#nextStream += 2;
    const out = Buffer.allocUnsafe(2 * FRAME_HEAD + block.length + bytes);
    writeHead(out, 0, block.length, TYPE.headers, END_HEADERS, stream);
    out.set(block, FRAME_HEAD);
    let at = FRAME_HEAD + block.length;
    writeHead(out, at, bytes, TYPE.data, END_STREAM, stream);
    at += FRAME_HEAD;
    out[at] = 0;
    out.writeUInt32BE(message.length, at + 1);
    out.set(message, at + GRPC_HEAD);
    this.#open.set(stream, { done, message: NOTHING, part: null });
    this.#out.push(out);
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.flush());
    }
    return () => this.#cancel(stream);
  }

  /** When the server has read what was sent before. */
  #sendLater(message: Uint8Array, done: Done): () => void {
    let cancel = (): void => {
      cancel = () => {};
      done('none', NOTHING);
    };
    const unsent = cancel;
    this.#waiting.push(() => {
      if (cancel === unsent) cancel = this.send(message, done);
    });
    return () => cancel();
  }

  #cancel(stream: number): void {
    if (!this.#open.has(stream)) return;
    const code = Buffer.alloc(4);
    code.writeUInt32BE(CANCEL);
    this.#out.push(frame(TYPE.reset, 0, stream, code));
    this.#answered(stream);
  }

  /** Writes what was sent. */
  flush(): void {
    this.#flushing = false;
    if (this.#out.length === 0) return;
    this.#socket.write(this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out));
    this.#out = [];
  }

  close(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  /** Nothing more will be answered. */
  #end(): void {
    this.#ended = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { done } of open) done('none', NOTHING);
    for (const again of this.#waiting.splice(0)) again();
  }

  #read(bytes: Buffer): void {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (all.length - at >= FRAME_HEAD) {
      const length = all.readUIntBE(at, 3);
      if (all.length - at < FRAME_HEAD + length) break;
      const payload = all.subarray(at + FRAME_HEAD, at + FRAME_HEAD + length);
      this.#take(all[at + 3]!, all[at + 4]!, all.readUInt32BE(at + 5) & 0x7fff_ffff, payload);
      at += FRAME_HEAD + length;
    }
    this.#rest = at === all.length ? null : all.subarray(at);
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case TYPE.data:
        this.#consume(payload.length);
        this.#message(stream, flags & PADDED ? payload.subarray(1, payload.length - payload[0]!) : payload);
        break;
      case TYPE.settings:
        if ((flags & ACK) === 0) this.#out.push(frame(TYPE.settings, ACK, 0, Buffer.alloc(0)));
        return;
      case TYPE.ping:
        if ((flags & ACK) === 0) this.#out.push(frame(TYPE.ping, ACK, 0, payload));
        return;
      case TYPE.windowUpdate:
        if (stream === 0) this.#more(payload.readUInt32BE(0));
        return;
      case TYPE.goaway:
        // What is in flight is answered; the server then closes.
        this.#ended = true;
        return;
      case TYPE.headers:
      case TYPE.reset:
        break;
      default:
        return;
    }
    if (type === TYPE.reset || (flags & END_STREAM) !== 0) this.#answered(stream);
  }

  #message(stream: number, payload: Buffer): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    const bytes = open.part === null ? payload : Buffer.concat([open.part, payload]);
    if (bytes.length < GRPC_HEAD || bytes.length < GRPC_HEAD + bytes.readUInt32BE(1)) {
      open.part = Buffer.from(bytes);
      return;
    }
    open.message = bytes.subarray(GRPC_HEAD);
  }

  #answered(stream: number): void {
    const open = this.#open.get(stream);
    if (open === undefined) return;
    this.#open.delete(stream);
    open.done(verdictOf(open.message), open.message);
  }

  #more(bytes: number): void {
    this.#window += bytes;
    for (const again of this.#waiting.splice(0)) again();
  }

  #consume(bytes: number): void {
    this.#consumed += bytes;
    if (this.#consumed < OUR_WINDOW / 2) return;
    this.#out.push(windowUpdate(this.#consumed));
    this.#consumed = 0;
  }
}

/** A WINDOW_UPDATE of the whole connection. */
export function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(TYPE.windowUpdate, 0, 0, payload);
}
