import { isIPv4, isIPv6 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { Fault } from '../../base/fault.ts';
import { leaf } from './leaf.ts';

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

function readTcp(value: string): TcpAddress | Fault {
  const [, six, four, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(value) ?? [];
  const host = six ?? four;
  const port = Number(digits);
  if (host === undefined || !(six === undefined ? isIPv4(host) : isIPv6(host)) || port > 65535) {
    return new Fault('is not an address; write an IP address and a port, such as 127.0.0.1:9191 or [::1]:9191');
  }
  // Nothing but these two forms counts as loopback: a name may resolve elsewhere.
  return { kind: 'tcp', host, port, loopback: host === '::1' || host.startsWith('127.') };
}

/** `IP:port`. */
export const tcpAddress = () => leaf('IP:port', readTcp);

/** `IP:port`, port 0 takes a free one; `off` gives null. */
export const tcpAddressOrOff = () => leaf('IP:port or off', (value) => (value === 'off' ? null : readTcp(value)));

/** `unix:///path`, or `IP:port`; port 0 takes a free one. */
export const address = (folder: string) => leaf('unix:///path or IP:port', (value) => readAddress(folder, value));

/** The same, or `off`, which gives null. */
export const addressOrOff = (folder: string) =>
  leaf('unix:///path, IP:port or off', (value) => (value === 'off' ? null : readAddress(folder, value)));

function readAddress(folder: string, value: string): Address | Fault {
  if (!value.startsWith('unix:')) return readTcp(value);
  const socket = value.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
  if (socket === '' || socket.startsWith('//')) return new Fault('is not a socket; write unix:///path/to/check.sock');
  const absolute = resolve(folder, socket);
  const temporary = Buffer.byteLength(dirname(absolute)) + '/'.length + TEMPORARY_NAME;
  if (Math.max(Buffer.byteLength(absolute), temporary) <= MAX_SOCKET_PATH) return { kind: 'unix', path: absolute };
  return new Fault(
    `is a socket path longer than ${MAX_SOCKET_PATH} bytes, or too deep for the temporary name beside it; choose a shorter one`,
  );
}

/**
 * The address of a SPIFFE agent as `SPIFFE_ENDPOINT_SOCKET` has it (SPIFFE Workload Endpoint section 4): `unix:///path`, or
 * `tcp://IP:port`. Keys come this way without TLS, so that TCP is taken on the loopback address alone.
 */
export const workloadEndpoint = () =>
  leaf('unix:///path or tcp://IP:port', (value): Address | Fault => {
    const [, socket] = /^unix:(?:\/\/)?(\/[^/?#%][^?#%]*)$/.exec(value) ?? [];
    if (socket !== undefined) {
      if (Buffer.byteLength(socket) <= MAX_SOCKET_PATH) return { kind: 'unix', path: socket };
      return new Fault(`is a socket path longer than ${MAX_SOCKET_PATH} bytes; choose a shorter one`);
    }
    const tcp = value.startsWith('tcp://') ? readTcp(value.slice('tcp://'.length)) : null;
    if (tcp === null || tcp instanceof Fault || tcp.port === 0)
      return new Fault(
        'is not the address of a SPIFFE agent; write unix:///run/spire/agent.sock or tcp://127.0.0.1:8081',
      );
    return tcp.loopback ? tcp : new Fault('would bring keys over the network without TLS; use the Unix socket');
  });
