import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { MethodDefinition } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
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
  #watcher: FSWatcher | null = null;

  constructor(options: WorkloadApiOptions) {
    this.#options = options;
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
        this.#watch();
        onFault(fault);
      },
    });
    this.#streams.push(stream);
    await stream.start();
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = null;
    for (const stream of this.#streams.splice(0)) stream.stop();
  }

  /**
   * An agent that starts makes its socket anew: that is seen at once, where the delay may have grown to 30 s. The folder is
   * watched anew after each failure, since it may have been replaced too.
   */
  #watch(): void {
    const { endpoint } = this.#options;
    if (endpoint.kind !== 'unix' || this.#streams.length === 0) return;
    this.#watcher?.close();
    try {
      this.#watcher = watch(dirname(endpoint.path), { persistent: false }, (_event, name) => {
        if (name === basename(endpoint.path)) for (const stream of this.#streams) stream.retrySoon();
      });
      this.#watcher.on('error', () => {});
    } catch {
      // No folder: the growing delay has to do.
      this.#watcher = null;
    }
  }
}

function targetOf(endpoint: WorkloadEndpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  const { host, port } = endpoint;
  return host.includes(':') ? `ipv6:[${host}]:${port}` : `ipv4:${host}:${port}`;
}
