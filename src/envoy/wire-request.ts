import type {
  CheckRequest,
  HeaderValue,
  HttpRequestMessage,
  MetadataMessage,
  PeerMessage,
  RawText,
  SocketAddress,
} from './api.ts';
import { BYTES_OF_32, BYTES_OF_64, ODD, once, RawBytes, WireReader } from './wire-reader.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Attributes = Writable<NonNullable<CheckRequest['attributes']>>;

/** The texts of HttpRequest by their tags. */
const httpTexts: ReadonlyMap<
  number,
  'id' | 'method' | 'path' | 'host' | 'scheme' | 'query' | 'fragment' | 'protocol' | 'body'
> = new Map([
  [0x0a, 'id'],
  [0x12, 'method'],
  [0x22, 'path'],
  [0x2a, 'host'],
  [0x32, 'scheme'],
  [0x3a, 'query'],
  [0x42, 'fragment'],
  [0x52, 'protocol'],
  [0x5a, 'body'],
]);

/**
 * Reads a CheckRequest as the library does, or gives null for one that it has to read: whatever Envoy does not write (a
 * field that is unknown, of another type, or there twice; filled metadata; a length that does not fit), so that what is
 * refused, and what is read out of anything odd, is the library's to say (docs/decisions). Strings are UTF-8, where bytes
 * that are none become U+FFFD.
 */
export function readCheckRequest(bytes: Buffer): CheckRequest | null {
  try {
    return new Reader(bytes).checkRequest();
  } catch (error) {
    if (error === ODD) return null;
    throw error;
  }
}

class Reader extends WireReader {
  checkRequest(): CheckRequest {
    let attributes: CheckRequest['attributes'] = null;
    const end = this.bytes.length;
    while (this.at < end) {
      if (this.varint(end) !== 0x0a || attributes !== null) throw ODD;
      attributes = this.#attributes(this.length(end));
    }
    return { attributes };
  }

  #attributes(end: number): Attributes {
    const read: Attributes = {
      source: null,
      destination: null,
      request: null,
      context_extensions: {},
      metadata_context: null,
      route_metadata_context: null,
      tls_session: null,
    };
    while (this.at < end) {
      switch (this.varint(end)) {
        case 0x0a:
          read.source = once(read.source, this.#peer(this.length(end)));
          break;
        case 0x12:
          read.destination = once(read.destination, this.#peer(this.length(end)));
          break;
        case 0x22:
          read.request = once(read.request, this.#request(this.length(end)));
          break;
        case 0x52:
          this.#entry(this.length(end), read.context_extensions);
          break;
        case 0x5a:
          read.metadata_context = once(read.metadata_context, this.#metadata(this.length(end)));
          break;
        case 0x62:
          read.tls_session = once(read.tls_session, this.#tlsSession(this.length(end)));
          break;
        case 0x6a:
          read.route_metadata_context = once(read.route_metadata_context, this.#metadata(this.length(end)));
          break;
        default:
          throw ODD;
      }
    }
    return read;
  }

  #peer(end: number): PeerMessage {
    const read: Writable<PeerMessage> = { address: null, service: '', principal: '', certificate: '' };
    while (this.at < end) {
      switch (this.varint(end)) {
        case 0x0a:
          read.address = once(read.address, this.#address(this.length(end)));
          break;
        case 0x12:
          read.service = this.text(end, read.service);
          break;
        case 0x22:
          read.principal = this.text(end, read.principal);
          break;
        case 0x2a:
          read.certificate = this.text(end, read.certificate);
          break;
        default:
          throw ODD;
      }
    }
    return read;
  }

  #address(end: number): NonNullable<PeerMessage['address']> {
    let socket: SocketAddress | null = null;
    while (this.at < end) {
      if (this.varint(end) !== 0x0a) throw ODD;
      socket = once(socket, this.#socketAddress(this.length(end)));
    }
    return { socket_address: socket };
  }

  #socketAddress(end: number): SocketAddress {
    const read: Writable<SocketAddress> = { address: '' };
    while (this.at < end) {
      switch (this.varint(end)) {
        case 0x08:
          this.skipVarint(end, BYTES_OF_32);
          break;
        case 0x12:
          read.address = this.text(end, read.address);
          break;
        case 0x18:
          read.port_value = this.varint(end);
          break;
        default:
          throw ODD;
      }
    }
    return read;
  }

  #request(end: number): { readonly http: HttpRequestMessage | null } {
    let http: HttpRequestMessage | null = null;
    while (this.at < end) {
      const tag = this.varint(end);
      if (tag === 0x0a) this.#skipTimestamp(this.length(end));
      else if (tag === 0x12) http = once(http, this.#http(this.length(end)));
      else throw ODD;
    }
    return { http };
  }

  #http(end: number): HttpRequestMessage {
    const read: Writable<HttpRequestMessage> = {
      id: '',
      method: '',
      headers: {},
      header_map: null,
      path: '',
      host: '',
      scheme: '',
      query: '',
      fragment: '',
      size: '0',
      protocol: '',
      body: '',
      raw_body: EMPTY,
    };
    while (this.at < end) {
      const tag = this.varint(end);
      const name = httpTexts.get(tag);
      if (name !== undefined) read[name] = this.text(end, read[name]);
      else if (tag === 0x1a) this.#entry(this.length(end), read.headers);
      else if (tag === 0x6a) read.header_map = once(read.header_map, this.#headerMap(this.length(end)));
      else if (tag === 0x48) read.size = String(this.varint(end));
      else if (tag === 0x62 && read.raw_body === EMPTY) read.raw_body = this.rest(this.length(end));
      else throw ODD;
    }
    return read;
  }

  #headerMap(end: number): { readonly headers: readonly HeaderValue[] } {
    const headers: HeaderValue[] = [];
    while (this.at < end) {
      if (this.varint(end) !== 0x0a) throw ODD;
      headers.push(this.#headerValue(this.length(end)));
    }
    return { headers };
  }

  #headerValue(end: number): HeaderValue {
    let [key, value] = ['', ''];
    let raw: RawText | null = null;
    while (this.at < end) {
      switch (this.varint(end)) {
        case 0x0a:
          key = this.text(end, key);
          break;
        case 0x12:
          value = this.text(end, value);
          break;
        case 0x1a: {
          const last = this.length(end);
          raw = once(raw, new RawBytes(this.bytes, this.at, last));
          this.at = last;
          break;
        }
        default:
          throw ODD;
      }
    }
    return { key, value, raw_value: raw ?? NO_BYTES };
  }

  /** Reads an entry of a map of texts into it. */
  #entry(end: number, into: Record<string, string>): void {
    let [key, value] = ['', ''];
    while (this.at < end) {
      const tag = this.varint(end);
      if (tag === 0x0a) key = this.text(end, key);
      else if (tag === 0x12) value = this.text(end, value);
      else throw ODD;
    }
    if (key === '__proto__' || Object.hasOwn(into, key)) throw ODD;
    into[key] = value;
  }

  /** Envoy says by an empty message that it sends no metadata. */
  #metadata(end: number): MetadataMessage {
    if (this.at < end) throw ODD;
    return { filter_metadata: {} };
  }

  #tlsSession(end: number): { readonly sni: string } {
    let sni = '';
    while (this.at < end) {
      if (this.varint(end) !== 0x0a) throw ODD;
      sni = this.text(end, sni);
    }
    return { sni };
  }

  #skipTimestamp(end: number): void {
    while (this.at < end) {
      const tag = this.varint(end);
      if (tag === 0x08) this.skipVarint(end, BYTES_OF_64);
      else if (tag === 0x10) this.skipVarint(end, BYTES_OF_32);
      else throw ODD;
    }
  }
}

const EMPTY = Buffer.alloc(0);
const NO_BYTES: RawText = new RawBytes(EMPTY, 0, 0);
