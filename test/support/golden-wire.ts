/**
 * Reads the bytes of a CheckResponse as they stand on the wire, by the numbers of Envoy's API and without any of the
 * product's code: so a field that never reached the wire is seen to be missing.
 */

/** A header as it is to be changed. `append` is null when the field is not on the wire, which older Envoys read as true. */
export interface WireHeader {
  readonly key: string;
  readonly value: string;
  readonly append: boolean | null;
  readonly action: number;
  readonly keepEmpty: boolean;
}

/** What stands on the wire; null for a message that is not there. */
export interface WireResponse {
  readonly status: { readonly code: number; readonly message: string } | null;
  readonly denied: { readonly http: number; readonly headers: readonly WireHeader[]; readonly body: string } | null;
  readonly ok: {
    readonly headers: readonly WireHeader[];
    readonly remove: readonly string[];
    readonly toCaller: readonly WireHeader[];
  } | null;
  readonly metadata: Readonly<Record<string, string | number | boolean>> | null;
  /** Numbers of further fields, `error_response` (5) among them. */
  readonly others: readonly number[];
}

/** Envoy's field numbers: envoy/service/auth/v3/external_auth.proto. */
const RESPONSE = { status: 1, denied: 2, ok: 3, metadata: 4 } as const;

export function decodeResponse(bytes: Uint8Array): WireResponse {
  const top = new Message(bytes);
  const known: readonly number[] = Object.values(RESPONSE);
  return {
    status: top.only(RESPONSE.status, (status) => ({ code: status.number(1), message: status.text(2) })),
    denied: top.only(RESPONSE.denied, (denied) => ({
      http: denied.only(1, (status) => status.number(1)) ?? 0,
      headers: denied.all(2).map(header),
      body: denied.text(3),
    })),
    ok: top.only(RESPONSE.ok, (ok) => ({
      headers: ok.all(2).map(header),
      remove: ok.texts(5),
      toCaller: ok.all(6).map(header),
    })),
    metadata: top.only(RESPONSE.metadata, (struct) =>
      Object.fromEntries(struct.all(1).map((entry) => [entry.text(1), entry.only(2, value) ?? 'null'])),
    ),
    others: top.numbers.filter((number) => !known.includes(number)),
  };
}

function header(option: Message): WireHeader {
  const said = option.only(1, (one) => ({ key: one.text(1), value: one.text(2) })) ?? { key: '', value: '' };
  return {
    ...said,
    append: option.only(2, (wrapper) => wrapper.number(1) === 1),
    action: option.number(3),
    keepEmpty: option.number(4) === 1,
  };
}

/** google.protobuf.Value, as far as the sidecar writes it. */
function value(one: Message): string | number | boolean {
  const [kind] = one.numbers;
  if (kind === 2) return one.double(2);
  return kind === 4 ? one.number(4) === 1 : one.text(3);
}

/** One message taken apart into its fields; a scalar that is absent has the default of proto3. */
class Message {
  readonly #fields = new Map<number, (Uint8Array | number)[]>();

  constructor(bytes: Uint8Array) {
    let at = 0;
    /** Numbers here are small: sizes, codes and flags. */
    const varint = (): number => {
      let result = 0;
      for (let shift = 1; ; shift *= 128) {
        const byte = bytes[at++];
        if (byte === undefined) throw new Error('the message is cut off');
        result += (byte & 0x7f) * shift;
        if (byte < 0x80) return result;
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      const [number, type] = [tag >>> 3, tag & 7];
      const length = type === 0 ? 0 : type === 1 ? 8 : type === 2 ? varint() : Number.NaN;
      const content = type === 0 ? varint() : bytes.subarray(at, at + length);
      if (typeof content !== 'number' && content.length !== length)
        throw new Error(`a field of wire type ${type} cannot be read`);
      at += length;
      this.#fields.set(number, [...(this.#fields.get(number) ?? []), content]);
    }
  }

  get numbers(): readonly number[] {
    return [...this.#fields.keys()];
  }

  number(field: number): number {
    const last = this.#fields.get(field)?.at(-1) ?? 0;
    return typeof last === 'number' ? last : Number.NaN;
  }

  double(field: number): number {
    const bytes = this.#bytes(field).at(-1) ?? new Uint8Array(8);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
  }

  texts(field: number): readonly string[] {
    return this.#bytes(field).map((bytes) => Buffer.from(bytes).toString('utf8'));
  }

  text(field: number): string {
    return this.texts(field).at(-1) ?? '';
  }

  all(field: number): readonly Message[] {
    return this.#bytes(field).map((bytes) => new Message(bytes));
  }

  /** The message in a field that stands there at most once. */
  only<T>(field: number, read: (message: Message) => T): T | null {
    const [message, ...more] = this.all(field);
    if (more.length > 0) throw new Error(`field ${field} stands there more than once`);
    return message === undefined ? null : read(message);
  }

  #bytes(field: number): readonly Uint8Array[] {
    return (this.#fields.get(field) ?? []).filter((one) => typeof one !== 'number');
  }
}
