import { basename, dirname } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import { Watch } from '../source/watch.ts';
import type { StreamFault } from './workload-api-call.ts';
import { WorkloadStream } from './workload-api-stream.ts';

/** Where the Workload API is (SPIFFE Workload Endpoint section 4): a Unix socket, or TCP on an IP address. */
export type WorkloadEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface WorkloadApiOptions {
  readonly endpoint: WorkloadEndpoint;
  readonly clock: Clock;
  /** Milliseconds after which what a silent stream said is confirmed. */
  readonly refreshMs: number;
}

/** The streams of one agent, and the eye on its socket that sees it come back. */
export class WorkloadApi {
  readonly #options: WorkloadApiOptions;
  readonly #streams: { retrySoon(): void; stop(): void }[] = [];
  readonly #watch: Watch;

  constructor(options: WorkloadApiOptions) {
    this.#options = options;
    const { endpoint } = options;
    const socket = endpoint.kind === 'unix' ? basename(endpoint.path) : null;
    this.#watch = new Watch((name) => {
      if (name === socket) for (const stream of this.#streams) stream.retrySoon();
    });
  }

  /** A stream that is kept open until `stop`; resolves after its first message or failure. Never rejects. */
  async keepOpen<M>(
    method: MethodDefinition<object, M>,
    onMessage: (message: M) => void,
    onFault: (fault: StreamFault) => void,
  ): Promise<void> {
    const { endpoint, clock, refreshMs } = this.#options;
    const stream = new WorkloadStream<M>({
      target: targetOf(endpoint),
      method,
      clock,
      refreshMs,
      onMessage,
      onFault: (fault) => {
        this.#follow();
        onFault(fault);
      },
    });
    this.#streams.push(stream);
    await stream.start();
  }

  stop(): void {
    this.#watch.close();
    for (const stream of this.#streams.splice(0)) stream.stop();
  }

  /**
   * An agent that starts makes its socket anew: that is seen at once, where the delay may have grown to 30 s. The folder is
   * followed anew after each failure, since it may have been replaced too.
   */
  #follow(): void {
    const { endpoint } = this.#options;
    if (endpoint.kind === 'unix' && this.#streams.length > 0) this.#watch.follow([dirname(endpoint.path)]);
  }
}

function targetOf(endpoint: WorkloadEndpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const { host, port } = endpoint;
  return host.includes(':') ? `ipv6:[${host}]:${port}` : `ipv4:${host}:${port}`;
}
