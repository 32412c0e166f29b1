import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { Address } from '../config/values/addresses.ts';
import { readRequest } from '../envoy/request.ts';
import { type CheckServer, type CheckService, serveChecks } from '../envoy/server.ts';
import type { CheckTls } from '../envoy/tls.ts';
import type { RefusedConnection } from '../observe/metrics.ts';
import type { Reporters } from './changes.ts';
import type { CheckTlsPart } from './check-tls.ts';
import { keyHeaders } from './identity.ts';

/** Takes the check port, and answers what comes through it. Throws when the port cannot be taken. */
export function startCheckPort(
  config: Config,
  address: Address,
  tls: CheckTlsPart,
  reporters: Pick<Reporters, 'log' | 'metrics'>,
  service: Omit<CheckService, 'read'>,
): Promise<CheckServer> {
  const { limits, task, policy, request, identity } = config;
  const options = {
    mergeSlashes: request.mergeSlashes,
    headerBytes: limits.headerBytes,
    targetBytes: limits.targetBytes,
    singleHeaders: [
      ...Object.values(task.headers ?? {}),
      ...policy.headers.map(({ name }) => name),
      ...keyHeaders(config),
    ],
    forwarded: identity.forwarded,
  };
  return serveChecks(
    address.kind === 'unix' ? { socket: address.path } : { ...address, tls: checkTls(config, tls, reporters) },
    {
      requestBytes: limits.requestBytes,
      concurrentStreams: limits.streams,
      sessionMemoryMb: Math.ceil(limits.sessionBytes / 2 ** 20),
    },
    { ...service, read: (message, checkPeer) => readRequest(message, { checkPeer }, options) },
  );
}

/** The rules of mutual TLS on the check port; null without `listen.tls`. */
function checkTls(
  { identity: { maxLifetime } }: Config,
  { rules }: CheckTlsPart,
  { log, metrics }: Pick<Reporters, 'log' | 'metrics'>,
): CheckTls | null {
  if (rules === null) return null;
  const report = atMostOnceASecond((address: string, why: string, cause: RefusedConnection) =>
    log.warn('connection to the check port refused', { address, cause, why }),
  );
  return {
    ...rules,
    maxLifetimeSeconds: maxLifetime.x509Ms / 1000,
    clock: systemClock,
    onRefused: (address, why, cause) => {
      metrics.connectionRefused(cause);
      report(address, why, cause);
    },
  };
}

/** Passes on one call a second, so that strangers cannot fill the log. */
export function atMostOnceASecond<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (...args) => {
    const now = performance.now();
    if (now - last < 1000) return;
    last = now;
    run(...args);
  };
}
