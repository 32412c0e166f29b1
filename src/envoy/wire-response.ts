import type { CheckResponseMessage, HeaderValueOption, Struct, StructValue } from './api.ts';

/** Bytes as a text, a character each: putting texts together is the fastest way to bytes that JavaScript has. */
type Bytes = string;

/** Not written here: the library has to. */
const ODD = new Error('not written here');
const ASCII = /^[\0-\x7f]*$/;

/**
 * The bytes of a response as the library writes them, or null for one that it has to write: one with texts beyond ASCII,
 * or with metadata that is not made of plain values.
 */
export function writeCheckResponse(message: CheckResponseMessage): Buffer | null {
  try {
    return Buffer.from(response(message), 'latin1');
  } catch (error) {
    if (error === ODD) return null;
    throw error;
  }
}

function response({ status, denied_response: denied, ok_response: ok, dynamic_metadata }: CheckResponseMessage): Bytes {
  const { code, message } = status;
  const about = `\x08${varint(code)}${message === undefined ? '' : text('\x12', message)}`;
  let bytes = part('\x0a', about);
  if (denied !== undefined) {
    const { status: http, headers, body } = denied;
    const said = part('\x0a', `\x08${varint(http.code)}`) + options('\x12', headers) + text('\x1a', body);
    bytes += part('\x12', said);
  }
  if (ok !== undefined) {
    const { headers, headers_to_remove: removed, response_headers_to_add: added = [] } = ok;
    bytes += part('\x1a', options('\x12', headers) + removals(removed) + options('\x32', added));
  }
  return dynamic_metadata === undefined ? bytes : bytes + part('\x22', struct(dynamic_metadata));
}

function options(tag: Bytes, all: readonly HeaderValueOption[]): Bytes {
  let bytes = '';
  for (const { header, append, append_action: action, keep_empty_value: keep } of all) {
    const about = `\x12\x02\x08${flag(append.value)}${action === undefined ? '' : `\x18${varint(action)}`}`;
    const named = part('\x0a', text('\x0a', header.key) + text('\x12', header.value));
    bytes += part(tag, `${named}${about}\x20${flag(keep)}`);
  }
  return bytes;
}

/** Lists that are written again and again: they are frozen, and there is one for each kind of request to a host. */
const written = new WeakMap<readonly string[], Bytes>();

function removals(names: readonly string[]): Bytes {
  let bytes = written.get(names);
  if (bytes === undefined) {
    bytes = names.map((name) => text('\x2a', name)).join('');
    if (Object.isFrozen(names)) written.set(names, bytes);
  }
  return bytes;
}

function struct({ fields }: Struct): Bytes {
  let bytes = '';
  for (const name of Object.keys(fields)) {
    bytes += part('\x0a', text('\x0a', name) + part('\x12', value(fields[name]!)));
  }
  return bytes;
}

function value(one: StructValue): Bytes {
  if ('stringValue' in one) return text('\x1a', one.stringValue);
  if ('numberValue' in one) return `\x11${double(one.numberValue)}`;
  if ('boolValue' in one) return `\x20${flag(one.boolValue)}`;
  throw ODD;
}

const number = new DataView(new ArrayBuffer(8));

function double(of: number): Bytes {
  number.setFloat64(0, of, true);
  let bytes = '';
  for (let at = 0; at < 8; at++) bytes += String.fromCharCode(number.getUint8(at));
  return bytes;
}

function text(tag: Bytes, of: string): Bytes {
  if (!ASCII.test(of)) throw ODD;
  return part(tag, of);
}

const part = (tag: Bytes, content: Bytes): Bytes => tag + varint(content.length) + content;
const flag = (is: boolean): Bytes => (is ? '\x01' : '\0');

/** Of an integer from 0 on. */
function varint(of: number): Bytes {
  if (of < 0x80 && of >= 0) return String.fromCharCode(of);
  if (!(of >= 0 && of < 2 ** 31)) throw ODD;
  return String.fromCharCode((of & 0x7f) | 0x80) + varint(of >>> 7);
}
