import type { ReceivedCheck } from '../../src/envoy/api.ts';
import { authorization, decodeCheck } from '../../src/envoy/messages.ts';
import type { RequestOptions } from '../../src/envoy/request.ts';

type Value = string | Uint8Array;

/** One HTTP request as a test states it. What is left out is a plain GET with pseudo-headers that agree. */
export interface RequestShape {
  readonly method?: string;
  /** `:path`, with the query. */
  readonly path?: string;
  readonly host?: string;
  readonly scheme?: string;
  /** Several values of one name are joined by a comma in `headers`, and stand apart in `header_map`, as Envoy does it. */
  readonly headers?: Readonly<Record<string, Value | readonly Value[]>>;
  /** How Envoy sends the headers: `header_map` under encode_raw_headers. */
  readonly form?: 'headers' | 'header_map';
  /** Fields of HttpRequest to overwrite, in the names of the API. */
  readonly http?: object;
  /** Fields of AttributeContext to overwrite, in the names of the API. */
  readonly attributes?: object;
}

export const bothForms = ['headers', 'header_map'] as const;

/** Strict options, as a config without extras gives them. */
export const requestOptions: RequestOptions = {
  mergeSlashes: false,
  headerBytes: 64 * 1024,
  targetBytes: 8 * 1024,
  singleHeaders: ['x-task-id', 'x-task-purpose'],
  forwarded: { mode: 'append-forward', hop: 0 },
};

/** The CheckRequest that Envoy would send for a request, through the wire format. */
export function received(shape: RequestShape = {}): ReceivedCheck {
  return decodeCheck(checkBytes(shape));
}

/** The same as bytes. */
export function checkBytes(shape: RequestShape = {}): Uint8Array {
  const { method = 'GET', path = '/', host = 'payments.internal', scheme = 'https' } = shape;
  const fields = Object.entries({
    ':method': method,
    ':path': path,
    ':authority': host,
    ':scheme': scheme,
    ...shape.headers,
  }).map(([key, value]) => [key, toBytes(value)] as const);
  const headers =
    (shape.form ?? 'header_map') === 'headers'
      ? { headers: Object.fromEntries(fields.map(([key, values]) => [key, joined(values)])) }
      : { header_map: { headers: fields.flatMap(([key, values]) => values.map((raw_value) => ({ key, raw_value }))) } };
  const http = { id: '1', method, path, host, scheme, protocol: 'HTTP/2', ...headers, ...shape.http };
  return authorization.Check.requestSerialize({ attributes: { request: { http }, ...shape.attributes } });
}

function toBytes(value: Value | readonly Value[]): Buffer[] {
  const values: readonly Value[] = typeof value === 'string' || value instanceof Uint8Array ? [value] : value;
  return values.map((one) => (typeof one === 'string' ? Buffer.from(one, 'utf8') : Buffer.from(one)));
}

/** Envoy writes `!` for each byte that is no UTF-8. */
function joined(values: readonly Buffer[]): string {
  const bytes = Buffer.concat(values.flatMap((value, index) => (index === 0 ? [value] : [Buffer.from(','), value])));
  return bytes.toString('utf8').replaceAll('\ufffd', '!');
}
