import { Fault } from '../base/fault.ts';
import type { SpiffeId } from '../base/spiffe-id.ts';
import { type OwnSvid, readOwnSvid } from './own-svid.ts';
import type { WorkloadApi } from './workload-api.ts';
import { streams } from './workload-api-messages.ts';

/** What became of the sidecar's own SVID, for the log. */
export interface OwnIdentityEvent {
  readonly result: 'rotated' | 'withdrawn' | 'rejected';
  /** Of the SVID that is in force after it; null when there is none, or it is a certificate without a SPIFFE ID. */
  readonly id: string | null;
  /** Seconds since the epoch; null when there is none. */
  readonly notAfter: number | null;
  readonly detail: string;
}

/** Where a source puts what it learns. */
export interface OwnSvidSink {
  take(svid: OwnSvid): void;
  /** There is none any more. */
  drop(detail: string): void;
  /** A read or message that was no good: what was taken before stays. */
  reject(detail: string): void;
}

/** A place that the SVID comes from: the SPIFFE agent, or files. */
export interface OwnSvidSource {
  /** Begins to feed the sink; resolves after the first attempt, good or bad. Never rejects. */
  start(sink: OwnSvidSink): Promise<void>;
  stop(): void | Promise<void>;
}

export interface OwnIdentityOptions {
  readonly source: OwnSvidSource;
  readonly onEvent: (event: OwnIdentityEvent) => void;
}

/** The validity period of a certificate, in seconds since the epoch. */
export type Validity = Pick<OwnSvid, 'notBefore' | 'notAfter'>;

/** The sidecar's own SVID as the status page shows it. */
export interface OwnIdentityStatus {
  readonly id: string | null;
  readonly state: 'valid' | 'expired' | 'absent';
  /** From when and until when it is valid, in seconds since the epoch; null when absent. */
  readonly validity: Validity | null;
  /** What was wrong with the last message, stream or read; null when it was good. */
  readonly fault: string | null;
}

/** The sidecar's own X.509-SVID, kept fresh by its source. While the source fails, the last one serves to its end. */
export class OwnIdentity implements OwnSvidSink {
  readonly #options: OwnIdentityOptions;
  readonly #listeners: ((svid: OwnSvid | null) => void)[] = [];
  #svid: OwnSvid | null = null;
  #fault: string | null = null;

  constructor(options: OwnIdentityOptions) {
    this.#options = options;
  }

  /** Resolves after the first message, read or failure. Never rejects. */
  async start(): Promise<void> {
    await this.#options.source.start(this);
  }

  /** Tells of the SVID in force now, and of each one after it; null when it is withdrawn. */
  onChange(listener: (svid: OwnSvid | null) => void): void {
    this.#listeners.push(listener);
    listener(this.#svid);
  }

  /** At `now`, milliseconds. */
  status(now: number): OwnIdentityStatus {
    const svid = this.#svid;
    const state = svid === null ? 'absent' : now / 1000 <= svid.notAfter ? 'valid' : 'expired';
    const validity = svid === null ? null : { notBefore: svid.notBefore, notAfter: svid.notAfter };
    return { id: svid?.id?.text ?? null, state, validity, fault: this.#fault };
  }

  async stop(): Promise<void> {
    await this.#options.source.stop();
  }

  take(svid: OwnSvid): void {
    this.#fault = null;
    if (svid.certificatesPem === this.#svid?.certificatesPem) return;
    this.#change(svid);
    this.#tell('rotated', '');
  }

  drop(detail: string): void {
    this.#fault = detail;
    const had = this.#svid !== null;
    if (had) this.#change(null);
    this.#tell(had ? 'withdrawn' : 'rejected', detail);
  }

  reject(detail: string): void {
    this.#fault = detail;
    this.#tell('rejected', detail);
  }

  #change(svid: OwnSvid | null): void {
    this.#svid = svid;
    for (const listener of this.#listeners) listener(svid);
  }

  #tell(result: OwnIdentityEvent['result'], detail: string): void {
    const { id = null, notAfter = null } = this.#svid ?? {};
    this.#options.onEvent({ result, id: id?.text ?? null, notAfter, detail });
  }
}

/**
 * The SVID from the SPIFFE agent (SPIFFE Workload API section 5.2.1): the one with the id that is wanted; null takes the
 * agent's default. When the agent denies it, it is dropped at once.
 */
export function agentSvid(api: WorkloadApi, wanted: SpiffeId | null): OwnSvidSource {
  return {
    start: (sink) =>
      api.keepOpen(
        streams.x509Svid,
        (message) => {
          const read = readOwnSvid(message, wanted);
          if (read instanceof Fault) sink.reject(read.detail);
          else if (read === null) sink.drop(`the agent issues no SVID for ${wanted?.text ?? 'this process'}`);
          else sink.take(read);
        },
        ({ kind, detail }) => {
          if (kind === 'denied' || kind === 'unsupported') sink.drop(detail);
          else sink.reject(detail);
        },
      ),
    stop: () => api.stop(),
  };
}
