import { isIPv4, isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { Refusal } from '../base/outcome.ts';
import { SpiffeId, trustDomainFault } from '../base/spiffe-id.ts';
import { credentialHeaders, FORWARDED_HEADER } from '../http/credentials.ts';
import { hostNameFault } from '../inventory/host-name.ts';

/**
 * The leaf types of the configuration. Each takes the text that stands in the file, and gives the value that the parts
 * use: milliseconds, bytes, absolute paths. A message says what is wrong and what to write, and never quotes the value,
 * which may come from the environment and be a secret.
 */

/** What a leaf reader gives when the text is wrong: a message that says what to write instead. */
class Wrong {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

const MAX_TEXT = 4096;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

function textFault(value: string): string | null {
  if (value === '') return 'is empty; write a value, or leave the key out';
  if (value.length > MAX_TEXT) return `is longer than ${MAX_TEXT} characters`;
  if (CONTROL.test(value) || !value.isWellFormed()) return 'holds a control character or broken Unicode';
  return null;
}

/** A leaf made of text: `title` is its name in the reference, `read` turns the text into the value. */
function leaf<T>(title: string, read: (text: string) => T | Wrong) {
  return z
    .string({ error: `is not a text; write ${title}, in quotes if need be` })
    .transform((text, ctx): T => {
      const fault = textFault(text);
      const value = fault === null ? read(text) : new Wrong(fault);
      if (!(value instanceof Wrong)) return value;
      ctx.addIssue({ code: 'custom', message: value.message });
      return z.NEVER;
    })
    .meta({ title });
}

/** Any text of one line that is not empty. */
export const text = () => leaf('text', (value) => value);

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds of a duration such as `500ms`, `5s`, `10m`, `24h`, `7d`, or null when it is none. */
function durationMs(value: string): number | null {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value) ?? [];
  if (digits === undefined || unit === undefined) return null;
  return Number(digits) * UNIT_MS.get(unit)!;
}

/** A duration within bounds, both themselves durations; the value is in milliseconds. */
export function duration(least = '1ms', most = '366d') {
  const [from, to] = [durationMs(least)!, durationMs(most)!];
  return leaf(`duration, ${least} to ${most}`, (value) => {
    const ms = durationMs(value);
    if (ms === null) return new Wrong('is not a duration; write a number and ms, s, m, h or d, such as 10m');
    return ms < from || ms > to ? new Wrong(`must lie between ${least} and ${most}`) : ms;
  });
}

const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
]);

/** Bytes of a size such as `512B`, `64KiB`, `1MiB`, or null when it is none. */
function sizeBytes(value: string): number | null {
  const [, digits, unit] = /^(\d{1,9})(B|KiB|MiB)$/.exec(value) ?? [];
  if (digits === undefined || unit === undefined) return null;
  return Number(digits) * UNIT_BYTES.get(unit)!;
}

/** A size within bounds, both themselves sizes; the value is in bytes. */
export function size(least: string, most: string) {
  const [from, to] = [sizeBytes(least)!, sizeBytes(most)!];
  return leaf(`size, ${least} to ${most}`, (value) => {
    const bytes = sizeBytes(value);
    if (bytes === null) return new Wrong('is not a size; write a number and B, KiB or MiB, such as 64KiB');
    return bytes < from || bytes > to ? new Wrong(`must lie between ${least} and ${most}`) : bytes;
  });
}

/** A whole number within bounds, also in quotes, as a placeholder gives it. */
export function count(least: number, most: number) {
  const error = `must be a whole number between ${least} and ${most}`;
  return z
    .union([z.number(), z.string()], { error })
    .transform((value, ctx): number => {
      const number = typeof value === 'number' || /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      if (Number.isInteger(number) && number >= least && number <= most) return number;
      ctx.addIssue({ code: 'custom', message: error });
      return z.NEVER;
    })
    .meta({ title: `${least} to ${most}` });
}

/** `true` or `false`, also in quotes, as a placeholder gives it. */
export const flag = () =>
  z
    .union([z.boolean(), z.enum(['true', 'false'])], { error: 'must be true or false' })
    .transform((value) => value === true || value === 'true')
    .meta({ title: 'true or false' });

/** One of a few words. */
export function word<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` }).meta({ title: words.join(', ') });
}

/** A file or folder; a relative path starts at the folder of the configuration file. The value is absolute. */
export const path = (folder: string) => leaf('path', (value) => resolve(folder, value));

/** Where a server listens over TCP. */
export interface TcpAddress {
  readonly kind: 'tcp';
  readonly host: string;
  readonly port: number;
  readonly loopback: boolean;
}

/** Where a server listens. */
export type Address = { readonly kind: 'unix'; readonly path: string } | TcpAddress;

/** Longest path of a Unix socket on Linux (sun_path less its final zero byte). */
const MAX_SOCKET_PATH = 107;
/** A socket is bound under a name of its own beside its place, then linked there. */
const TEMPORARY_NAME = 9;

function readTcp(value: string): TcpAddress | Wrong {
  const [, six, four, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(value) ?? [];
  const host = six ?? four;
  const port = Number(digits);
  if (host === undefined || !(six === undefined ? isIPv4(host) : isIPv6(host)) || port > 65535) {
    return new Wrong('is not an address; write an IP address and a port, such as 127.0.0.1:9191 or [::1]:9191');
  }
  // Nothing but these two forms counts as loopback: a name may resolve elsewhere.
  return { kind: 'tcp', host, port, loopback: host === '::1' || host.startsWith('127.') };
}

/** `IP:port`, port 0 takes a free one; `off` gives null. */
export const tcpAddressOrOff = () => leaf('IP:port or off', (value) => (value === 'off' ? null : readTcp(value)));

/** `unix:///path`, or `IP:port`; port 0 takes a free one. */
export function address(folder: string) {
  return leaf('unix:///path or IP:port', (value): Address | Wrong => {
    if (!value.startsWith('unix:')) return readTcp(value);
    const socket = value.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (socket === '' || socket.startsWith('//')) return new Wrong('is not a socket; write unix:///path/to/check.sock');
    const absolute = resolve(folder, socket);
    const temporary = Buffer.byteLength(dirname(absolute)) + '/'.length + TEMPORARY_NAME;
    if (Math.max(Buffer.byteLength(absolute), temporary) <= MAX_SOCKET_PATH) return { kind: 'unix', path: absolute };
    return new Wrong(
      `is a socket path longer than ${MAX_SOCKET_PATH} bytes, or too deep for the temporary name beside it; choose a shorter one`,
    );
  });
}

/**
 * The address of a SPIFFE agent as `SPIFFE_ENDPOINT_SOCKET` has it (SPIFFE Workload Endpoint section 4): `unix:///path`, or
 * `tcp://IP:port`. Keys come this way without TLS, so that TCP is taken on the loopback address alone.
 */
export const workloadEndpoint = () =>
  leaf('unix:///path or tcp://IP:port', (value): Address | Wrong => {
    const [, socket] = /^unix:(?:\/\/)?(\/[^/?#%][^?#%]*)$/.exec(value) ?? [];
    if (socket !== undefined) {
      if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return { kind: 'unix', path: socket };
      return new Wrong(`is a socket path longer than ${MAX_SOCKET_PATH} bytes; choose a shorter one`);
    }
    const tcp = value.startsWith('tcp://') ? readTcp(value.slice('tcp://'.length)) : null;
    if (tcp === null || tcp instanceof Wrong || tcp.port === 0)
      return new Wrong(
        'is not the address of a SPIFFE agent; write unix:///run/spire/agent.sock or tcp://127.0.0.1:8081',
      );
    return tcp.loopback ? tcp : new Wrong('would bring keys over the network without TLS; use the Unix socket');
  });

/** A trust domain name (SPIFFE-ID section 2.1). */
export const trustDomain = () =>
  leaf('trust domain', (value) => {
    const fault = trustDomainFault(value);
    return fault === null ? value : new Wrong(`is not a trust domain (${fault}); write a name such as prod.example`);
  });

/** A SPIFFE ID with a path, since only workloads have one. */
export const workloadId = () =>
  leaf('SPIFFE ID', (value): SpiffeId | Wrong => {
    const id = SpiffeId.parse(value);
    if (id instanceof Refusal) return new Wrong(`is not a SPIFFE ID (${id.detail})`);
    return id.path === '' ? new Wrong('names a whole trust domain; write the SPIFFE ID of a workload') : id;
  });

/** A host as it stands in a canonical request: lower case, no trailing dot, a port only if it is not the default one. */
export const host = () =>
  leaf('host', (value) => {
    if (hostNameFault(value) === null) return value;
    if (/:(?:80|443)$/.test(value))
      return new Wrong('names the default port, which is dropped from every request; leave the port out');
    return new Wrong('is not a host; write it in lower case without scheme, path or trailing dot: payments.internal');
  });

/** Headers that hold a credential, or that only this product writes: never an input of policies. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  ...credentialHeaders,
  FORWARDED_HEADER,
  'proxy-authorization',
  'cookie',
]);

/** Words by which the name of a header says that its value is a secret. */
const SECRET_WORDS =
  /(?:token|secret|password|passwd|passphrase|credentials?|authorization|cookie|session|apikey|jwt|otp)$/;
/** What makes a key a secret one; an idempotency key or a routing key is none. */
const SECRET_KEYS = /^(?:api|app|access|account|auth|client|functions|master|private|secret|signing|subscription)$/;

/** Whether a header of this name looks like one that holds a secret, such as `x-api-key` or `x-amz-security-token`. */
function looksSecret(name: string): boolean {
  const words = name.split(/[^a-z0-9]/);
  return (
    words.at(-1) === 'auth' ||
    words.some((word, at) => SECRET_WORDS.test(word) || (word === 'key' && SECRET_KEYS.test(words[at - 1] ?? '')))
  );
}

/** A header name in lower case that holds no credential (RFC 9110 section 5.1, without the underscore). */
export const headerName = () =>
  leaf('header name', (value) => {
    if (!/^[a-z0-9!#$%&'*+.^`|~-]{1,256}$/.test(value)) {
      return new Wrong('is not a header name; write it in lower case, without underscores');
    }
    if (SECRET_HEADERS.has(value)) return new Wrong('holds a credential, which neither policies nor the audit may see');
    if (looksSecret(value)) {
      return new Wrong(
        'looks like a secret by its name, and the audit would hold it; have Envoy write what policies need to know of it into another header',
      );
    }
    return value.startsWith('x-authz-') ? new Wrong('is a name that only this sidecar writes') : value;
  });

/** An `https` URL, or `http` on the loopback address; no user, no fragment. */
export const fetchUrl = () => leaf('URL', (value) => fetchUrlFault(value) ?? value);

/** What is wrong with a URL that keys are fetched from. */
function fetchUrlFault(value: string): Wrong | null {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') {
    return new Wrong('is not a URL that can be fetched; write https://host/path without user or fragment');
  }
  const loopback = url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return null;
  return new Wrong('would be fetched without TLS; write an https URL (http only on 127.0.0.1 or [::1])');
}

/** Whether keys may be fetched from this text as a URL. */
export const isFetchable = (value: string): boolean => fetchUrlFault(value) === null;

/** A JSON pointer to a claim (RFC 6901), such as `/tctx/purpose`. The value is the list of its member names. */
export const claim = () =>
  leaf('JSON pointer', (value): readonly string[] | Wrong => {
    if (!/^(?:\/(?:[^~/]|~[01])+)+$/.test(value))
      return new Wrong('is not a JSON pointer; write /claim or /outer/inner');
    const steps = value.slice(1).split('/');
    return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  });

/** A day, such as `2027-03-31`. The value is its end in UTC, in milliseconds since the epoch. */
export const lastDay = () =>
  leaf('date', (value): number | Wrong => {
    const start = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
    // Date.parse rolls 30 February over into March, so the day must print as it was written.
    if (Number.isNaN(start) || !new Date(start).toISOString().startsWith(value)) {
      return new Wrong('is not a day; write it as 2027-03-31');
    }
    return start + UNIT_MS.get('d')!;
  });

/** Sameness of texts, for `list`. */
export const self = (value: string): string => value;

/** An object with these keys and no others. */
export function section<S extends z.core.$ZodShape>(shape: S) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'is not a mapping; write keys and values below it';
      return known.length === 0 ? 'takes no keys' : `is not a key here; the keys are ${known.join(', ')}`;
    },
  });
}

/** A section that can be switched off: then the value is null. */
export const orOff = <T extends z.ZodType<unknown, Record<string, unknown>>>(schema: T) =>
  z
    .union([z.literal('off'), schema], { error: 'must be off, or a mapping' })
    .transform((value): z.output<T> | null => (value === 'off' ? null : value));

/** A key that may be left out: then the value is null. */
export const optional = <T extends z.ZodType>(schema: T) =>
  schema.optional().transform((value): z.output<T> | null => value ?? null);

/** A list without repetition, as `same` tells. */
export function list<T extends z.ZodType>(item: T, most: number, same: (value: z.output<T>) => string) {
  return z
    .array(item, { error: 'is not a list; write [a, b] or one item per line with a dash' })
    .max(most, { error: `holds more than ${most} items` })
    .check((ctx) => {
      const seen = new Set<string>();
      for (const [at, value] of ctx.value.entries()) {
        const key = same(value);
        if (seen.has(key))
          ctx.issues.push({ code: 'custom', message: 'stands twice in this list', path: [at], input: '' });
        seen.add(key);
      }
    });
}

/** A mapping whose keys are names of one kind. */
export const mapping = <T extends z.ZodType>(key: z.ZodType<string, string>, value: T) =>
  z.record(key as z.ZodType<string, string> & z.core.$ZodRecordKey, value, {
    error: (issue) =>
      issue.code === 'invalid_type' ? 'is not a mapping; write names and what holds for each' : undefined,
  });
