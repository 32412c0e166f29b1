import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

interface HealthRequest {
  readonly service?: string;
}
interface HealthResponse {
  readonly status: number;
}

/** The state that gRPC health reports, and those who watch it. */
export interface Health {
  readonly service: UntypedServiceImplementation;
  set(serving: boolean): void;
  /** NOT_SERVING, for good: those who watch are told so, and their streams end, which would else hold a shutdown up. */
  end(): void;
}

/**
 * gRPC health (grpc.health.v1) for the whole server and for the Authorization service. An unknown service is
 * SERVICE_UNKNOWN, in Check too: Envoy counts whatever is not SERVING as a failure, and the answer stays a message.
 */
export function createHealth(names: readonly string[]): Health {
  let serving = false;
  let ended = false;
  const watchers = new Set<ServerWritableStream<HealthRequest, HealthResponse>>();
  const statusOf = (request: HealthRequest | null): HealthResponse => {
    const name = request?.service ?? '';
    if (!names.includes(name)) return { status: SERVICE_UNKNOWN };
    return { status: serving ? SERVING : NOT_SERVING };
  };
  const service: UntypedServiceImplementation = {
    Check: (call: ServerUnaryCall<HealthRequest, HealthResponse>, done: sendUnaryData<HealthResponse>) =>
      done(null, statusOf(call.request)),
    Watch: (call: ServerWritableStream<HealthRequest, HealthResponse>) => {
      watchers.add(call);
      call.on('close', () => watchers.delete(call));
      call.on('cancelled', () => {
        watchers.delete(call);
        call.end();
      });
      call.write(statusOf(call.request));
      if (ended) call.end();
    },
  };
  const set = (next: boolean): void => {
    if (next === serving) return;
    serving = next;
    for (const call of watchers) call.write(statusOf(call.request));
  };
  return {
    service,
    set,
    end: () => {
      set(false);
      ended = true;
      for (const call of watchers) call.end();
    },
  };
}
