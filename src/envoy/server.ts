import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { logVerbosity, Server, type ServerUnaryCall, type sendUnaryData, setLogVerbosity } from '@grpc/grpc-js';
import { Refusal } from '../base/outcome.ts';
import type { Answer, CheckCall } from '../check/answer.ts';
import type { CheckInput, CheckPeer } from '../http/input.ts';
import type { CheckResponseMessage, ReceivedCheck } from './api.ts';
import { createHealth } from './health.ts';
import { type Bound, type CheckAddress, listen } from './listen.ts';
import { authorization, health as healthService } from './messages.ts';
import { rawRequestSummary } from './raw-request-summary.ts';
import { encodeAnswer } from './response.ts';

export interface ServerLimits {
  /** The largest CheckRequest that is read; a larger one is refused by `read`, as a denial. */
  readonly requestBytes: number;
  /** Streams that one connection may have open. */
  readonly concurrentStreams: number;
  /** Memory that one HTTP/2 session may use, in MB. */
  readonly sessionMemoryMb: number;
}

/** What the check port serves. */
export interface CheckService {
  /** Never rejects. */
  readonly answer: (call: CheckCall) => Promise<Answer>;
  readonly read: (message: ReceivedCheck, checkPeer: CheckPeer | null) => CheckInput | Refusal;
  readonly onBug: (error: unknown, decision: string) => void;
}

export interface CheckServer {
  /** The address as a gRPC client writes it. */
  readonly target: string;
  setServing(serving: boolean): void;
  /**
   * NOT_SERVING at once, while checks are still taken for `delayMs`; then GOAWAY, answers to what is in flight, and closed.
   * What is not answered within `graceMs` is cut.
   */
  drain(delayMs: number, graceMs: number): Promise<void>;
}

type Call = ServerUnaryCall<ReceivedCheck, CheckResponseMessage>;

const HEALTH_NAMES = ['', 'envoy.service.auth.v3.Authorization'];
/** Above our own limit, so that what is too large is answered with a denial; a gRPC error could become an allow. */
const TRANSPORT_FACTOR = 64;

/**
 * The check port: Envoy's Authorization service and gRPC health. Every Check is answered with a message; the callback is
 * called exactly once, and never with an error.
 */
export async function serveChecks(
  address: CheckAddress,
  limits: ServerLimits,
  { answer, read, onBug }: CheckService,
): Promise<CheckServer> {
  // Its errors come back as values and exceptions; lines of its own on standard error would be no JSON.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    'grpc.max_receive_message_length': limits.requestBytes * TRANSPORT_FACTOR,
    'grpc.max_concurrent_streams': limits.concurrentStreams,
    'grpc-node.max_session_memory': limits.sessionMemoryMb,
    // channelz stays on, though nobody asks it: without it grpc-js 1.14.7 does not know its sessions, and forceShutdown cuts none.
  });
  const health = createHealth(HEALTH_NAMES);
  let bound: Bound | null = null;
  const peerOf = (call: Call) =>
    bound === null ? new Refusal('internal', 'the port is not ready') : bound.peerOf(call, Date.now());
  server.addService(healthService, health.service);
  server.addService(authorization, {
    Check: (call: Call, done: sendUnaryData<CheckResponseMessage>) => {
      const message = call.request;
      const large = message.bytes.length > limits.requestBytes;
      const deadline = call.getDeadline();
      answer({
        read: () => {
          const checkPeer = peerOf(call);
          if (checkPeer instanceof Refusal) return checkPeer;
          return large
            ? new Refusal('request_too_large', `${message.bytes.length} bytes, more than ${limits.requestBytes}`)
            : read(message, checkPeer);
        },
        raw: () => rawRequestSummary(message),
        deadline: deadline instanceof Date ? deadline.getTime() : deadline,
        gaveUp: () => call.cancelled,
        // Envoy writes the span of this call there, where it makes one.
        traceparent: () => call.metadata.get('traceparent'),
      }).then((answered) => done(null, encodeAnswer(answered, onBug)));
    },
  });
  const port = await listen(server, address);
  bound = port;
  return {
    target: port.target,
    setServing: health.set,
    drain: async (delayMs, graceMs) => {
      health.set(false);
      // Who looks for another instance has to hear of this one's end before its port is gone.
      if (delayMs > 0) await delay(delayMs);
      health.end();
      // Session by session, GOAWAY overtakes what is written in the same turn.
      await turn();
      port.close();
      await closed(server, graceMs);
      await port.remove();
    },
  };
}

function closed(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
