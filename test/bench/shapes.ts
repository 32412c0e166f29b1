import type { TestCa } from '../support/ca.ts';
import type { TaskIssuer } from '../support/task-issuer.ts';
import type { Source } from './load/drive.ts';
import type { Verdict } from './load/verdict.ts';
import { messages } from './messages.ts';
import { NAMED_HOST } from './servers/heimdall.ts';

export type ServerName = 'floor' | 'raw' | 'heimdall' | 'product' | 'limited' | 'miss';

/** One kind of check, as each server gets it. */
export interface Shape {
  readonly name: string;
  /** What a reader needs to know of it. */
  readonly about: string;
  /** The right answer; the floor allows everything. */
  readonly right: Verdict;
  /** The servers that are asked; of the product, one with the shipped policies, one more of these within little memory, and one
   * with a policy that reads each path. */
  readonly servers: readonly ServerName[];
  /**
   * Begins a window for a server: its messages, at least as many as it is thought to answer. No credential has to live longer
   * than a window.
   */
  readonly begin: (server: ServerName, checks: number) => Source;
}

/** Distinct messages for a server that remembers none. */
const FEW = 500;

export function shapes(ca: TestCa, issuer: TaskIssuer): readonly Shape[] {
  const make = messages(ca, issuer);
  let invoice = 0;
  /** Each message once; but again and again to a server to which they are all alike. */
  const distinct = (server: ServerName, checks: number, message: () => Uint8Array): Source =>
    server === 'floor' || server === 'raw' ? inTurn(made(Math.min(checks, FEW), message)) : once(made(checks, message));
  const all: readonly ServerName[] = ['floor', 'raw', 'heimdall', 'product'];
  const limitedToo: readonly ServerName[] = [...all, 'limited'];
  const form = (server: ServerName) => (server === 'heimdall' ? ({ form: 'headers' } as const) : {});
  return [
    {
      name: 'certificate',
      about: 'a read by a workload with its certificate, seen before; Heimdall: its job, as in `task`',
      right: 'allow',
      servers: all,
      begin: (server) => again(server === 'heimdall' ? make.inTask(form(server)) : make.byCertificate()),
    },
    {
      name: 'task',
      about: 'an agent’s read with certificate and task token (ES256), both seen before',
      right: 'allow',
      servers: limitedToo,
      begin: (server) => again(make.inTask(form(server))),
    },
    {
      name: 'new-task',
      about: 'the same, with a task token never seen before',
      right: 'allow',
      servers: limitedToo,
      begin: (server, checks) => distinct(server, checks, () => make.inTask(form(server))),
    },
    {
      name: 'dpop',
      about:
        'an access token bound to a key (seen before), with a new DPoP proof (RFC 9449) each; Heimdall has none of it',
      right: 'allow',
      servers: ['floor', 'raw', 'product'],
      begin: (server, checks) => distinct(server, checks, make.byProofs()),
    },
    {
      name: 'denied',
      about: 'a task token with a wrong signature, seen before',
      right: 'deny',
      servers: all,
      begin: (server) => again(make.inForgedTask(form(server))),
    },
    {
      name: 'new-certificate',
      about: 'a read by a workload with a certificate never seen before',
      right: 'allow',
      servers: ['floor', 'product'],
      begin: (server, checks) => distinct(server, checks, make.byNewCertificate),
    },
    {
      name: 'miss',
      about: 'a read by certificate whose verdict is not remembered: one more policy compares the path with the host',
      right: 'allow',
      servers: ['floor', 'miss'],
      begin: (server, checks) =>
        distinct(server, checks, () => make.byCertificate({ path: `/api/invoices/${++invoice}` })),
    },
    {
      name: 'named',
      about: 'Heimdall alone: its caller named by a header, nothing verified',
      right: 'allow',
      servers: ['floor', 'heimdall'],
      begin: () => again(make.byHeader(NAMED_HOST)),
    },
  ];
}

/** A policy by which each path of a request makes a verdict of its own: `==` of two values makes both part of the key. */
export const READS_PATHS = `@id("bench-path-is-no-host")
forbid (principal, action, resource)
when { resource.path == resource.host };
`;

const again =
  (message: Uint8Array): Source =>
  () =>
    message;

function made(count: number, message: () => Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(count) }, message);
}

function inTurn(all: readonly Uint8Array[]): Source {
  let at = 0;
  return () => all[at++ % all.length]!;
}

function once(all: readonly Uint8Array[]): Source {
  let at = 0;
  return () => all[at++] ?? null;
}
